"""Repair of a programmed chip without labels, from the outputs of the network without errors."""
