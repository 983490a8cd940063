"""Answers about a finished sweep."""
