"""Curves along the size of the shared block and the bits of a cell, as the page needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.results.columns import label_of, split_unit
from archsim.results.size_curves import COSTS, SIZES, SizeCurves
from reports.page.text import unit_text
from reports.tables.table import Cell, Column, Table

_ACCURACY = "accuracy"


def curves_data(curves: SizeCurves) -> dict[str, Any]:
    """Return what the script draws; numbers are finite or None.

    Args:
        curves: of one sweep.
    """
    metrics = [{"key": key, "label": label_of(key), "unit": _unit(key)} for key in COSTS]
    if curves.has_accuracy:
        label = f"{_ACCURACY} {curves.at_sigma}".strip()
        metrics = [{"key": _ACCURACY, "label": label, "unit": "%"}, *metrics]
    return {
        "name": curves.name,
        "note": curves.note,
        "axes": [{"key": path, "label": SIZES[path]} for path in curves.axes],
        "metrics": metrics,
        "points": [
            {
                "point": own.point,
                "design": own.design,
                "sizes": own.sizes,
                "low": own.low,
                "high": own.high,
                "values": {_ACCURACY: own.accuracy, **own.values},
                "command": own.command,
            }
            for own in curves.points
        ],
    }


def _unit(key: str) -> str:
    return unit_text(split_unit(key)[1])


def curves_table(found: Sequence[SizeCurves]) -> Table:
    """Return all points as a table, a row each.

    Args:
        found: of all sweeps.
    """
    columns = (
        Column("sweep", "sweep"),
        Column("point", "point", "count"),
        Column("design", "shared block"),
        *(Column(path, label_of(path), "count") for path in SIZES),
        Column("sigma", "at sigma", "number"),
        Column("accuracy", "accuracy", "fixed", "%"),
        Column("low", "95 % from", "fixed", "%"),
        Column("high", "to", "fixed", "%"),
        *(Column(key, label_of(key), "number", split_unit(key)[1]) for key in COSTS),
        Column("command", "command that maps it", wraps=True),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            curves.name,
            own.point,
            own.design,
            *(own.sizes.get(path) for path in SIZES),
            own.sigma,
            own.accuracy,
            own.low,
            own.high,
            *(own.values[key] for key in COSTS),
            own.command,
        )
        for curves in found
        for own in curves.points
    ]
    return Table("Sizes", columns, tuple(rows))
