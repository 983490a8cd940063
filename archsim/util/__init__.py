"""Small helpers that know nothing of chips."""
