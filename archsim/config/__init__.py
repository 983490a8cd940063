"""Configuration: YAML presets in, one checked and hashed configuration out."""
