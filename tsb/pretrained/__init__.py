"""A trained network on chips without training: calibrate, round, program, repair, measure."""
