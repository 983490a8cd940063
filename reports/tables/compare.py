"""The comparison of the shared block's designs as plain tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.tables.table import MISSING, Cell, Column, Kind, Table

if TYPE_CHECKING:
    from archsim.results.compared import CompareResult

#: Metrics of the comparison, each absolute and relative to the base.
COMPARED = (
    "area_mm2", "energy_uJ", "latency_us", "period_us", "edp_uJ_us", "edp_period_uJ_us",
)  # fmt: skip

#: What the words of the table mean.
COMPARE_NOTES = (
    "Energy is dynamic and leakage energy of one image; latency is the time of one image; period "
    "is the time between images.",
    "EDP is energy x latency, EDP (period) is energy x period; x1.000 is the base.",
    "Programming writes every weight once, copies of layers included.",
)

_DESIGN_LABELS = {"none": "base", "common": "(C) common", "separate": "(S) separate"}


def comparison(result: CompareResult) -> Table:
    """One row per network and design: each metric, its ratio to the base, the EDP overheads."""
    columns = [
        Column("network", "network"),
        Column("design", "design"),
        Column("tsb_channels", "TSB", "count"),
    ]
    titles = ("area", "energy", "latency", "period", "EDP", "EDP\n(period)")
    units = ("mm2", "uJ", "us", "us", "uJ us", "uJ us")
    for key, title, unit in zip(COMPARED, titles, units, strict=True):
        columns += [
            Column(key, title, "number", unit),
            Column(f"{key}_ratio", title, "ratio"),
        ]
    columns += [
        Column("edp_overhead_pct", "EDP\noverhead", "points", "%"),
        Column("edp_period_overhead_pct", "overhead\n(period)", "points", "%"),
    ]
    rows = []
    for row in result.rows():
        cells: dict[str, Any] = {**row, "design": _DESIGN_LABELS[row["design"]]}
        if not row["feasible"]:
            cells[COMPARED[0]] = "infeasible"
        rows.append(tuple(cells[column.key] for column in columns))
    return Table("EDP overhead of the shared block", tuple(columns), tuple(rows))


#: Programming totals of the comparison: title, kind and unit.
_PROGRAMMED: dict[str, tuple[str, Kind, str]] = {
    "write_pulses": ("write\npulses", "engineering", ""),
    "verify_reads": ("verify\nreads", "engineering", ""),
    "programming_time_ms": ("time", "number", "ms"),
    "programming_energy_uJ": ("energy", "number", "uJ"),
}


def programming(result: CompareResult) -> Table:
    """One row per network and design: what writing all weights once takes, and ratios to the base.

    The policy, the same for all, is in the title.
    """
    columns = [Column("network", "network"), Column("design", "design")]
    for key, (title, kind, unit) in _PROGRAMMED.items():
        columns.append(Column(key, title, kind, unit))
        if key != "verify_reads":
            columns.append(Column(f"{key}_ratio", "", "ratio"))
    bases = {row["network"]: row for row in result.rows() if row["design"] == "none"}
    rows = []
    for row in result.rows():
        base = bases.get(row["network"], {})
        cells: dict[str, Any] = {**row, "design": _DESIGN_LABELS[row["design"]]}
        for key in _PROGRAMMED:
            value, reference = row[key], base.get(key)
            known = value is not None and bool(reference)
            cells[f"{key}_ratio"] = value / reference if known else None
        rows.append(tuple(cells[column.key] for column in columns))
    return Table(f"Programming, {_policy(result)}", tuple(columns), tuple(rows))


def programming_halves(table: Table) -> tuple[Table, Table]:
    """Split a :func:`programming` into pulses and reads, and time and energy."""
    names = [column.key for column in table.columns]
    middle = names.index("programming_time_ms")
    last = table.select([*names[:2], *names[middle:]], "Time and energy of programming")
    return _with_headings(table.select(names[:middle])), _with_headings(last)


def _policy(result: CompareResult) -> str:
    """Name the write-verify policy and what it takes."""
    resolved = result.results[0].resolved
    if resolved.device.write_verify is None:
        return f"nothing to verify on {resolved.device.name}"
    own = resolved.chip.programming
    details = {
        "last-layers": f", the last {own.last_layers}",
        "fraction": f", {100 * own.fraction:.3g} % of every layer by {own.granularity}",
    }
    return f"write-verify policy {own.policy}{details.get(own.policy, '')}"


def beside(table: Table, separator: str) -> Table:
    """Set each metric of a :func:`comparison` and its ratio to the base in one cell."""
    index = {column.key: place for place, column in enumerate(table.columns)}
    columns = tuple(column for column in table.columns if column.kind != "ratio")
    rows = []
    for row in table.texts():
        cells = []
        for column in columns:
            text = row[index[column.key]]
            ratio = row[index[f"{column.key}_ratio"]] if column.key in COMPARED else MISSING
            plain = ratio == MISSING or row[index["design"]] == _DESIGN_LABELS["none"]
            cells.append(text if plain else f"{text}{separator}{ratio}")
        rows.append(tuple(cells))
    return Table(table.title, columns, tuple(rows))


def halves(table: Table) -> tuple[Table, Table]:
    """Split a :func:`comparison` into absolute values, and ratios with the EDP overheads.

    Network and design share the first column, a network being a row of its own.
    """
    ratios = [f"{key}_ratio" for key in COMPARED[:4]]
    overheads = ("edp_overhead_pct", "edp_period_overhead_pct")
    relative = table.select(("network", "design", *ratios, *overheads), "Relative to the base")
    return (
        _with_headings(table.select(("network", "design", *COMPARED))),
        _with_headings(relative),
    )


def _with_headings(table: Table) -> Table:
    """Make a network a row of its own, above its designs."""
    rows: list[tuple[Cell, ...]] = []
    network: Cell = None
    for row in table.rows:
        if row[0] != network:
            network = row[0]
            rows.append((network, *[""] * (len(row) - 2)))
        rows.append((f"  {row[1]}", *row[2:]))
    columns = (Column("design", "network, design"), *table.columns[2:])
    return Table(table.title, columns, tuple(rows))


def reasons(result: CompareResult) -> tuple[str, ...]:
    """Why rows of a comparison are infeasible; designs with the same reason share a line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for row in result.rows():
        for reason in row["infeasible"]:
            labels = lines.setdefault((row["network"], reason), [])
            labels.append(_DESIGN_LABELS[row["design"]])
    return tuple(f"{network}, {', '.join(who)}: {why}" for (network, why), who in lines.items())
