"""Odd input and sudden ends in volume: ``python -m tests.assault``, or ``make assault``."""
