"""The comparison of the shared block's designs as plain tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archsim.config.priced_policies import priced_policy
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.table import MISSING, Cell, Column, Table

if TYPE_CHECKING:
    from archsim.results.compared import CompareResult

#: What the words of the table mean.
COMPARE_NOTES = (
    "Energy is dynamic and leakage energy of one image; latency is the time of one image; period "
    "is the time between images.",
    "EDP is energy x latency, EDP (period) is energy x period; x1.000 is the base.",
    "Programming writes every weight once, copies of layers included.",
)

#: What tables call the placements.
DESIGN_LABELS = {"none": "base", "common": "(C) common", "separate": "(S) separate"}


def comparison(result: CompareResult) -> Table:
    """One row per network and design: each metric, its ratio to the base, the overheads."""
    columns = [
        Column("network", "network"),
        Column("design", "design"),
        Column("tsb_channels", "TSB", "count"),
    ]
    compared = shown_in(Place.COMPARE)
    for metric in compared:
        title = metric.title_in(Place.COMPARE)
        columns += [
            Column(metric.key, title, metric.form, metric.shown_unit),
            Column(metric.ratio_key, title, "ratio"),
        ]
    columns += [
        Column(metric.overhead_key, metric.title_in(Place.OVERHEAD), "points", "%")
        for metric in shown_in(Place.OVERHEAD)
    ]
    rows, several = [], _has_several_copies(result)
    for row in result.rows():
        cells: dict[str, Any] = {**row, "design": _label(row, several)}
        if not row["feasible"]:
            cells[compared[0].key] = "infeasible"
        rows.append(tuple(cells[column.key] for column in columns))
    return Table("EDP overhead of the shared block", tuple(columns), tuple(rows))


def _has_several_copies(result: CompareResult) -> bool:
    """Whether one placement is there with several numbers of copies."""
    seen = [(one.network, one.design) for one in result.results]
    return len(seen) != len(set(seen))


def _label(row: dict[str, Any], several: bool) -> str:
    """Name a placement; with its copies where there are several."""
    label = DESIGN_LABELS[row["design"]]
    if not several or row["tsb_blocks"] is None:
        return label
    asked = row["tsb_copies"]
    return f"{label}, {asked}" if asked.isdigit() else f"{label}, {asked} ({row['tsb_blocks']:,})"


def programming(result: CompareResult) -> Table:
    """One row per network and design: what writing all weights once takes, and ratios to the base.

    The policy, the same for all, is in the title.
    """
    columns = [Column("network", "network"), Column("design", "design")]
    metrics = shown_in(Place.PROGRAMMING)
    for metric in metrics:
        title = metric.title_in(Place.PROGRAMMING)
        columns.append(Column(metric.key, title, metric.form, metric.shown_unit))
        if not metric.shown[Place.PROGRAMMING].alone:
            columns.append(Column(metric.ratio_key, "", "ratio"))
    bases = {row["network"]: row for row in result.rows() if row["design"] == "none"}
    rows, several = [], _has_several_copies(result)
    for row in result.rows():
        base = bases.get(row["network"], {})
        cells: dict[str, Any] = {**row, "design": _label(row, several)}
        for metric in metrics:
            value, reference = row[metric.key], base.get(metric.key)
            known = value is not None and bool(reference)
            cells[metric.ratio_key] = value / reference if known else None
        rows.append(tuple(cells[column.key] for column in columns))
    return Table(f"Programming, {_policy(result)}", tuple(columns), tuple(rows))


def programming_halves(table: Table) -> tuple[Table, Table]:
    """Split a :func:`programming` into counts (pulses and reads), and time and energy."""
    counts = {
        key
        for metric in shown_in(Place.PROGRAMMING)
        for key in (metric.key, metric.ratio_key)
        if metric.is_count
    }
    names = [column.key for column in table.columns]
    first, last = (
        [*names[:2], *(name for name in names[2:] if (name in counts) is wanted)]
        for wanted in (True, False)
    )
    title = "Time and energy of programming"
    return with_headings(table.select(first)), with_headings(table.select(last, title))


def _policy(result: CompareResult) -> str:
    """Name the write-verify policy and what it takes."""
    resolved = result.results[0].resolved
    if resolved.device.write_verify is None:
        return f"nothing to verify on {resolved.device.name}"
    programming = resolved.chip.programming
    amount = priced_policy(programming.policy).amount(programming)
    return f"write-verify policy {programming.policy}{amount and f', {amount}'}"


def beside(table: Table, separator: str) -> Table:
    """Set each metric of a :func:`comparison` and its ratio to the base in one cell."""
    index = {column.key: place for place, column in enumerate(table.columns)}
    ratios = {metric.key: metric.ratio_key for metric in shown_in(Place.COMPARE)}
    columns = tuple(column for column in table.columns if column.kind != "ratio")
    rows = []
    for row in table.texts():
        cells = []
        for column in columns:
            text = row[index[column.key]]
            ratio = row[index[ratios[column.key]]] if column.key in ratios else MISSING
            plain = ratio == MISSING or row[index["design"]] == DESIGN_LABELS["none"]
            cells.append(text if plain else f"{text}{separator}{ratio}")
        rows.append(tuple(cells))
    return Table(table.title, columns, tuple(rows))


def halves(table: Table) -> tuple[Table, Table]:
    """Split a :func:`comparison` into absolute values, and those relative to the base.

    A relative value is the overhead of metrics that have one, else the ratio. Network and design
    share the first column, a network being a row of its own.
    """
    compared = shown_in(Place.COMPARE)
    ratios = [metric.ratio_key for metric in compared if Place.OVERHEAD not in metric.shown]
    overheads = [metric.overhead_key for metric in shown_in(Place.OVERHEAD)]
    relative = table.select(("network", "design", *ratios, *overheads), "Relative to the base")
    absolute = table.select(("network", "design", *(metric.key for metric in compared)))
    return with_headings(absolute), with_headings(relative)


def with_headings(table: Table) -> Table:
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
            labels.append(DESIGN_LABELS[row["design"]])
    return tuple(f"{network}, {', '.join(who)}: {why}" for (network, why), who in lines.items())
