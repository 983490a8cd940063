"""The silicon model against published chips, as tables."""

from __future__ import annotations

from archsim.results.silicon import SILICON_CLASSES, SILICON_METRICS, SiliconValidation
from archsim.units import from_si
from reports.tables.table import Cell, Column, Table

_COLUMNS = (
    Column("metric", "metric"),
    Column("class", "class"),
    Column("n", "n", "count"),
    Column("median_factor", "median", "fixed", "factor"),
    Column("p90_factor", "90 %", "fixed", "factor"),
    Column("bias", "bias", "fixed", "pred/meas"),
    Column("spread", "spread", "fixed", "of ln"),
    Column("coverage", "within", "percent", "% of 90"),
)
_LEFT_OUT = (
    Column("left_out_median_factor", "left out", "fixed", "median"),
    Column("left_out_p90_factor", "left out", "fixed", "90 %"),
    Column("left_out_bias", "left out", "fixed", "bias"),
    Column("left_out_coverage", "left out", "percent", "% of 90"),
)


def factors(result: SiliconValidation) -> Table:
    """Collect factors by metric and class, in the fit and, where it is there, left out of it.

    Args:
        result: of the comparison.
    """
    rows: list[tuple[Cell, ...]] = []
    for metric in SILICON_METRICS:
        for klass in SILICON_CLASSES:
            found = result.summary(metric, klass)
            if not found.n:
                continue
            row: tuple[Cell, ...] = (
                metric, klass, found.n, found.median_factor, found.p90_factor, found.bias,
                found.spread, found.coverage,
            )  # fmt: skip
            if result.has_left_out:
                apart = result.summary(metric, klass, left_out=True)
                row += (apart.median_factor, apart.p90_factor, apart.bias, apart.coverage)
            rows.append(row)
    columns = _COLUMNS + (_LEFT_OUT if result.has_left_out else ())
    title = f"{result.constants} against {result.table}, one number per macro"
    return Table(title, columns, tuple(rows))


def furthest(result: SiliconValidation, count: int = 10) -> Table:
    """Collect the points that are furthest off, with what the model lacks.

    Args:
        result: of the comparison.
        count: how many.
    """
    rows: list[tuple[Cell, ...]] = [
        (
            row.macro,
            metric,
            from_si(point.measured, SILICON_METRICS[metric]),
            from_si(point.predicted, SILICON_METRICS[metric]),
            SILICON_METRICS[metric],
            ratio,
            row.missing.get(metric),
        )
        for row, metric, point, ratio in result.worst(count)
    ]
    columns = (
        Column("macro", "macro", wraps=True),
        Column("metric", "metric"),
        Column("measured", "measured", "number"),
        Column("predicted", "predicted", "number"),
        Column("unit", "unit"),
        Column("ratio", "ratio", "fixed"),
        Column("missing", "what is likely missing", wraps=True),
    )
    return Table("Furthest off", columns, tuple(rows))


def skipped(result: SiliconValidation) -> Table:
    """Collect the rows that cannot be priced, with the reason.

    Args:
        result: of the comparison.
    """
    columns = (
        Column("line", "line", "count"),
        Column("macro", "macro", wraps=True),
        Column("reason", "reason", wraps=True),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (row.line, row.macro, row.reason) for row in result.skipped
    )
    return Table(f"Not priced: {len(rows)} of {len(result.rows)} rows", columns, rows)
