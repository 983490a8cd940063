"""Figures, one file each: collect, then draw."""
