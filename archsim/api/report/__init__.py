"""The joint report: accuracy, hardware and programming of the same designs."""
