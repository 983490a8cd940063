"""One macro as tables: figures with intervals, parts, and measured beside computed."""

from __future__ import annotations

from archsim.results.macro import MACRO_FIGURES, MacroResult
from reports.tables.table import Cell, Column, Table


def figures(result: MacroResult) -> Table:
    """Collect the figures with their intervals.

    Args:
        result: of a macro.
    """
    rows: list[tuple[Cell, ...]] = []
    for key, figure in result.figures.items():
        title, unit = MACRO_FIGURES[key]
        wide, widest = figure.interval80 or (None, None), figure.interval90 or (None, None)
        rows.append((key, title, figure.value, "" if unit == "1" else unit, *wide, *widest))
    columns = (
        Column("key", "key"),
        Column("figure", "figure"),
        Column("value", "value", "number"),
        Column("unit", "unit"),
        Column("low80", "80 % of chips", "number", "from"),
        Column("high80", "", "number", "to"),
        Column("low90", "90 % of chips", "number", "from"),
        Column("high90", "", "number", "to"),
    )
    return Table(f"{result.name}: {result.description}", columns, tuple(rows))


def parts(result: MacroResult) -> Table:
    """Collect energy and area by part, with shares in percent.

    Args:
        result: of a macro.
    """
    energy, area = sum(result.energy_pJ.values()), sum(result.area_mm2.values())
    rows: list[tuple[Cell, ...]] = []
    for label in dict.fromkeys((*result.energy_pJ, *result.area_mm2)):
        joules, place = result.energy_pJ.get(label, 0.0), result.area_mm2.get(label, 0.0)
        if joules or place:
            rows.append((label, joules, joules / energy, place, place / area))
    columns = (
        Column("part", "part"),
        Column("energy_pJ", "energy", "number", "pJ"),
        Column("energy_share", "share", "percent", "%"),
        Column("area_mm2", "area", "number", "mm2"),
        Column("area_share", "share", "percent", "%"),
    )
    return Table("Parts (the split is known less well than the sum)", columns, tuple(rows))


def measured(result: MacroResult) -> Table:
    """Collect what was measured beside what is computed.

    Args:
        result: of a macro.
    """
    columns = (
        Column("condition", "operating point", wraps=True),
        Column("metric", "metric"),
        Column("measured", "measured", "number"),
        Column("computed", "computed", "number"),
        Column("unit", "unit"),
        Column("factor", "comp/meas", "fixed"),
        Column("low90", "90 % from", "number"),
        Column("high90", "to", "number"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (e.condition, e.metric, e.measured, e.computed, e.unit, e.factor, e.low90, e.high90)
        for e in result.measured
    )
    return Table("Published beside computed", columns, rows)
