"""Copies of the shared block: what they take, beside what they bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.compare import DESIGN_LABELS, with_headings
from reports.tables.table import Column, Table

if TYPE_CHECKING:
    from archsim.results.compared import CompareResult


def copies(result: CompareResult) -> Table:
    """One row per network, placement and number of copies; the base has none."""
    overheads = shown_in(Place.OVERHEAD)
    columns = (
        Column("network", "network"),
        Column("design", "design"),
        Column("tsb_copies", "copies"),
        Column("tsb_blocks", "blocks", "count"),
        Column("tsb_crossbars", "cross-\nbars", "count"),
        Column("extra_area_mm2", "extra\narea", "number", "mm2"),
        Column("tsb_cells", "cells\nwritten", "engineering"),
        Column("tsb_verified_cells", "cells\nverified", "engineering"),
        *(
            Column(metric.overhead_key, metric.title_in(Place.OVERHEAD), "points", "%")
            for metric in overheads
        ),
    )
    rows = []
    for row in result.rows():
        if row["tsb_blocks"] is None:
            continue
        cells: dict[str, Any] = {**row, "design": DESIGN_LABELS[row["design"]]}
        rows.append(tuple(cells[column.key] for column in columns))
    return Table("Copies of the shared block", columns, tuple(rows))


def copies_halves(table: Table) -> tuple[Table, Table]:
    """Split :func:`copies` into what the blocks take, and what they cost in energy and time."""
    overheads = [metric.overhead_key for metric in shown_in(Place.OVERHEAD)]
    names = ("network", "design", "tsb_copies")
    taken = [column.key for column in table.columns if column.key not in overheads]
    return (
        with_headings(table.select(taken)),
        with_headings(table.select((*names, *overheads), "Overhead of the copies")),
    )
