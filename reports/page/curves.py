"""Curves along the size of the shared block and the bits of a cell, as the page needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.results.columns import label_of
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.size_curves import SIZES, SizeCurves
from reports.page.text import unit_text
from reports.tables.table import Cell, Column, Table

_ACCURACY = "accuracy"


def curves_data(curves: SizeCurves) -> dict[str, Any]:
    """Return what the script draws; numbers are finite or None.

    Args:
        curves: of one sweep.
    """
    metrics = [
        {"key": own.key, "label": own.name, "unit": unit_text(own.shown_unit)}
        for own in curves.metrics
    ]
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


def curves_table(found: Sequence[SizeCurves]) -> Table:
    """Return all points as a table, a row each.

    Args:
        found: of all sweeps.
    """
    metrics = shown_in(Place.CURVES)
    columns = (
        Column("sweep", "sweep"),
        Column("point", "point", "count"),
        Column("design", "shared block"),
        *(Column(path, label_of(path), "count") for path in SIZES),
        Column("sigma", "at sigma", "number"),
        Column("accuracy", "accuracy", "fixed", "%"),
        Column("low", "95 % from", "fixed", "%"),
        Column("high", "to", "fixed", "%"),
        *(Column(metric.key, metric.name, "number", metric.shown_unit) for metric in metrics),
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
            *(own.values.get(metric.key) for metric in metrics),
            own.command,
        )
        for curves in found
        for own in curves.points
    ]
    return Table("Sizes", columns, tuple(rows))
