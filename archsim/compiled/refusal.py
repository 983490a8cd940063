"""Why something is computed by the eager engine instead."""

from __future__ import annotations


class NotCompiledError(Exception):
    """Something cannot be recorded, compiled or loaded; its text is the reason.

    It never leaves this package: what is refused is computed by the eager engine.
    """
