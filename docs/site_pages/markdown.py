"""Markdown from values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(value: object) -> str:
    """Return a value as a cell of a table: one line, no bars, no markup that is not meant."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;") or "-"


def code(value: object) -> str:
    """Return a value in code marks."""
    return f"`{value}`" if str(value) else "-"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
