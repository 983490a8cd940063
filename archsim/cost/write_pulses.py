"""Pulses and reads that write-verify takes: of a cell, and of a row of cells.

The distribution of a cell's pulses comes from :mod:`archsim.device`; a row of cells that are
written in parallel waits for the slowest of its verified cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from archsim.arch.design import SIGMA_PROFILES, WRITE_MODELS, DesignBatch
from archsim.device.cell import real
from archsim.device.level_table import LevelTable
from archsim.device.programming import row_pulses
from archsim.device.stuck import stuck_errors, with_stuck
from archsim.device.variation import middle_level_share, profile_sigmas
from archsim.device.write_verify import (
    PulseDistribution,
    WeightMixture,
    mix_cells,
    one_shot_distribution,
    pulse_distribution,
)
from archsim.shapes import broadcast_shapes


@dataclass(frozen=True, eq=False)
class VerifiedWrites:
    """Write-verify per cell (``*batch``) and pulses of a row (``*batch kind``)."""

    pulses: Tensor
    reads: Tensor
    residual_sigma: Tensor
    row_pulses: Tensor


@dataclass(frozen=True, eq=False)
class Row:
    """Rows of cells of which some weights are verified, ``*batch kind``."""

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


def verified_writes(design: DesignBatch, row: Row) -> VerifiedWrites:
    """Write-verify under each design's model; models that no design uses are not evaluated."""
    result: VerifiedWrites | None = None
    kinds = design.write_model * len(SIGMA_PROFILES) + design.sigma_profile
    for code in kinds.unique().tolist():
        model, profile = divmod(int(code), len(SIGMA_PROFILES))
        here = _averages(_distribution(design, WRITE_MODELS[model], SIGMA_PROFILES[profile]), row)
        if result is None:
            result = here
            continue
        mine = kinds == code
        result = VerifiedWrites(
            pulses=torch.where(mine, here.pulses, result.pulses),
            reads=torch.where(mine, here.reads, result.reads),
            residual_sigma=torch.where(mine, here.residual_sigma, result.residual_sigma),
            row_pulses=torch.where(mine.unsqueeze(-1), here.row_pulses, result.row_pulses),
        )
    return result or _averages(one_shot_distribution(sigma=design.sigma * design.range_factor), row)


def _distribution(
    design: DesignBatch, model: str, profile: str
) -> PulseDistribution | WeightMixture:
    """Pulse distribution of a model, of cells that are all alike or of two kinds."""
    sigma = design.sigma * design.range_factor
    if design.cell_levels is not None:
        return _of_levels(design, design.cell_levels, model)
    if profile == "uniform":
        return _cell_distribution(design, model, sigma)
    outer, middle = (
        _cell_distribution(design, model, spread)
        for spread in profile_sigmas(sigma=sigma, factor=design.sigma_factor)
    )
    if profile == "level":
        # The idle cell of a pair is at level 0.
        return mix_cells(outer, middle, middle_level_share(design.cell_bits) / design.sides)
    return WeightMixture(outer, middle, design.middle_share)


def _of_levels(design: DesignBatch, table: LevelTable, model: str) -> PulseDistribution:
    """Pulse distribution of cells of measured levels, all equally likely; idle ones hold level 0.

    Args:
        design: ``*batch``; its cells may have different numbers of bits.
        table: of all levels.
        model: of write-verify.
    """
    result: PulseDistribution | None = None
    for bits in design.cell_bits.unique().tolist():
        cells = table.of_cells(int(bits))
        share = design.sides.reciprocal() / len(cells)
        first, *others = (
            _cell_distribution(design, model, torch.full_like(design.sigma, spread), mean=bias)
            for bias, spread in zip(cells.biases, cells.sigmas, strict=True)
        )
        # Level 0 takes the idle cells; each other one is mixed in with its share of those so far.
        mixed, so_far = first, 1 - len(others) * share
        for own in others:
            so_far = so_far + share
            mixed = mix_cells(mixed, own, share / so_far)
        result = mixed if result is None else _chosen(design.cell_bits == bits, mixed, result)
    if result is None:  # pragma: no cover - a design has cells
        raise AssertionError("no cells")
    return result


def _chosen(here: Tensor, one: PulseDistribution, other: PulseDistribution) -> PulseDistribution:
    """Choose per design between two distributions."""
    return PulseDistribution(
        survival=torch.where(here.unsqueeze(-1), one.survival, other.survival),
        residual_sigma=torch.where(here, one.residual_sigma, other.residual_sigma),
        unconverged_fraction=torch.where(
            here, one.unconverged_fraction, other.unconverged_fraction
        ),
        verified=one.verified,
    )


def _cell_distribution(
    design: DesignBatch, model: str, sigma: Tensor, mean: float = 0.0
) -> PulseDistribution:
    """Pulse distribution of cells of one spread; remembered while all have the same numbers."""
    factor = design.range_factor
    # Where no cell is stuck the distribution knows nothing of levels.
    stuck = bool(((design.stuck_on_rate > 0) | (design.stuck_off_rate > 0)).any())
    none = torch.zeros_like(design.sigma).detach()
    levels = (design.cell_bits, design.sides > 1) if stuck else (none, none)
    numbers = (
        sigma,
        torch.full_like(design.sigma, mean).detach(),
        design.write_tolerance * factor,
        design.max_pulses,
        design.step_gain,
        design.step_sigma * factor,
        # Incremental pulses correct an error that belongs to the cell like any other.
        design.device_share if model == "redraw" else torch.zeros_like(design.sigma),
        design.verify_noise * factor,
        design.stuck_on_rate,
        design.stuck_off_rate,
        *levels,
    )
    many = sum(number.numel() for number in numbers) > _MOST_REMEMBERED
    if many or any(number.requires_grad for number in numbers):
        return _fresh_distribution(model, *numbers)
    values = ((tuple(number.shape), *number.flatten().tolist()) for number in numbers)
    return _remembered_distribution(model, design.sigma.device, *values)


def _fresh_distribution(
    model: str,
    sigma: Tensor | float,
    mean: Tensor | float,
    tolerance: Tensor | float,
    max_pulses: Tensor | float,
    step_gain: Tensor | float,
    step_sigma: Tensor | float,
    device_share: Tensor | float,
    read_noise: Tensor | float,
    stuck_on_rate: Tensor | float,
    stuck_off_rate: Tensor | float,
    cell_bits: Tensor | float,
    in_pairs: Tensor | float,
) -> PulseDistribution:
    distribution = pulse_distribution(
        model=model,
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        step_gain=step_gain,
        step_sigma=step_sigma,
        device_share=device_share,
        read_noise=read_noise,
        mean=mean,
    )
    on, off = real(stuck_on_rate), real(stuck_off_rate)
    if not on.requires_grad and not off.requires_grad and not bool(((on > 0) | (off > 0)).any()):
        return distribution
    errors, rates = stuck_errors(
        cell_bits=cell_bits, pair=in_pairs, stuck_on_rate=on, stuck_off_rate=off
    )
    return with_stuck(
        distribution,
        errors=errors,
        rates=rates,
        tolerance=tolerance,
        max_pulses=max_pulses,
        read_noise=read_noise,
    )


#: Numbers behind distributions that are remembered: a handful of devices, say.
_MOST_REMEMBERED = 256


@lru_cache(maxsize=64)
def _remembered_distribution(
    model: str, device: torch.device, *numbers: tuple[Any, ...]
) -> PulseDistribution:
    with device:
        return _fresh_distribution(
            model,
            *(
                torch.tensor(values, dtype=torch.float64).reshape(shape).to(_kind(values))
                for shape, *values in numbers
            ),
        )


def _kind(values: Sequence[object]) -> torch.dtype:
    return torch.bool if isinstance(values[0], bool) else torch.float64


def _averages(distribution: PulseDistribution | WeightMixture, row: Row) -> VerifiedWrites:
    stats = distribution.stats()
    return VerifiedWrites(
        pulses=stats.write_pulses,
        reads=stats.verify_reads,
        residual_sigma=stats.residual_sigma,
        row_pulses=_slowest_in_row(distribution.per_layer(), row),
    )


def _slowest_in_row(distribution: PulseDistribution | WeightMixture, row: Row) -> Tensor:
    """Pulses of the slowest verified cell of a row; rows of a kind are computed once."""
    chosen, fraction = row.cells * row.fraction, row.fraction
    if not fraction.requires_grad and not bool((fraction > 0).any()):
        return torch.zeros_like(chosen)
    partly = fraction.requires_grad or bool(((fraction > 0) & (fraction < 1)).any())
    if isinstance(distribution, PulseDistribution) and not partly:
        return _by_length(distribution, chosen)
    return _by_kind(
        distribution,
        [row.weights, fraction, row.cells_per_weight],
        lambda of_cells, kinds: of_cells.slowest_of_chosen(
            weights=kinds[0], fraction=kinds[1], cells_per_weight=kinds[2]
        ),
    )


@dataclass(frozen=True, eq=False)
class _Distributions:
    """The distributions of a batch in one row, and which of them each design has."""

    flat: PulseDistribution
    which: Tensor

    @classmethod
    def of(cls, distribution: PulseDistribution) -> _Distributions:
        """Take a batch apart: ``(design, 1, pulse)`` from ``*batch 1 pulse``, and ``*batch 1``."""
        shape = distribution.survival.shape[:-2]
        flat = PulseDistribution(
            survival=distribution.survival.flatten(0, -2).unsqueeze(-2),
            residual_sigma=distribution.residual_sigma.expand(*shape, 1).reshape(-1, 1),
            unconverged_fraction=distribution.unconverged_fraction.expand(*shape, 1).reshape(-1, 1),
            verified=distribution.verified,
        )
        count = len(flat.survival)
        which = torch.arange(count, device=distribution.survival.device).reshape(*shape, 1)
        return cls(flat, which)

    def pays(self, kinds: int, place: Tensor) -> bool:
        """Whether every distribution for every kind is less work than every design by itself."""
        designs = math.prod(broadcast_shapes(self.which.shape, place.shape))
        return len(self.flat.survival) * kinds < designs or self.which.numel() == 1


def _by_length(distribution: PulseDistribution, cells: Tensor) -> Tensor:
    """Pulses of rows of whole numbers of cells; few distributions are tabulated by length."""
    distributions = _Distributions.of(distribution)
    lengths = torch.arange(int(cells.max().item()) + 1, device=cells.device)
    if len(lengths) < cells.numel() and distributions.pays(len(lengths), cells):
        return row_pulses(distribution=distributions.flat, cells_per_row=lengths)[
            distributions.which, cells.long()
        ]
    lengths_present, place = cells.detach().unique(return_inverse=True)
    if not distributions.pays(len(lengths_present), place):
        return row_pulses(distribution=distribution, cells_per_row=cells)
    return row_pulses(distribution=distributions.flat, cells_per_row=lengths_present)[
        distributions.which, place
    ]


def _by_kind(
    distribution: PulseDistribution | WeightMixture,
    rows: Sequence[Tensor],
    pulses: Callable[[PulseDistribution | WeightMixture, Sequence[Tensor]], Tensor],
) -> Tensor:
    """Evaluate what describes rows, once for each kind where there are few distributions."""
    rows = torch.broadcast_tensors(*rows)
    if isinstance(distribution, WeightMixture) and distribution.survival.dim() > 2:
        return pulses(distribution, rows)
    if any(values.requires_grad for values in rows):
        return pulses(distribution, rows)
    code = torch.zeros_like(rows[0], dtype=torch.int64)
    tables: list[Tensor] = []
    for values in rows:
        distinct, place = values.unique(return_inverse=True)
        code = code * len(distinct) + place
        tables.append(distinct)
    kinds, place = code.unique(return_inverse=True)
    columns: list[Tensor] = []
    for table in reversed(tables):
        columns.insert(0, table[kinds % len(table)])
        kinds = torch.div(kinds, len(table), rounding_mode="floor")
    if isinstance(distribution, WeightMixture):
        return pulses(distribution, columns)[place]
    distributions = _Distributions.of(distribution)
    if not distributions.pays(len(kinds), place):
        return pulses(distribution, rows)
    return pulses(distributions.flat, columns)[distributions.which, place]
