"""What a reader of a programming result must know beside the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from archsim.config.resolve import Resolved
from archsim.config.schema.device import DeviceFile
from archsim.device import CellSpec, WriteTally
from tsb.cells.cell_model import CellModel
from tsb.cells.read_out import drifts
from tsb.write_verify.policy.base import Choice

#: Share by which whole groups may go beyond the fraction before it is said.
_BEYOND = 0.05
#: Share of unconverged cells above which a warning is due.
_MANY = 0.01


def program_notes(
    *,
    resolved: Resolved,
    spec: CellSpec,
    tally: WriteTally,
    weights: Mapping[str, Tensor],
    trained: bool,
    block: bool,
    scattered: bool,
    measured: bool,
    read_after_s: float | None,
    network_chips: int,
    untraced: str,
    clip_at_zero: bool,
    no_loss: str,
) -> Iterator[str]:
    """Say what the numbers rest on, and what went wrong, one sentence each.

    Args:
        resolved: the chip's configuration.
        spec: how the chip holds weights.
        tally: of the programmed network.
        weights: what was to be programmed, by name.
        trained: whether the weights come from a checkpoint.
        block: whether a shared block is among them.
        scattered: whether single weights were chosen by score.
        measured: whether the accuracy was.
        read_after_s: time from programming to the reads of the accuracy, s; None if not given.
        network_chips: chips that the network is spread over.
        untraced: why the mapping of the network is not known; "" if it is.
        clip_at_zero: whether cells stop at zero conductance.
        no_loss: why the expected loss is missing although there are data; "" if it is not.
    """
    yield (
        "Every layer is programmed once; archsim map also counts weight duplication (none with "
        "--set chip.hierarchy.duplication=none)."
    )
    yield from _placed(network_chips, untraced)
    yield from _format(spec, clip_at_zero)
    if not trained:
        yield "The weights are the untrained initial ones: give --checkpoint for a trained network."
    zero = [name for name, weight in weights.items() if not bool(weight.any())]
    if zero:
        yield f"All weights are zero in {', '.join(zero)}: they read back as zero, without noise."
    if block:
        yield (
            "The shared block is the identity with which its training starts: no accuracy and no "
            "expected loss."
        )
    if no_loss:
        yield f"No expected rise of the loss: {no_loss}."
    yield from _failed(resolved.device, tally)
    if measured:
        yield from _read(resolved.device, read_after_s)
    elif trained and not block:
        yield "No accuracy was measured: give --data-root (or --data), and --chips above 0."
    if scattered:
        yield (
            "Single weights are verified; circuits verify rows, which wait for their slowest cell: "
            "see --granularity row."
        )
    if resolved.device.sigma_of_range == 0:
        yield "sigma = 0: the first pulse is exact."


def choice_notes(choice: Choice, cell: CellModel, tally: WriteTally) -> Iterator[str]:
    """Say where a choice does something else than one would think.

    Args:
        choice: who is verified.
        cell: the device.
        tally: of the programmed network.
    """
    share = tally.verified_weights / tally.weights
    if choice.policy.by_score:
        if not tally.verified_weights:
            yield (
                f"A fraction of {choice.fraction:g} of {tally.weights:,} weights is none of them: "
                "nothing is verified."
            )
        if choice.granularity != "weight" and share > (1 + _BEYOND) * choice.fraction:
            yield (
                f"Whole {choice.granularity}s are verified: {100 * share:.3g} % of the weights "
                f"where {100 * choice.fraction:.3g} % were asked for."
            )
    if tally.verified_weights and cell.sigma > 0 and not cell.verification_helps:
        all_in_cells = cell.write_model == "redraw" and cell.device_share == 1
        why = (
            "all of its spread belongs to the cells and comes back with every pulse "
            "(device_to_device_share = 1)"
            if all_in_cells
            else f"its tolerance ({cell.tolerance:g} of the range, pulse limit {cell.max_pulses}) "
            f"accepts what the first pulse leaves (sigma {cell.sigma:g} of the range)"
        )
        yield f"Write-verify changes next to nothing on this device: {why}."


def _placed(network_chips: int, untraced: str) -> Iterator[str]:
    """Say where the weights are, if not on one chip as mapped."""
    if network_chips > 1:
        yield (
            f"The network is spread over {network_chips} chips (chip.off_chip.when_full); each has "
            "write drivers of its own."
        )
    if untraced:
        yield f"All layers are unrolled onto subarrays, whatever the chip's mapping: {untraced}."


def _format(spec: CellSpec, clip_at_zero: bool) -> Iterator[str]:
    """Say what the cells of a weight stand for."""
    if clip_at_zero:
        yield (
            "Cells stop at zero conductance (--clip-at-zero); the expected rise of the loss is for "
            "cells that do not."
        )
    if spec.encoding_differs:
        yield (
            f"Programmed as {spec.encoding} (--encoding); the chip stores {spec.stored_encoding}, "
            f"whose weights have {spec.stored_noise_ratio:.2f} times the noise."
        )
    weight_format = spec.weight_format
    if weight_format.padded_bits:
        yield (
            f"bits_per_cell = {weight_format.bits_per_cell} does not divide weight_bits = "
            f"{weight_format.weight_bits}: the top cell has {weight_format.padded_bits} bit(s) "
            "that are never used."
        )


def _failed(device: DeviceFile, tally: WriteTally) -> Iterator[str]:
    """Say which cells are not where they should be, and why."""
    if tally.stuck_cells:
        share = tally.stuck_cells / tally.cells
        yield (
            f"{tally.stuck_cells:,} cells ({100 * share:.3g} %) are stuck: no pulse moves them. Of "
            f"the verified ones {tally.unconverged_stuck_cells:,} are outside the tolerance, and "
            "take pulses in vain."
        )
    wandering = tally.unconverged_cells - tally.unconverged_stuck_cells
    if tally.verified_cells and wandering > _MANY * tally.verified_cells:
        loop = device.write_verify
        limit = "" if loop is None else f" of {loop.max_pulses.si:g}"
        cell_share = device.device_to_device_share
        if (
            loop is not None
            and loop.model == "redraw"
            and cell_share is not None
            and cell_share.si > 0
        ):
            why = (
                f"{100 * cell_share.si:.3g} % of the variance belongs to the cell and comes back "
                "with every pulse (device.device_to_device_share)."
            )
        else:
            why = "the tolerance (device.write_verify.tolerance) is tighter than it reaches."
        yield (
            f"{100 * wandering / tally.verified_cells:.3g} % of the verified cells work but never "
            f"converged within the pulse limit{limit}: {why}"
        )


def _read(device: DeviceFile, read_after_s: float | None) -> Iterator[str]:
    """Say when and how the cells behind the accuracy are read."""
    noise = device.read_noise_sigma
    if noise is not None and noise.si > 0:
        share = 100 * device.of_range(noise)
        where = "per cell"
        if device.read_noise_law is not None:
            where = "at full conductance, less below, by device.read_noise_law"
        yield (
            f"Read noise ({share:.3g} % of the range {where}) is drawn once per chip, and stays "
            "for all of its images, however late they come; a real chip draws it for each product."
        )
    if not drifts(device):
        if read_after_s:
            yield f"Device {device.name} does not drift (device.drift_nu = 0)."
    elif read_after_s and device.drift_start and read_after_s <= device.drift_start.si:
        yield (
            f"{read_after_s:g} s is not after device.drift_start = {device.drift_start.si:g} s: "
            "no cell has drifted yet."
        )
    elif read_after_s:
        yield (
            f"Cells have drifted for {read_after_s:g} s, without compensation: no output is "
            "rescaled. The expected rise of the loss is that right after programming."
        )
    else:
        yield (
            "The device drifts, and the accuracy is that right after programming: see --read-after."
        )
    kept = device.retention_time
    if kept is not None and (read_after_s or 0) > kept.si:
        yield (
            f"{read_after_s:g} s is beyond the device's retention time of {kept.si:g} s, after "
            "which levels are lost: not modelled."
        )
