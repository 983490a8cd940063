"""The silicon model against published chips, and the calibration of its constants."""
