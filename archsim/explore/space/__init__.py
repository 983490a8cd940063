"""Which designs a sweep is about: axes, conditions, and the points that they span."""
