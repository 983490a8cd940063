"""Programming: pulses, reads, time and energy to write every weight of a plan once.

The pulses of a cell come from :mod:`archsim.device`, the same object that decides its residual
spread. Cells outside the write-verify policy get one pulse and are not read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from archsim.arch.design import WRITE_MODELS, DesignBatch
from archsim.cost.off_chip import chips
from archsim.device.programming import row_pulses
from archsim.device.write_verify import PulseLaw, one_shot_law, pulse_law
from archsim.plan import MappingPlan
from archsim.results import ProgrammingCost


@dataclass(frozen=True, eq=False)
class _Verified:
    """Write-verify per cell (``*batch``) and pulses of a row (``*batch layer``)."""

    pulses: Tensor
    reads: Tensor
    residual_sigma: Tensor
    row_pulses: Tensor


def programming_cost(*, design: DesignBatch, plan: MappingPlan) -> ProgrammingCost:
    """Price the writing of all cells, copies included.

    The cells of a row are written in parallel, a row with verified cells until the slowest of
    these is done; rows follow one another, and ``parallel_subarrays`` subarrays are written at a
    time.

    Args:
        design: ``*batch``.
        plan: cells to write and cells to verify, ``*batch layer``.
    """
    layers = plan.layers
    cols = design.cols.unsqueeze(-1)
    row_cells = torch.minimum(layers.columns, cols)
    share = plan.verified_cells / plan.write_cells.clamp_min(1.0)
    # Chosen weights are scattered over all rows, or fill some of the rows.
    whole = design.whole_rows.unsqueeze(-1) & (share > 0)
    row = _Row(row_cells, torch.where(whole, 1.0, share), design.columns_per_weight.unsqueeze(-1))
    verified = _verified(design, row)
    cells = layers.over_layers(plan.write_cells)
    checked = layers.over_layers(plan.verified_cells)
    once = cells - checked
    pulses = once + checked * verified.pulses
    reads = checked * verified.reads
    rows = layers.rows * torch.ceil(layers.columns / cols) * plan.copies * layers.owned
    pulse, read = design.pulse_width_s.unsqueeze(-1), design.verify_read_time_s.unsqueeze(-1)
    # A row in which nothing happens to be chosen takes the one pulse of its other cells.
    checked_row = (verified.row_pulses + row.untouched) * pulse + verified.row_pulses * read
    checked_rows = torch.where(whole, share, 1.0)
    per_row = checked_rows * checked_row + (1 - checked_rows) * pulse
    # Every chip of several has its own drivers; parts that are reloaded follow one another.
    used = layers.over_layers(plan.subarrays_used) / plan.floorplan.parts
    at_once = torch.minimum(design.parallel_subarrays, used.clamp_min(1.0))
    at_once = at_once * chips(design=design, plan=plan)
    return ProgrammingCost(
        write_pulses=pulses,
        verify_reads=reads,
        time_s=layers.over_layers(rows * per_row) / at_once,
        energy_J=pulses * design.write_energy_J + reads * design.verify_read_energy_J,
        cells=cells,
        verified_cells=checked,
        residual_sigma=verified.residual_sigma + torch.zeros_like(cells),
    )


@dataclass(frozen=True, eq=False)
class _Row:
    """Rows of cells of which some weights are verified, ``*batch layer``."""

    cells: Tensor
    fraction: Tensor
    cells_per_weight: Tensor

    @property
    def weights(self) -> Tensor:
        """Weights in the row; a column group that the last array cuts is a part of one."""
        return self.cells / self.cells_per_weight

    @property
    def untouched(self) -> Tensor:
        """Probability that no weight of the row is chosen."""
        some = torch.where(self.fraction < 1, self.fraction, 0.0)
        return torch.where(self.fraction < 1, (1 - some) ** self.weights, 0.0)


def _verified(design: DesignBatch, row: _Row) -> _Verified:
    """Write-verify under each design's model; models that no design uses are not evaluated."""
    result: _Verified | None = None
    for code in design.write_model.unique().tolist():
        here = _averages(_law(design, WRITE_MODELS[int(code)]), row)
        if result is None:
            result = here
            continue
        mine = design.write_model == code
        result = _Verified(
            pulses=torch.where(mine, here.pulses, result.pulses),
            reads=torch.where(mine, here.reads, result.reads),
            residual_sigma=torch.where(mine, here.residual_sigma, result.residual_sigma),
            row_pulses=torch.where(mine.unsqueeze(-1), here.row_pulses, result.row_pulses),
        )
    return result or _averages(one_shot_law(sigma=design.sigma), row)


def _law(design: DesignBatch, model: str) -> PulseLaw:
    """Pulse law of a model; remembered while its numbers are the same for all designs."""
    numbers = (
        design.sigma,
        design.write_tolerance,
        design.max_pulses,
        design.step_gain,
        design.step_sigma,
    )
    if any(number.dim() or number.requires_grad for number in numbers):
        return _fresh_law(model, *numbers)
    values = (float(number) for number in numbers)
    return _remembered_law(model, design.sigma.device, *values)


def _fresh_law(
    model: str,
    sigma: Tensor | float,
    tolerance: Tensor | float,
    max_pulses: Tensor | float,
    step_gain: Tensor | float,
    step_sigma: Tensor | float,
) -> PulseLaw:
    return pulse_law(
        model=model,
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        step_gain=step_gain,
        step_sigma=step_sigma,
    )


@lru_cache(maxsize=64)
def _remembered_law(model: str, device: torch.device, *numbers: float) -> PulseLaw:
    with device:
        return _fresh_law(model, *numbers)


def _averages(law: PulseLaw, row: _Row) -> _Verified:
    stats = law.stats()
    per_layer = PulseLaw(
        survival=law.survival.unsqueeze(-2),
        residual_sigma=law.residual_sigma.unsqueeze(-1),
        unconverged_fraction=law.unconverged_fraction.unsqueeze(-1),
        verified=law.verified,
    )
    return _Verified(
        pulses=stats.write_pulses,
        reads=stats.verify_reads,
        residual_sigma=stats.residual_sigma,
        row_pulses=_slowest_in_row(per_layer, row),
    )


def _slowest_in_row(law: PulseLaw, row: _Row) -> Tensor:
    """Pulses of the slowest verified cell of a row; rows of a kind are worked out once."""
    partly = (row.fraction > 0) & (row.fraction < 1)
    if bool(partly.any()) or row.fraction.requires_grad:
        return _slowest_of_scattered(law, row)
    cells = row.cells * row.fraction
    if law.survival.dim() > 2:
        return row_pulses(law=law, cells_per_row=cells)
    lengths, place = cells.detach().unique(return_inverse=True)
    return row_pulses(law=law, cells_per_row=lengths)[place]


def _slowest_of_scattered(law: PulseLaw, row: _Row) -> Tensor:
    """The same where only some weights of a row are verified."""
    kinds = torch.broadcast_tensors(row.weights, row.fraction, row.cells_per_weight)
    if law.survival.dim() > 2 or any(kind.requires_grad for kind in kinds):
        weights, fraction, cells = kinds
        return law.slowest_of_chosen(weights=weights, fraction=fraction, cells_per_weight=cells)
    shape = kinds[0].shape
    table = torch.stack([kind.reshape(-1) for kind in kinds])
    few, place = table.unique(dim=1, return_inverse=True)
    found = law.slowest_of_chosen(weights=few[0], fraction=few[1], cells_per_weight=few[2])
    return found[place].reshape(shape)
