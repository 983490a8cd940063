"""Whose cells are write-verified, by which score, and what it takes."""
