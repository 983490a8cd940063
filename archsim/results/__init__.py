"""What engines and runs found, as frozen types: no engine is needed to read them."""
