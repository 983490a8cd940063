"""Tables of one mapped network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.results.breakdown import BROKEN_DOWN, PARTS
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.use import energy_rows, uses
from archsim.units import engineering

if TYPE_CHECKING:
    from archsim.results.mapped import MapResult
from reports.tables.breakdown import part_column
from reports.tables.table import MISSING, Cell, Column, Table, show


def layers(result: MapResult) -> Table:
    """Every layer with all that is known of it; the columns are those of the JSON contract."""
    rows = [
        tuple(row[column.key] for column in _LAYER_COLUMNS) for row in result.layer_rows()
    ] if result.feasible else []  # fmt: skip
    return Table("Layers", _LAYER_COLUMNS, tuple(rows))


_LAYER_COLUMNS = (
    Column("name", "layer", wraps=True),
    Column("kind", "kind"),
    Column("input", "input"),
    Column("kernel", "kernel"),
    Column("matrix_rows", "rows", "count"),
    Column("matrix_cols", "cols", "count"),
    Column("weights", "weights", "count"),
    Column("instances", "instances", "count"),
    Column("mvms", "MVMs", "count"),
    Column("mapping", "mapping"),
    Column("copies", "copies", "count"),
    Column("tiles", "tiles", "count"),
    Column("subarrays", "sub-\narrays", "count"),
    Column("utilisation", "util.", "percent", "%"),
    *map(part_column, reversed(BROKEN_DOWN)),
)


def layer_overview(result: MapResult) -> Table:
    """The layers for people: the matrix in one column, in cells."""
    table = layers(result)
    matrix = Column("matrix", "matrix")
    rows = [
        (*row, f"{record['matrix_rows']}x{record['matrix_cols']}")
        for row, record in zip(table.rows, table.records(), strict=True)
    ]
    whole = Table(table.title, (*table.columns, matrix), tuple(rows))
    return whole.select((*SHAPE_COLUMNS, *COST_COLUMNS[1:]))


def totals(result: MapResult) -> tuple[Table, Table]:
    """Chip totals in two groups: one inference, and the chip with its programming.

    What goes without saying is left out, e.g. that a network which fits is on one chip.
    """
    values = result.totals
    return (
        _totals_group("One inference", Place.INFERENCE, values),
        _totals_group("Chip and programming", Place.CHIP, values),
    )


def _totals_group(title: str, place: Place, values: dict[str, float | int | None]) -> Table:
    columns = (Column("key", "key"), Column("label", ""), Column("value", ""), Column("unit", ""))
    rows = []
    for metric in shown_in(place):
        value, unless = values[metric.key], metric.shown[place].unless
        if unless is not None and value in (None, unless):
            continue
        unit = metric.shown_unit
        if metric.form != "engineering":
            rows.append((metric.key, metric.title, show(value, metric.form), unit))
            continue
        text = MISSING if value is None else engineering(float(value))
        number, _, prefix = text.partition(" ")
        rows.append((metric.key, metric.title, number, f"{prefix} {unit}".strip()))
    return Table(title, columns, tuple(rows))


def breakdown(result: MapResult) -> Table:
    """Area, dynamic energy and latency per component with their shares, and the sums.

    Components that cost nothing on this chip are left out.
    """
    columns = [Column("component", "component")]
    for part in BROKEN_DOWN:
        share = Column(f"{part.metric.stem}_share", "", "percent", "%")
        columns += [part_column(part), share]
    if not result.feasible:
        return Table("Breakdown", tuple(columns), ())
    components = result.breakdown_rows()
    sums = {key: sum(row[key] for row in components.values()) for key in PARTS}
    rows: list[tuple[Cell, ...]] = []
    for name, row in {**components, "total": sums}.items():
        if not any(row[key] for key in PARTS):
            continue
        cells: list[Cell] = [name.replace("_", " ")]
        for key in PARTS:
            value, whole = row[key], sums[key]
            cells += [value or None, value / whole if value and whole else None]
        rows.append(tuple(cells))
    return Table("Breakdown (dynamic energy)", tuple(columns), tuple(rows))


def component_use(result: MapResult) -> Table:
    """Leakage of every component and the share of time that it works; the last row is the sum."""
    columns = (
        Column("component", "component"),
        Column("leakage_mW", "leakage", "number", "mW"),
        Column("leakage_share", "", "percent", "%"),
        Column("busy_share", "busy", "percent", "%"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            use.component.replace("_", " "),
            use.leakage_mW or None,
            use.leakage_share or None,
            use.busy_share,
        )
        for use in uses(result)
    ]
    leakage = result.totals["leakage_power_mW"]
    rows.append(("total", leakage, 1.0 if leakage else None, None))
    return Table("Leakage, and share of the period at work", columns, tuple(rows))


def layer_energies(result: MapResult) -> Table:
    """Energy of one image by layer and component; leakage is of components and of no layer."""
    columns = (
        Column("layer", "layer", wraps=True),
        Column("kind", "kind"),
        Column("component", "component"),
        Column("energy_uJ", "energy", "number", "uJ"),
    )
    rows = [tuple(row[column.key] for column in columns) for row in energy_rows(result)]
    return Table("Energy by layer and component", columns, tuple(rows))


def shortages(result: MapResult) -> Table:
    """What an infeasible design asks for, what it can have, and what to change."""
    columns = (
        Column("name", "bound"),
        Column("demand", "needed", "number"),
        Column("bound", "available", "number"),
        Column("unit", "unit"),
        Column("levers", "change", wraps=True),
    )
    entries = result.to_dict()["infeasible"]
    rows = [
        (e["name"], e["demand"], e["bound"], e["unit"], "\n".join(e["levers"])) for e in entries
    ]
    return Table("Infeasible", columns, tuple(rows))


def heading(result: MapResult) -> str:
    """One line: network, design, chip and the hash of the whole configuration."""
    resolved = result.resolved
    return (
        f"{result.network}, design {result.design}, chip {resolved.chip.name} "
        f"({resolved.technology.name}, {resolved.device.name}), cost model "
        f"{resolved.chip.cost_model}, config {resolved.config_hash}"
    )


#: Columns of :func:`layer_overview` that say what a layer is, and what it takes.
SHAPE_COLUMNS = ("name", "kind", "input", "kernel", "matrix", "mvms")
COST_COLUMNS = (
    "name", "copies", "tiles", "subarrays", "utilisation", *reversed(PARTS),
)  # fmt: skip
