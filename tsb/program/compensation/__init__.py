"""Compensation of drift: what is measured on a programmed chip later, and multiplied by."""
