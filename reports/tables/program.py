"""Tables of what programming a network took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.results.programmed import MeasuredAccuracy, ProgramResult
from archsim.results.read_said import ReadSaid
from archsim.units import engineering
from reports.tables.table import Cell, Column, Table, four_digits

if TYPE_CHECKING:
    import pandas

_COLUMNS = (Column("key", "key"), Column("label", ""), Column("value", ""), Column("unit", ""))


def heading(result: ProgramResult) -> str:
    """One line: network, policy with its settings, block, device and the configuration's hash."""
    resolved = result.resolved
    how = ""
    if result.fraction is not None:
        how = f" {100 * result.fraction:g} % by {result.granularity}"
    if result.last_layers is not None:
        how = f" {result.last_layers}"
    stored = resolved.chip.precision.encoding
    encoding = result.encoding + ("" if stored == result.encoding else f" (the chip: {stored})")
    encoding += ", clipped at zero" if result.clip_at_zero else ""
    design = "" if result.design == "none" else f", design {result.design}"
    return (
        f"{result.network}{design}, policy {result.policy}{how}, chip {resolved.chip.name} "
        f"({resolved.device.name}), encoding {encoding}, config {resolved.config_hash}"
    )


def effort(result: ProgramResult) -> Table:
    """Pulses, reads, time and energy."""
    data = result.to_dict()
    rows: list[tuple[Cell, ...]] = [
        _count("weights", "weights", result.weights),
        _share("verified_weights", "write-verified", result.verified_weights, result.weights),
        _count("cells", "cells", result.cells),
        _count("write_pulses", "write pulses", result.write_pulses),
        _count("verify_reads", "verify reads", result.verify_reads),
        ("time_ms", "programming time", four_digits(data["time_ms"]), "ms"),
        ("energy_uJ", "programming energy", four_digits(data["energy_uJ"]), "uJ"),
    ]
    number, _, prefix = engineering(result.expected_write_pulses).partition(" ")
    rows.append(("expected_write_pulses", "expected pulses", number, prefix))
    rows += [
        ("verify_cycles", "verified cycles*", four_digits(100 * result.verify_cycles), "%"),
        ("normalised_pulses", "all pulses*", four_digits(100 * result.normalised_pulses), "%"),
    ]
    if result.network_chips > 1:
        rows.append(_count("network_chips", "chips", result.network_chips))
    return Table("Programming", _COLUMNS, tuple(rows))


def quality(result: ProgramResult) -> Table:
    """Errors of the cells and what they do to the network."""
    rows: list[tuple[Cell, ...]] = [
        ("residual_sigma", "rms error of all cells", four_digits(100 * result.residual_sigma), "%"),
    ]
    if result.verified_residual_sigma is not None:
        text = four_digits(100 * result.verified_residual_sigma)
        rows.append(("verified_residual_sigma", "rms error of verified cells", text, "%"))
        rows.append(_count("unconverged_cells", "cells not converged", result.unconverged_cells))
    if result.unconverged_stuck_cells:
        stuck = result.unconverged_stuck_cells
        rows.append(_count("unconverged_stuck_cells", "of these stuck", stuck))
    if result.stuck_cells:
        rows.append(_count("stuck_cells", "stuck cells in all", result.stuck_cells))
    if result.expected_loss_change is not None:
        text = four_digits(result.expected_loss_change)
        rows.append(("expected_loss_change", "expected rise of the loss", text, ""))
    if result.accuracy is not None:
        rows += _accuracy(result.accuracy)
        rows += _read_path(result.accuracy.read)
    if result.read_after_s is not None:
        rows.append(("read_after_s", "read after", four_digits(result.read_after_s), "s"))
    return Table("Result", _COLUMNS, tuple(rows))


def _accuracy(accuracy: MeasuredAccuracy) -> list[tuple[Cell, ...]]:
    mean, label = f"{100 * accuracy.mean:.2f}", "accuracy, 1 chip"
    if accuracy.ci95_low is not None and accuracy.ci95_high is not None:
        low, high = 100 * accuracy.ci95_low, 100 * accuracy.ci95_high
        # An interval that ends at 0 or 100 % is not even on both sides.
        cut = low == 0 or high == 100
        mean += f" ({low:.2f} to {high:.2f})" if cut else f" +- {(high - low) / 2:.2f}"
        label = f"accuracy, {accuracy.chips} chips, 95 %"
    return [
        ("ideal", "accuracy without error", f"{100 * accuracy.ideal:.2f}", "%"),
        ("mean", label, mean, "%"),
        ("loss", "accuracy lost", f"{100 * accuracy.loss:.2f}", "points"),
        ("worst", "worst chip", f"{100 * accuracy.worst:.2f}", "%"),
        ("images", f"test images ({accuracy.data})", f"{accuracy.images:,}", ""),
    ]


def _read_path(read: ReadSaid) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = [("read_path", "read path", read.mode, "")]
    if read.range is not None:
        rows.append(("adc_range", "range of converters", read.range, ""))
    if read.adc_bits is not None:
        rows.append(("adc_bits", "converters", str(read.adc_bits), "bits"))
    if read.clip_rate is not None:
        rows.append(("clip_rate", "clip rate", four_digits(100 * read.clip_rate), "%"))
    return rows


def read_notes(result: ProgramResult) -> tuple[str, ...]:
    """Say what the accuracy leaves out, or what converters do badly.

    Args:
        result: of ``archsim program``.
    """
    if result.accuracy is None:
        return ()
    read = result.accuracy.read
    return (read.line, *(f"Warning: {text}." for text in read.warnings))


def _count(key: str, label: str, value: int) -> tuple[Cell, ...]:
    number, _, prefix = engineering(float(value)).partition(" ")
    return (key, label, number, prefix)


def _share(key: str, label: str, value: int, whole: int) -> tuple[Cell, ...]:
    return (key, label, four_digits(100 * value / whole), "%")


#: What the words of the boxes mean.
PROGRAM_NOTES = (
    "rms errors are relative to the range of a cell's conductance, g_on - g_off; +- is the half of "
    "the 95 % interval of the mean over chips.",
    "* Expected, of verifying every cell: of the pulses of verified cells alone (the write cycles "
    "of SWIM), and of all pulses, the one of each other cell included.",
)

#: Kinds of effort, and how a table calls them.
_EFFORTS = {
    "fraction": "weights",
    "verify_cycles": "verified\ncycles",
    "normalised_pulses": "all\npulses",
}


def speed_up(frame: pandas.DataFrame) -> Table:
    """What each policy has to verify to come close to verifying everything.

    Efforts are shown beside those of verifying everything; the pulses both of the verified cells
    alone and of all cells.

    Args:
        frame: from :func:`tsb.write_verify.speed_up.speed_up`.
    """
    pulses = list(_EFFORTS)[1:]
    columns = (
        Column("device", "device"),
        Column("drop", "within,\npoints"),
        Column("policy", "policy"),
        *(Column(f"{key}_needed", f"{label},\n%") for key, label in _EFFORTS.items()),
        *(Column(f"{key}_over_all", f"{_EFFORTS[key]},\nall/needed") for key in pulses),
        *(Column(f"{key}_speed_up", f"{_EFFORTS[key]},\nrandom/needed") for key in pulses),
    )
    rows = []
    for key, group in frame.groupby(["device", "drop", "policy"], sort=False):
        device, drop, policy = map(str, key)
        by_kind = {str(row["effort"]): row for _, row in group.iterrows()}
        cells: list[Cell] = [device, f"{100 * float(drop):g}", policy]
        cells += [f"{100 * by_kind[kind]['needed']:.1f}" for kind in _EFFORTS]
        cells += [f"{by_kind[kind]['over_all']:.3g}" for kind in pulses]
        for kind in pulses:
            row = by_kind[kind]
            cells.append(
                f"{row['speed_up']:.2g} ({row['speed_up_low']:.2g} to {row['speed_up_high']:.2g})"
            )
        rows.append(tuple(cells))
    return Table("Needed to come close to verifying everything", columns, tuple(rows))


#: What the words of :func:`speed_up` mean.
SPEED_UP_NOTES = (
    "Verified cycles: pulses of the verified cells, in % of those of verifying everything: the "
    "write cycles of SWIM.",
    "All pulses: the same with the one pulse that every cell which is not verified takes too.",
    "all/needed: verifying everything over what is needed; random/needed: the same beside a random "
    "choice, with the 95 % interval of a bootstrap over chips.",
)
