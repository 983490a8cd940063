"""Circuit blocks, one file each."""
