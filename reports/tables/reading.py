"""Tables of a network that is read from crossbars."""

from __future__ import annotations

from archsim.results.reading import EFFECTS, LayerReading, ReadResult, SliceReading
from reports.tables.table import Cell, Column, Table

#: Columns of the CSV of ``archsim read``: a row per layer and slice.
SLICE_COLUMNS = (
    Column("layer", "layer"),
    Column("rows", "rows", "count"),
    Column("outputs", "outputs", "count"),
    Column("matrices", "matrices", "count"),
    Column("groups", "groups", "count"),
    Column("group_rows", "rows at once"),
    Column("slice", "slice", "count"),
    Column("low", "from", "number", "levels"),
    Column("high", "to", "number", "levels"),
    Column("step", "step", "number", "levels"),
    Column("codes_used", "codes", "count", "used"),
    Column("codes", "codes", "count", "of"),
    Column("clip_rate", "clipped", "error", "%"),
    Column("effective_bits", "effective", "fixed", "bits"),
    Column("wire_loss", "wires", "percent", "% lost"),
    Column("sums", "sums", "engineering"),
)


def heading(result: ReadResult) -> str:
    """One line: network, chip, cells, and how much is behind the numbers."""
    resolved = result.resolved
    many = "" if result.chips == 1 else "s"
    return (
        f"{result.network} on {result.data}, chip {resolved.chip.name} ({resolved.device.name}, "
        f"sigma {result.sigma:g}), encoding {result.encoding}, {result.chips} chip{many}, "
        f"{result.images} test images, config {resolved.config_hash}"
    )


def converter(result: ReadResult) -> str:
    """One line: how the chip reads."""
    chip = result.resolved.chip
    crossbar, rows = chip.crossbar, chip.read.rows_at_once or chip.crossbar.rows
    percentile = f" {chip.adc.percentile:g} %" if chip.adc.range == "calibrated" else ""
    return (
        f"read exactly: crossbars {crossbar.rows} x {crossbar.cols}, {rows} rows at once, inputs "
        f"of {chip.precision.input_bits} bits by {chip.read.dac_bits}, converters of "
        f"{chip.adc.bits} bits, range {chip.adc.range}{percentile}, clip rate "
        f"{100 * result.clip_rate:.2g} %"
    )


def accuracies(result: ReadResult) -> Table:
    """Accuracy read exactly, beside the read path off and each effect off."""
    columns = (
        Column("read", "accuracy on the same images"),
        Column("accuracy", "accuracy", "fixed", "%"),
        Column("gain", "against exact", unit="points"),
        Column("error", "+-", unit="95 %"),
    )
    rows: list[tuple[Cell, ...]] = [
        ("read exactly", 100 * result.exact, None, None),
        ("read path off (no converter, rows, inputs, wires)", 100 * result.off,
         _signed(result.off - result.exact), None),
        ("no errors, read path off", 100 * result.ideal, _signed(result.lost),
         _points(2 * result.lost_error)),
        ("no errors, input codes alone", 100 * result.codes_alone,
         _signed(result.codes_alone - result.exact), None),
    ]  # fmt: skip
    rows += [
        (
            f"exact, {EFFECTS[one.key][0]}",
            100 * one.accuracy,
            _signed(one.gain),
            _points(2 * one.gain_error),
        )
        for one in result.effects
    ]
    return Table("Accuracy", columns, tuple(rows))


def _signed(fraction: float) -> str:
    return f"{100 * fraction:+.2f}"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def slices(result: ReadResult) -> Table:
    """Column sums and converters of every layer and slice."""
    rows = tuple(_slice(layer, one) for layer in result.layers for one in layer.slices)
    return Table("Column sums and converters, without errors of cells", SLICE_COLUMNS, rows)


def _slice(layer: LayerReading, one: SliceReading) -> tuple[Cell, ...]:
    small, large = layer.group_rows
    return (
        layer.layer,
        layer.rows,
        layer.outputs,
        layer.matrices,
        layer.groups,
        str(large) if small == large else f"{small} to {large}",
        one.index,
        one.low,
        one.high,
        one.step,
        one.codes_used,
        one.codes,
        one.clip_rate,
        one.effective_bits,
        None if layer.wires is None else layer.wires.mean,
        one.sums,
    )


#: What the words of the tables mean.
READ_NOTES = (
    "Ranges and steps are in levels: the conductance of one level of a cell times the digit of an "
    "input. Slice 0 is the least significant.",
    "Clipped: sums outside of the range. Effective bits: half the base-2 logarithm of the variance "
    "of the sums over the mean squared error of their conversion; '-' where nothing is lost.",
    "Each effect is switched off alone, with ranges calibrated anew where it moves them; gains do "
    "not add up. +- is of the same images, two standard errors.",
)


def notes(result: ReadResult) -> tuple[str, ...]:
    """How the tables are to be read.

    Args:
        result: of ``archsim.read``.
    """
    lines = list(READ_NOTES)
    if any(layer.wires is not None for layer in result.layers):
        lines.append("Wires: current that they take, all rows of a group on.")
    return tuple(lines)
