"""The difference of two reports as plain tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reports.tables import Column, Table

if TYPE_CHECKING:
    from archsim.joint_diff import ReportDiff

#: Letters of an input's value.
_SHOWN = 60


def inputs(found: ReportDiff) -> Table:
    """Return the settings that differ.

    Args:
        found: the difference.
    """
    columns = (
        Column("input", "input", wraps=True),
        Column("before", "before", wraps=True),
        Column("after", "after", wraps=True),
    )
    rows = tuple((path, _short(one), _short(other)) for path, one, other in found.inputs)
    return Table("Inputs that differ", columns, rows)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def moved(found: ReportDiff) -> Table:
    """Return the numbers that moved.

    Args:
        found: the difference.
    """
    columns = (
        Column("design", "design", wraps=True),
        Column("number", "number"),
        Column("before", "before", "number"),
        Column("after", "after", "number"),
        Column("beyond_noise", "beyond noise"),
    )
    rows = tuple(
        (own.design, own.number, own.before, own.after, "yes" if own.beyond_noise else "no")
        for own in found.moved
    )
    return Table("Numbers that moved", columns, rows)
