"""Tables of a trained network on chips."""

from __future__ import annotations

from archsim.results.network_accuracy import STAGES, NetworkAccuracy
from reports.tables.table import Cell, Column, Table

#: Columns of the CSV of ``archsim evaluate NETWORK``: a row per stage.
STAGE_COLUMNS = (
    Column("stage", "stage"),
    Column("mean", "mean", "number"),
    Column("ci95_low", "95 % from", "number"),
    Column("ci95_high", "to", "number"),
    Column("std_chip", "std of chips", "number"),
    Column("worst", "worst chip", "number"),
    Column("lost", "worse by", "number"),
    Column("chips", "chips", "count"),
)


def heading(result: NetworkAccuracy) -> str:
    """One line: network, data, chip, and how much is behind the numbers."""
    resolved = result.resolved
    return (
        f"{result.network} on {result.data}, chip {resolved.chip.name} ({resolved.device.name}, "
        f"sigma {result.sigma:g}), encoding {result.encoding}, scaling by {result.scaling}, "
        f"{result.items:,} test items, config {resolved.config_hash}"
    )


def rounding(result: NetworkAccuracy) -> str:
    """One line: bits, ranges and repair."""
    precision = result.resolved.chip.precision
    return (
        f"weights of {precision.weight_bits} bits, inputs of {precision.input_bits} bits, ranges "
        f"{result.ranges} of {result.calibration} calibration items, write-verify {result.write}, "
        f"repair {result.repair or 'none'}"
    )


def stages(result: NetworkAccuracy) -> Table:
    """The metric at every stage, in the unit that people are shown."""
    facts, rows = result.metric, []
    for stage in result.stages:
        values: list[Cell] = [STAGES[stage.stage]]
        for key in ("mean", "ci95_low", "ci95_high", "std_chip", "worst", "lost"):
            value = getattr(stage, key)
            values.append(None if value is None else facts.shown(value))
        rows.append((*values, stage.chips or None))
    return Table(facts.title, STAGE_COLUMNS, tuple(rows))


def choice(result: NetworkAccuracy) -> str:
    """One sentence: whether the repair helps, by the metric's own direction; "" without one."""
    if result.better is None:
        return ""
    facts = result.metric
    plain, repaired = result.stage("programmed"), result.stage("repaired")
    difference = facts.shown(facts.lost(repaired.mean, plain.mean))
    unit = f" {facts.unit}" if facts.unit else ""
    said = f"{facts.name} of {facts.shown(plain.mean):.4g}{unit} on chips becomes "
    said += f"{facts.shown(repaired.mean):.4g}{unit} with {result.repair}"
    if difference > 0:
        return f"Use the repair: {said}, better by {difference:.3g}{unit}."
    return f"Leave the repair out: {said}, no better."
