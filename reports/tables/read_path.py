"""The read path against reference data as plain tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.tables.table import Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.read_path import ReadPathValidation


def groups(result: ReadPathValidation) -> Table:
    """Cases and worst error per group: of the output's range, full scale, or the images."""
    columns = (
        Column("group", "group"),
        Column("n", "cases", "count"),
        Column("worst", "worst error", "number", "of range, full scale or images"),
        Column("reason", "not compared", wraps=True),
    )
    rows: list[tuple[Cell, ...]] = []
    for name, found in result.summary().items():
        cases = result.of_group(name)
        worst = max((case.worst_rel for case in cases), default=None)
        rows.append((name, found["n"], worst, found.get("reason", "")))
    return Table(f"Read path against {result.folder}", columns, tuple(rows))


def cases(result: ReadPathValidation) -> Table:
    """Every case."""
    columns = (
        Column("group", "group"),
        Column("case", "case"),
        Column("worst_abs", "worst difference", "number"),
        Column("worst_rel", "relative", "number"),
    )
    rows = tuple((one.group, one.case, one.worst_abs, one.worst_rel) for one in result.cases)
    return Table(f"Read path against {result.folder}", columns, rows)
