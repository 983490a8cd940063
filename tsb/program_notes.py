"""What a reader of a programming result must know beside the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from archsim.config.resolve import Resolved
from archsim.device import ProgrammedWeights, WeightFormat

#: Share of unconverged cells above which a warning is due.
_MANY = 0.01


def program_notes(
    *,
    resolved: Resolved,
    weight_format: WeightFormat,
    done: ProgrammedWeights,
    weights: Mapping[str, Tensor],
    trained: bool,
    block: bool,
    scattered: bool,
) -> Iterator[str]:
    """Say what the numbers rest on, and what went wrong, one sentence each.

    Args:
        resolved: the chip's configuration.
        weight_format: bits and encoding.
        done: the programmed network.
        weights: what was to be programmed, by name.
        trained: whether the weights come from a checkpoint.
        block: whether a shared block is among them.
        scattered: whether single weights were chosen by score.
    """
    yield "Every layer is programmed once; archsim map also counts the copies of a layer."
    if weight_format.encoding == "magnitude":
        yield (
            "Encoding magnitude, the convention of the literature: the sign is held apart, without "
            "error; the chip's offset code would double the noise."
        )
    if not trained:
        yield "The weights are the untrained initial ones: give --checkpoint for a trained network."
    if weight_format.padded_bits:
        yield (
            f"bits_per_cell = {weight_format.bits_per_cell} does not divide weight_bits = "
            f"{weight_format.weight_bits}: the top cell has {weight_format.padded_bits} bit(s) "
            "that are never used."
        )
    zero = [name for name, weight in weights.items() if not bool(weight.any())]
    if zero:
        yield f"All weights are zero in {', '.join(zero)}: they read back as zero, without noise."
    if block:
        yield "The shared block is the identity with which its training starts; no accuracy."
    tally = done.tally
    if tally.verified_cells and tally.unconverged_cells > _MANY * tally.verified_cells:
        share = tally.unconverged_cells / tally.verified_cells
        yield (
            f"{100 * share:.3g} % of the verified cells never converged within the pulse limit: "
            "the tolerance (device.write_verify.tolerance) is tighter than this device reaches."
        )
    yield from _left_out(resolved, done)
    if scattered:
        yield (
            "Single weights are verified; circuits verify rows, which wait for their slowest cell: "
            "see --granularity row."
        )
    if resolved.device.sigma.si == 0:
        yield "sigma = 0: the first pulse is exact."


def _left_out(resolved: Resolved, done: ProgrammedWeights) -> Iterator[str]:
    """Effects of the device that the numbers do not have."""
    device = resolved.device
    beyond = {"read noise": device.read_noise_sigma, "drift": device.drift_nu}
    left = [name for name, value in beyond.items() if value is not None and value.si > 0]
    if left:
        yield f"The device's {' and '.join(left)} come(s) after programming: not in this accuracy."
    if done.tally.stuck_cells:
        yield (
            f"{done.tally.stuck_cells:,} cells are stuck and move with no pulse; expected pulses "
            "leave them out."
        )
