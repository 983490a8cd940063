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


def inputs(difference: ReportDiff) -> Table:
    """Return the settings that differ.

    Args:
        difference: the difference.
    """
    columns = (
        Column("input", "input", wraps=True),
        Column("before", "before", wraps=True),
        Column("after", "after", wraps=True),
    )
    rows = tuple((path, _short(one), _short(other)) for path, one, other in difference.inputs)
    return Table("Inputs that differ", columns, rows)


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def moved(difference: ReportDiff) -> Table:
    """Return the numbers that moved, accuracies first; one that moved alike in designs has one row.

    Accuracies are in per cent, their changes in points.

    Args:
        difference: the difference.
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
    for change in difference.moved:
        key = (change.number, change.before, change.after, change.noise, change.beyond_noise)
        groups.setdefault(key, []).append(change)
    ordered = sorted(groups.values(), key=lambda alike: alike[0].number != "accuracy")
    return Table("Numbers that moved", columns, tuple(_row(alike) for alike in ordered))


def _row(alike: Sequence[Moved]) -> tuple[Cell, ...]:
    """Return the row of a number that moved alike in several designs."""
    first, more = alike[0], len(alike) - 1
    is_accuracy = first.number == "accuracy"
    factor = 100 if is_accuracy else 1
    ends = [None if value is None else factor * value for value in (first.before, first.after)]
    label, unit = label_of(first.number), split_unit(first.number)[1].replace("*", " ")
    name = f"{label}, {'%' if is_accuracy else unit}" if is_accuracy or unit else label
    noise = None
    if is_accuracy:
        noise = "unknown" if first.noise is None else f"+-{100 * first.noise:.2f} points"
    return (
        f"{first.design} and {more} more" if more else first.design,
        name,
        *ends,
        _change(first, is_accuracy),
        noise,
        "yes" if first.beyond_noise else "no",
    )


def _change(change: Moved, is_accuracy: bool) -> str | None:
    if change.before is None or change.after is None:
        return None
    if is_accuracy:
        return f"{100 * (change.after - change.before):+.2f} points"
    return f"{100 * (change.after / change.before - 1):+.3g} %" if change.before else None


def in_short(difference: ReportDiff) -> list[str]:
    """Return the difference in a few sentences.

    Args:
        difference: the difference.
    """
    beyond = sum(change.beyond_noise for change in difference.moved)
    noisy = len(difference.moved) - beyond
    lines = [
        f"{len(difference.inputs)} inputs differ. {len(difference.moved)} numbers moved, "
        f"{beyond} beyond noise, {noisy} within; {difference.unmoved} are the same."
    ]
    for one, other in difference.answers:
        lines.append(f"Answer before: {one or 'none'}")
        lines.append(f"Answer after: {other or 'none'}")
    if not difference.answers:
        lines.append("The answers are the same.")
    if difference.other_backbones:
        lines.append(
            "Other backbones are behind the accuracies: they differ by more than intervals over "
            "chips say, so beyond noise does not yet mean that the setting did it."
        )
    for names, where in ((difference.only_before, "first"), (difference.only_after, "second")):
        if names:
            lines.append(f"Only in the {where}: {'; '.join(names)}.")
    return lines
