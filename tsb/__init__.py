"""The Tiny Shared Block: the trained repair of programmed chips."""
