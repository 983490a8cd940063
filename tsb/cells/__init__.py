"""Memory cells that hold weights: codes, spread, noise, and what a read sees."""
