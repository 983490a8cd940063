"""Results as plain tables: collected once, for the terminal, for CSV and for HTML.

A collector turns a result into a :class:`Table` of raw values; :meth:`Table.texts` formats them for
people. Nothing here draws. Collectors have a file per result beside this one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from archsim.units import engineering

Cell = str | int | float | None
#: text; count (whole number); number (4 digits); percent (a fraction, shown x 100); error (the same
#: with 3 digits); points (already in percent, with sign); fixed (two decimals, so that intervals
#: compare); ratio (``x1.234``); signed (``+0.123``); engineering (``1.234 M``).
Kind = Literal[
    "text", "count", "number", "percent", "points", "fixed", "ratio", "signed", "error",
    "engineering",
]  # fmt: skip

#: Shown where nothing was computed.
MISSING = "-"


@dataclass(frozen=True)
class Column:
    """One column: its name in CSV and JSON, its title (and unit) for people, its kind.

    Only the text of columns that say ``wraps`` may be broken over lines.
    """

    key: str
    title: str
    kind: Kind = "text"
    unit: str = ""
    wraps: bool = False


@dataclass(frozen=True)
class Table:
    """A titled table of raw values; every row has one cell per column."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def texts(self) -> list[list[str]]:
        """Return all cells formatted for people."""
        kinds = [column.kind for column in self.columns]
        return [[show(cell, kind) for cell, kind in zip(r, kinds, strict=True)] for r in self.rows]

    def select(self, keys: Sequence[str], title: str | None = None) -> Table:
        """Return the named columns, in that order."""
        index = {column.key: place for place, column in enumerate(self.columns)}
        places = [index[key] for key in keys]
        return Table(
            self.title if title is None else title,
            tuple(self.columns[place] for place in places),
            tuple(tuple(row[place] for place in places) for row in self.rows),
        )

    def records(self) -> list[dict[str, Cell]]:
        """Return the raw rows as dictionaries."""
        keys = [column.key for column in self.columns]
        return [dict(zip(keys, row, strict=True)) for row in self.rows]


def show(value: Cell, kind: Kind = "number") -> str:
    """Format one cell; what was not computed or is not finite is ``-``."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, str):
        return value
    pattern = _PATTERNS.get(kind)
    return pattern(value) if pattern else four_digits(value)


_PATTERNS: dict[str, Callable[[float], str]] = {
    "count": lambda value: f"{round(value):,}",
    "percent": lambda value: f"{100 * value:.1f}",
    "points": lambda value: f"{value:+.1f}",
    "fixed": lambda value: f"{value:.2f}",
    "ratio": lambda value: f"x{value:.3f}",
    "error": lambda value: f"{100 * value:.3g}",
    "signed": lambda value: f"{value:+.3f}",
    "engineering": engineering,
}


def four_digits(value: float) -> str:
    """Write four significant digits: 0.001350, 90.35, 17,530; powers of ten only far out."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if not -4 <= exponent < 9:
        return f"{value:.3e}"
    return f"{rounded:,.{max(0, 3 - exponent)}f}"
