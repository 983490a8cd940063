"""Networks on programmed chips."""
