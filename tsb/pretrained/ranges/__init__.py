"""Rules for the range of a layer's inputs, from a calibration part: one per file."""
