"""Evaluate the points of a sweep and keep them: chunks, processes, store, resume."""
