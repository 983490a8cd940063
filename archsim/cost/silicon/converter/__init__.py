"""Kinds of converters in the silicon model, one file per kind."""
