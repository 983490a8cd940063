"""The tests mirror the packages; CONTRIBUTING.md says which answers what."""
