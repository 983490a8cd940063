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
    # Chosen weights lie in all rows, or fill some of the rows.
    per_row_share = torch.where(design.whole_rows.unsqueeze(-1) & (share > 0), 1.0, share)
    verified = _verified(design, row_cells * per_row_share)
    cells = layers.over_layers(plan.write_cells)
    checked = layers.over_layers(plan.verified_cells)
    once = cells - checked
    pulses = once + checked * verified.pulses
    reads = checked * verified.reads
    rows = layers.rows * torch.ceil(layers.columns / cols) * plan.copies * layers.owned
    pulse, read = design.pulse_width_s.unsqueeze(-1), design.verify_read_time_s.unsqueeze(-1)
    # A row takes at least the one pulse of its cells that are not verified.
    checked_row = verified.row_pulses.clamp_min(1.0) * pulse + verified.row_pulses * read
    checked_rows = share / per_row_share.clamp_min(1e-30)
    per_row = checked_rows * checked_row + (1 - checked_rows) * pulse
    at_once = torch.minimum(
        design.parallel_subarrays, layers.over_layers(plan.subarrays_used).clamp_min(1.0)
    )
    return ProgrammingCost(
        write_pulses=pulses,
        verify_reads=reads,
        time_s=layers.over_layers(rows * per_row) / at_once,
        energy_J=pulses * design.write_energy_J + reads * design.verify_read_energy_J,
        cells=cells,
        verified_cells=checked,
        residual_sigma=verified.residual_sigma + torch.zeros_like(cells),
    )


def _verified(design: DesignBatch, row_cells: Tensor) -> _Verified:
    """Write-verify under each design's model; models that no design uses are not evaluated."""
    result: _Verified | None = None
    for code in design.write_model.unique().tolist():
        here = _averages(_law(design, WRITE_MODELS[int(code)]), row_cells)
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
    return result or _averages(one_shot_law(sigma=design.sigma), row_cells)


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


def _averages(law: PulseLaw, row_cells: Tensor) -> _Verified:
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
        row_pulses=_slowest_in_row(per_layer, row_cells),
    )


def _slowest_in_row(law: PulseLaw, row_cells: Tensor) -> Tensor:
    """Pulses of the slowest cell of a row; rows are of few lengths, so each is worked out once."""
    if law.survival.dim() > 2:
        return row_pulses(law=law, cells_per_row=row_cells)
    lengths, place = row_cells.detach().unique(return_inverse=True)
    return row_pulses(law=law, cells_per_row=lengths)[place]
