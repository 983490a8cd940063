"""Designs as tensors: every parameter of a chip, one point or a million."""
