"""Program a network onto one chip under a write-verify policy, and see what it takes.

score -> mask -> quantise, slice, pulse, verify, read back -> pulses, time, energy, accuracy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from archsim.config.resolve import Resolved
from archsim.device import CellSpec, WriteArray, program_weights
from archsim.errors import Code, ConfigError, NetworkError
from archsim.results.programmed import ProgramResult
from tsb.cells.cell_model import CellModel
from tsb.cells.programmable import known_network
from tsb.cells.read_out import ReadOut
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import WeightCells, noise_std, weight_cells
from tsb.program.accuracy import Evidence, measure_accuracy
from tsb.program.notes import choice_notes, program_notes
from tsb.program.read_accuracy import ExactRead
from tsb.write_verify.effort import write_effort
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.context import LossDerivatives, WriteContext
from tsb.write_verify.policy.registry import names_of, policies_by_score, write_masks
from tsb.write_verify.scores import expected_loss_change
from tsb.write_verify.selective import Tiling

#: Name under which the shared block's layers are programmed.
BLOCK = "tsb.{index}.weight"


@dataclass(frozen=True, kw_only=True)
class WritePlan:
    """What programming needs of the mapping of a network.

    Attributes:
        blocks: shared blocks to program too: 1 for a common one, one per layer and channel group
            for separate ones (untrained: the identity).
        chips: how many the network is spread over; each has its own write drivers.
        kernel_layers: names of the weights whose kernel pixels have PEs of their own; all others
            are unrolled (im2col).
        drivers: subarrays that a chip writes at a time; None: ``chip.programming``'s.
        row_read_s: duration of the verify read of a row, s; None: that of the device.
        cell_read_J: energy of the verify read of a cell, J; None: that of the device.
        cells_at_once: cells of a row that power lets be written at a time; None: all of them.
        untraced: why the mapping is not known, so that all layers are unrolled; "" if it is.
    """

    blocks: int = 0
    chips: int = 1
    kernel_layers: frozenset[str] = frozenset()
    drivers: int | None = None
    row_read_s: float | None = None
    cell_read_J: float | None = None
    cells_at_once: int | None = None
    untraced: str = ""


def program_network(
    model: nn.Module,
    *,
    network: str,
    resolved: Resolved,
    choice: Choice,
    spec: CellSpec,
    plan: WritePlan | None = None,
    evidence: Evidence | None = None,
    read_after_s: float | None = None,
    clip_at_zero: bool = False,
    design: str = "none",
    checkpoint_hash: str | None = None,
    seed: int = 0,
    exact: ExactRead | None = None,
) -> ProgramResult:
    """Program every weight of a model once.

    Args:
        model: the network, in evaluation mode.
        network: its name.
        resolved: chip, device and shared block.
        choice: which cells are write-verified.
        spec: how the chip holds weights.
        plan: what writing needs of the mapping; None unrolls all layers onto one chip, without
            shared blocks.
        evidence: data, for scores that need it, for the expected loss and for the accuracy.
        read_after_s: time from programming to the reads of the accuracy, s; None reads right after
            programming, before cells drift.
        clip_at_zero: cells whose conductance would fall below zero stay at zero, in the programmed
            chip and in those of the accuracy.
        design: placement of the shared block; said in the result.
        checkpoint_hash: of the tensors of the trained network; None for an untrained one.
        seed: of all randomness.
        exact: how chips are read for the accuracy; None leaves the read path off.

    Raises:
        ConfigError: a policy that lacks what it needs, a fraction outside 0 to 1, or a time of
            reading without an accuracy to measure.
        NetworkError: a matrix that cannot be programmed, by name.
        DataError: weights that are not finite.
    """
    plan = plan or WritePlan()
    model = known_network(model, network)
    crossbar, weight_format = resolved.chip.crossbar, spec.weight_format
    weights = {name: weight.detach() for name, weight in mapped_weights(model).items()}
    if not weights:
        raise ConfigError(
            f"network '{network}' has no weights to program",
            code=Code.EMPTY,
            field="network",
            value=network,
        )
    _check_layers(choice, network, len(weights))
    block = _block(resolved, plan.blocks)
    everything = {**weights, **block}
    measured = evidence is not None and evidence.chips > 0 and not block
    if read_after_s is not None and not measured:
        raise ConfigError(
            f"read after {read_after_s:g} s: no accuracy is measured; give --checkpoint and "
            "--data-root, no shared block, and --chips above 0",
            code=Code.CONFLICT,
            field="read_after_s",
            value=read_after_s,
        )
    _check_verifiable(choice, resolved)
    cell = CellModel.of(spec, verifiable=False)
    cells = weight_cells(everything, cell)
    context = WriteContext(
        weights=weights,
        block=block,
        std_of=lambda named: {name: cells[name].spread for name in named},
        loss=_loss(model, evidence),
        generator=torch.Generator().manual_seed(seed),
        tiling=Tiling.of(
            weight_format,
            rows=crossbar.rows,
            cols=crossbar.cols,
            kernel_layers=plan.kernel_layers,
        ),
    )
    _check_data(choice, context)
    second, no_loss = _second_derivative(context)
    masks = write_masks(choice, context)
    generator = torch.Generator().manual_seed(seed)
    drivers = plan.drivers or resolved.chip.programming.parallel_subarrays
    done = program_weights(
        everything,
        device=resolved.device,
        generator=generator,
        weight_format=weight_format,
        verify=masks,
        array=WriteArray(
            rows=crossbar.rows,
            cols=crossbar.cols,
            parallel_subarrays=drivers * plan.chips,
            kernel_layers=plan.kernel_layers,
            row_read_s=plan.row_read_s,
            cell_read_J=plan.cell_read_J,
            cells_at_once=plan.cells_at_once,
        ),
        clip_at_zero=clip_at_zero,
    )
    effort = write_effort(masks, cells, cell)
    read_out = ReadOut(
        device=resolved.device,
        weight_format=weight_format,
        verify=masks,
        time_s=read_after_s or 0.0,
        clip_at_zero=clip_at_zero,
    )
    accuracy = None
    if evidence is not None and measured:
        accuracy = measure_accuracy(model, weights, read_out, evidence, generator, exact)
    tally, trained = done.tally, checkpoint_hash is not None
    return ProgramResult(
        network=network,
        design=design,
        policy=choice.policy.name,
        fraction=choice.fraction if "fraction" in choice.policy.takes else None,
        last_layers=choice.last_layers if "last_layers" in choice.policy.takes else None,
        granularity=choice.granularity,
        encoding=spec.encoding,
        clip_at_zero=clip_at_zero,
        padded_bits=weight_format.padded_bits,
        checkpoint_hash=checkpoint_hash,
        data=None if evidence is None else evidence.dataset.name,
        score_images=None if evidence is None else len(evidence.score_split),
        test_images=None if evidence is None else len(evidence.test_split),
        chips=None if accuracy is None else accuracy.chips,
        network_chips=plan.chips,
        weights=tally.weights,
        verified_weights=tally.verified_weights,
        cells=tally.cells,
        verified_cells=tally.verified_cells,
        write_pulses=tally.write_pulses,
        verify_reads=tally.verify_reads,
        subarrays=done.subarrays,
        time_s=done.time_s or 0.0,
        energy_J=done.energy_J,
        unconverged_cells=tally.unconverged_cells,
        unconverged_stuck_cells=tally.unconverged_stuck_cells,
        stuck_cells=tally.stuck_cells,
        residual_sigma=tally.residual_sigma,
        verified_residual_sigma=tally.verified_residual_sigma,
        expected_write_pulses=effort.write_pulses,
        verify_cycles=effort.verify_cycles,
        normalised_pulses=effort.normalised_pulses,
        expected_loss_change=None if block else _expected_loss(second, cells, masks),
        read_after_s=read_after_s,
        accuracy=accuracy,
        notes=(
            *program_notes(
                resolved=resolved,
                spec=spec,
                tally=tally,
                weights=everything,
                trained=trained,
                block=bool(block),
                scattered=choice.policy.by_score and choice.granularity == "weight",
                read_after_s=read_after_s if measured else None,
                measured=measured,
                network_chips=plan.chips,
                untraced=plan.untraced,
                clip_at_zero=clip_at_zero,
                no_loss=no_loss,
            ),
            *choice_notes(choice, cell, tally),
            *(() if evidence is None else evidence.shortages()),
        ),
        resolved=resolved,
        seed=seed,
    )


def _expected_loss(
    second: Mapping[str, Tensor] | None,
    cells: Mapping[str, WeightCells],
    masks: Mapping[str, Tensor],
) -> float | None:
    """Return the expected rise of the loss by programming, stuck cells and read noise."""
    if second is None:
        return None
    noise = noise_std({name: cells[name] for name in second}, masks, read=True)
    return sum(expected_loss_change(second, noise).values())


def _block(resolved: Resolved, count: int) -> dict[str, Tensor]:
    """The layers of shared blocks as they start: the identity."""
    tsb = resolved.tsb
    return {BLOCK.format(index=i): torch.eye(tsb.channels) for i in range(count * tsb.depth)}


def _loss(model: nn.Module, evidence: Evidence | None) -> LossDerivatives | None:
    if evidence is None:
        return None
    return LossDerivatives(model=model, images_of=lambda: evidence.score_split)


def _check_layers(choice: Choice, network: str, layers: int) -> None:
    """Check the number of last layers against a network's.

    Raises:
        ConfigError: more than it has.
    """
    if "last_layers" in choice.policy.takes and choice.last_layers > layers:
        raise ConfigError(
            f"--last-layers {choice.last_layers}: network '{network}' has {layers} layers with "
            f"weights; allowed: 1 to {layers}",
            code=Code.OUT_OF_RANGE,
            field="--last-layers",
            value=choice.last_layers,
            allowed=f"1 to {layers}",
        )


def _check_verifiable(choice: Choice, resolved: Resolved) -> None:
    """Check that the device can do what the policy asks for.

    Raises:
        ConfigError: a device without write-verify, and a policy that verifies.
    """
    if resolved.device.write_verify is None and choice.policy.verifies:
        raise ConfigError(
            f"device '{resolved.device.name}' has no write_verify; allowed: policy none, or "
            "another device",
            code=Code.CONFLICT,
            field="device",
            value=resolved.device.name,
            allowed="policy none",
        )


def _check_data(choice: Choice, context: WriteContext) -> None:
    """Check that there are data for a policy that needs some.

    Raises:
        ConfigError: there are none.
    """
    if choice.policy.needs_data and context.loss is None:
        without = tuple(policy for policy in policies_by_score() if not policy.needs_data)
        raise ConfigError(
            f"policy '{choice.policy.name}' scores weights on training images: give --data-root "
            f"(and --data), or choose {', '.join(names_of(without))}",
            code=Code.MISSING_KEY,
            field="--data-root",
            value=choice.policy.name,
            allowed=names_of(without),
        )


def _second_derivative(context: WriteContext) -> tuple[dict[str, Tensor] | None, str]:
    """Return the second derivatives of the loss, or None and why they are not known.

    A policy that needs them says so itself, when it scores.
    """
    if context.loss is None:
        return None, ""
    try:
        return context.second_derivative, ""
    except NetworkError as error:
        return None, str(error)
