"""On-chip memories in closed form, one file per kind."""
