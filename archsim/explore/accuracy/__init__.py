"""Accuracy of the points of a sweep: each distinct case is trained and measured once."""
