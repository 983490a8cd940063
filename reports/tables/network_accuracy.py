"""Tables of a trained network on chips."""

from __future__ import annotations

from archsim.results.network_accuracy import (
    STAGES,
    CompensationPrice,
    NetworkAccuracy,
    StageValue,
)
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
_PRICE_COLUMNS = (
    Column("what", "quantity"),
    Column("value", "value", "number"),
    Column("unit", "unit"),
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
    """One line: bits, ranges, repair and age."""
    precision = result.resolved.chip.precision
    age = ""
    if result.read_after_s:
        age = f", read after {result.read_after_s:g} s"
        if result.calibrated_after_s is not None:
            age += f", calibrated after {result.calibrated_after_s:g} s"
        age += f", compensation {result.compensation or 'none'}"
    return (
        f"weights of {precision.weight_bits} bits, inputs of {precision.input_bits} bits, ranges "
        f"{result.ranges} of {result.calibration} calibration items, write-verify {result.write}, "
        f"repair {result.repair or 'none'}{age}"
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


def price(own: CompensationPrice) -> Table:
    """What a compensation of drift takes."""
    rows: list[tuple[Cell, ...]] = [
        ("one reference read of all layers, energy", own.reference_energy_nJ, "nJ"),
        ("its time, layer after layer", own.reference_time_us, "us"),
        ("multiplications for every image", own.products, ""),
        ("their energy", own.energy_nJ, "nJ"),
        ("their latency", own.latency_us, "us"),
        ("area of multipliers and registers", own.area_mm2, "mm2"),
    ]
    return Table("What the compensation takes", _PRICE_COLUMNS, tuple(rows))


def choice(result: NetworkAccuracy) -> str:
    """One sentence: which stage to use, by the metric's own direction; "" without a choice."""
    if result.better is None:
        return ""
    facts, plain = result.metric, result.options[0]
    tried = [_named(result, stage.stage) for stage in result.options[1:]]
    unit = f" {facts.unit}" if facts.unit else ""
    if result.better == plain.stage:
        best = result.options[1]
        for stage in result.options[2:]:
            best = stage if facts.is_better(stage.mean, best.mean) else best
        verb, said = "Leave out", ", no better"
    else:
        best = result.stage(result.better)
        difference = facts.shown(facts.lost(best.mean, plain.mean))
        verb, said = "Use", f", better by {difference:.3g}{unit}"
        tried = [_named(result, best.stage)]
    if _overlap(plain, best):
        said += "; their 95 % intervals over chips overlap, more chips would tell"
    return (
        f"{verb} {' and '.join(tried)}: {facts.name} of {facts.shown(plain.mean):.4g}{unit} on "
        f"chips becomes {facts.shown(best.mean):.4g}{unit}{said}."
    )


def _overlap(one: StageValue, other: StageValue) -> bool:
    """Whether the intervals of two means overlap; of one chip there is none, which says as much."""
    low, high, other_low, other_high = (
        one.ci95_low, one.ci95_high, other.ci95_low, other.ci95_high
    )  # fmt: skip
    if low is None or high is None or other_low is None or other_high is None:
        return True
    return max(low, other_low) <= min(high, other_high)


def _named(result: NetworkAccuracy, stage: str) -> str:
    """What a stage adds, for people."""
    if stage == "compensated":
        return f"the compensation {result.compensation}"
    both = f" with the compensation {result.compensation}" if result.compensation else ""
    return f"the repair {result.repair}{both}"
