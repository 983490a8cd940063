"""Curves along the size of the shared block and the bits of a cell, as the page needs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archsim.results.columns import label_of
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.size_curves import SIZES, SizeCurves
from reports.tables.table import Cell, Column, Table
from reports.units import unit_text

_ACCURACY = "accuracy"


def curves_data(curves: SizeCurves) -> dict[str, Any]:
    """Return what the script draws; numbers are finite or None.

    Args:
        curves: of one sweep.
    """
    metrics = [
        {"key": metric.key, "label": metric.name, "unit": unit_text(metric.shown_unit)}
        for metric in curves.metrics
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
                "point": point.point,
                "design": point.design,
                "sizes": point.sizes,
                "low": point.low,
                "high": point.high,
                "values": {_ACCURACY: point.accuracy, **point.values},
                "command": point.command,
            }
            for point in curves.points
        ],
    }


def curves_table(sweeps: Sequence[SizeCurves]) -> Table:
    """Return all points as a table, a row each.

    Args:
        sweeps: the curves of each.
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
            point.point,
            point.design,
            *(point.sizes.get(path) for path in SIZES),
            point.sigma,
            point.accuracy,
            point.low,
            point.high,
            *(point.values.get(metric.key) for metric in metrics),
            point.command,
        )
        for curves in sweeps
        for point in curves.points
    ]
    return Table("Sizes", columns, tuple(rows))
