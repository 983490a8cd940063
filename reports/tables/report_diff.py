"""The difference of two reports as plain tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.results.columns import label_of, split_unit
from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.report_diff import Moved, ReportDiff

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
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def moved(found: ReportDiff) -> Table:
    """Return the numbers that moved, accuracies first; one that moved alike in designs has one row.

    Accuracies are in per cent, their changes in points.

    Args:
        found: the difference.
    """
    columns = (
        Column("design", "design", wraps=True),
        Column("number", "number"),
        Column("before", "before", "number"),
        Column("after", "after", "number"),
        Column("change", "change"),
        Column("noise", "noise (95 %)"),
        Column("beyond_noise", "beyond noise"),
    )
    groups: dict[tuple[object, ...], list[Moved]] = {}
    for own in found.moved:
        key = (own.number, own.before, own.after, own.noise, own.beyond_noise)
        groups.setdefault(key, []).append(own)
    ordered = sorted(groups.values(), key=lambda alike: alike[0].number != "accuracy")
    return Table("Numbers that moved", columns, tuple(_row(alike) for alike in ordered))


def _row(alike: Sequence[Moved]) -> tuple[Cell, ...]:
    """Return the row of a number that moved alike in several designs."""
    own, more = alike[0], len(alike) - 1
    is_accuracy = own.number == "accuracy"
    factor = 100 if is_accuracy else 1
    ends = [None if value is None else factor * value for value in (own.before, own.after)]
    label, unit = label_of(own.number), split_unit(own.number)[1].replace("*", " ")
    name = f"{label}, {'%' if is_accuracy else unit}" if is_accuracy or unit else label
    noise = None
    if is_accuracy:
        noise = "unknown" if own.noise is None else f"+-{100 * own.noise:.2f} points"
    return (
        f"{own.design} and {more} more" if more else own.design,
        name,
        *ends,
        _change(own, is_accuracy),
        noise,
        "yes" if own.beyond_noise else "no",
    )


def _change(own: Moved, is_accuracy: bool) -> str | None:
    if own.before is None or own.after is None:
        return None
    if is_accuracy:
        return f"{100 * (own.after - own.before):+.2f} points"
    return f"{100 * (own.after / own.before - 1):+.3g} %" if own.before else None


def in_short(found: ReportDiff) -> list[str]:
    """Return the difference in a few sentences.

    Args:
        found: the difference.
    """
    beyond = sum(own.beyond_noise for own in found.moved)
    noisy = len(found.moved) - beyond
    lines = [
        f"{len(found.inputs)} inputs differ. {len(found.moved)} numbers moved, {beyond} beyond "
        f"noise, {noisy} within; {found.unmoved} are the same."
    ]
    for one, other in found.answers:
        lines.append(f"Answer before: {one or 'none'}")
        lines.append(f"Answer after: {other or 'none'}")
    if not found.answers:
        lines.append("The answers are the same.")
    if found.other_backbones:
        lines.append(
            "Other backbones are behind the accuracies: they differ by more than intervals over "
            "chips say, so beyond noise does not yet mean that the setting did it."
        )
    for names, where in ((found.only_before, "first"), (found.only_after, "second")):
        if names:
            lines.append(f"Only in the {where}: {'; '.join(names)}.")
    return lines
