"""Sensitivity, uncertainty and validation as plain tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.sensitivity import Elasticity, Interval
    from archsim.results.validation import ValidationResult

#: Stands in place of an interval that a total does not have.
NOT_KNOWN = "not known"


def sensitivity(entries: Sequence[Elasticity], most: int | None = None) -> Table:
    """Elasticities in the order given; whole numbers are stepped, all others by autograd."""
    names = [metric.stem for metric in shown_in(Place.SENSITIVITY)]
    columns = (
        Column("parameter", "parameter", wraps=True),
        Column("value", "value", "number", "SI"),
        Column("stepped_to", "step to", "number"),
        *(Column(name, name, "signed") for name in names),
    )
    rows: list[tuple[Cell, ...]] = []
    for entry in entries[:most]:
        moved = [entry.values.get(name, 0.0) for name in names]
        rows.append((entry.path, entry.value, entry.stepped_to, *moved))
    return Table("Elasticities, d ln(metric) / d ln(parameter)", columns, tuple(rows))


def intervals(entries: Iterable[Interval]) -> Table:
    """Intervals of the totals."""
    columns = (
        Column("total", "total"),
        Column("nominal", "nominal", "number"),
        Column("p05", "5 %", "number"),
        Column("median", "median", "number"),
        Column("p95", "95 %", "number"),
    )
    rows = tuple(
        (e.name, e.nominal, *(NOT_KNOWN if v is None else v for v in (e.low, e.median, e.high)))
        for e in entries
    )
    return Table("Uncertainty of the totals", columns, rows)


def validation(result: ValidationResult) -> Table:
    """Absolute relative errors per metric."""
    columns = (
        Column("metric", "metric"),
        Column("median", "median", "error", "%"),
        Column("p90", "90th pct.", "error", "%"),
        Column("worst", "worst", "error", "%"),
        Column("n", "n", "count"),
    )
    rows = tuple((name, e.median, e.p90, e.worst, e.n) for name, e in result.summary().items())
    return Table(f"Errors of {result.chip} against {result.folder}", columns, rows)


_MAIN_METRICS = ("area", "latency", "energy")


def factors(result: ValidationResult) -> Table:
    """Median and 90th percentile of the main metrics per setting that the runs vary."""
    columns = [Column("factor", "varied setting", wraps=True), Column("n", "runs", "count")]
    for metric in _MAIN_METRICS:
        columns += [
            Column(f"{metric}_median", f"{metric}\nmedian", "error", "%"),
            Column(f"{metric}_p90", f"{metric}\n90th pct.", "error", "%"),
        ]
    rows = []
    for factor in result.factors:
        summary = result.summary(factor)
        cells: list[Cell] = []
        for metric in _MAIN_METRICS:
            entry = summary.get(metric)
            cells += [entry.median, entry.p90] if entry else [None, None]
        count = max((summary[metric].n for metric in _MAIN_METRICS if metric in summary), default=0)
        rows.append((factor, count, *cells))
    return Table("Errors per varied setting", tuple(columns), tuple(rows))


def worst(result: ValidationResult) -> Table:
    """The chip-level values with the largest errors."""
    columns = (
        Column("run", "run", wraps=True),
        Column("network", "network", wraps=True),
        Column("factor", "setting", wraps=True),
        Column("metric", "metric"),
        Column("predicted", "predicted", "number"),
        Column("reference", "reference", "number"),
        Column("error", "error", "error", "%"),
    )
    rows = tuple(
        (e.run, e.network, e.factor, e.metric, e.predicted, e.reference, e.error)
        for e in result.worst()
    )
    return Table("Worst values", columns, rows)
