"""Programming: pulses, reads, time and energy to write every weight of a plan.

The pulses of a cell come from :mod:`archsim.device`, the same object that decides its residual
spread. Cells outside the write-verify policy get one pulse and are not read back. Layers that are
trained again once the chip is written (``chip.programming.rewritten_layers``) get one pulse with
all others, and are written as the policy says in a second round after it. Where weights are
reloaded (``when_full=reload``) every load has both rounds.

A verify read goes through the subarray's own mux: one ADC reads its ``mux_ratio`` columns one after
the other, and each cell that is read costs the cell's read pulse and a conversion.

The engine knows no weights. Where the spread of a weight depends on its place in the range, it
takes ``chip.programming.middle_share`` of the weights to be in the middle, and where it depends on
the level, or cells are stuck at one, all levels to be equally likely, in a differential pair with
one cell of the two at level 0; ``archsim program`` counts those of a network.
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
from archsim.cost.off_chip import chips
from archsim.cost.verify_read import VerifyRead
from archsim.device.cell import real
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
from archsim.plan import MappingPlan
from archsim.results.cost import ProgrammingCost

#: Rounding of a share of tiles.
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class _Verified:
    """Write-verify per cell (``*batch``) and pulses of a row (``*batch kind``)."""

    pulses: Tensor
    reads: Tensor
    residual_sigma: Tensor
    row_pulses: Tensor


def programming_cost(
    *, design: DesignBatch, plan: MappingPlan, read: VerifyRead
) -> ProgrammingCost:
    """Price the writing of all cells, copies included.

    The cells of a row are written in parallel, a row with verified cells until the slowest of
    these is done; rows follow one another, and ``design.write_drivers`` subarrays are written at a
    time: see :func:`_shortest_s`.

    Args:
        design: ``*batch``.
        plan: cells to write and cells to verify, ``*batch layer``.
        read: time and energy of a verify read, ``*batch``.
    """
    layers = plan.layers
    cols = design.cols.unsqueeze(-1)
    share = plan.verified_cells / plan.write_cells.clamp_min(1.0)
    # Chosen weights are scattered over all rows, or fill some of the rows.
    whole = design.whole_rows.unsqueeze(-1) & (share > 0)
    strips = torch.ceil(layers.columns / cols)
    last = layers.columns - (strips - 1) * cols
    row = _Row(
        torch.cat(torch.broadcast_tensors(cols, last), dim=-1),
        _twice(torch.where(whole, 1.0, share)),
        design.columns_per_weight.unsqueeze(-1),
    )
    verified = _verified(design, row)
    cells = layers.over_layers(plan.write_cells)
    checked = layers.over_layers(plan.verified_cells)
    once = cells - checked
    twice = layers.over_layers(plan.write_cells * plan.written_twice)
    pulses = once + checked * verified.pulses + twice
    reads = checked * verified.reads
    pulse, row_read = design.pulse_width_s.unsqueeze(-1), read.row_s.unsqueeze(-1)
    # A row in which nothing happens to be chosen takes the one pulse of its other cells.
    checked_row = (verified.row_pulses + row.untouched) * pulse + verified.row_pulses * row_read
    checked_rows = _twice(torch.where(whole, share, 1.0))
    per_row = checked_rows * checked_row + (1 - checked_rows) * pulse
    full_s, last_s = per_row.chunk(2, dim=-1)
    return ProgrammingCost(
        write_pulses=pulses,
        verify_reads=reads,
        time_s=_rounds_s(design, plan, _Strips(full=strips - 1, full_s=full_s, last_s=last_s)),
        energy_J=pulses * design.write_energy_J + reads * read.cell_J,
        cells=cells,
        verified_cells=checked,
        residual_sigma=verified.residual_sigma + torch.zeros_like(cells),
    )


def _twice(per_layer: Tensor) -> Tensor:
    """Values of the full strips of columns of every layer, then of the last ones."""
    return torch.cat([per_layer, per_layer], dim=-1)


@dataclass(frozen=True, eq=False)
class _Strips:
    """Strips of columns, a crossbar wide, that a matrix is cut into, ``*batch layer``.

    ``full`` strips take ``full_s`` seconds for each row; the last one, not always full, ``last_s``.
    """

    full: Tensor
    full_s: Tensor
    last_s: Tensor


def _rounds_s(design: DesignBatch, plan: MappingPlan, strips: _Strips) -> Tensor:
    """Return the time to write everything, and then what is written again, ``*batch``."""
    again = plan.written_twice > 0
    if not bool(again.any()):
        return _time_s(design, plan, strips)
    pulse = design.pulse_width_s.unsqueeze(-1)
    first = _Strips(
        full=strips.full,
        full_s=torch.where(again, pulse, strips.full_s),
        last_s=torch.where(again, pulse, strips.last_s),
    )
    second = _Strips(
        full=strips.full,
        full_s=torch.where(again, strips.full_s, 0.0),
        last_s=torch.where(again, strips.last_s, 0.0),
    )
    # Only the chips that hold these layers write again.
    tiles = plan.layers.over_layers(plan.tiles * again) / plan.layers.over_layers(plan.tiles)
    busy = torch.ceil(tiles * chips(design=design, plan=plan) - _TINY).clamp_min(1.0)
    return _time_s(design, plan, first) + _time_s(design, plan, second, busy)


def _time_s(
    design: DesignBatch, plan: MappingPlan, strips: _Strips, on_chips: Tensor | None = None
) -> Tensor:
    """Return the time to write all subarrays, on so many chips (None: on all), ``*batch``."""
    layers = plan.layers
    per_row = strips.full * strips.full_s + strips.last_s
    busy = layers.over_layers(layers.rows * plan.copies * layers.owned * per_row)
    # Every chip of several has its own drivers; parts that are reloaded follow one another.
    count = chips(design=design, plan=plan) if on_chips is None else on_chips
    drivers = design.write_drivers * count
    if bool((drivers == 1).all()):
        return busy
    return torch.maximum(busy / drivers, _shortest_s(design, plan, strips, drivers, count))


def _shortest_s(
    design: DesignBatch, plan: MappingPlan, strips: _Strips, drivers: Tensor, count: Tensor
) -> Tensor:
    """Return the time that whole subarrays need at least, however their writing is ordered.

    Of the n subarrays that take t or longer one driver writes ``ceil(n / drivers)``, hence
    ``max_t ceil(n(t) / drivers) t``: of one subarray the longest, of equal ones their rounds. Each
    part that is loaded by itself and holds such a subarray has a round of its own.

    The longest first, each by the first free driver, as ``archsim program`` writes them, take at
    most 3/2 of this or of an even share of all, whichever is longer: if the subarray that ends last
    takes up to a third of that, by the even share (Graham, SIAM Journal on Applied Mathematics 17,
    1969); if more, each driver has two at most, and the second takes up to a half of it. Measured
    (ResNet-20, 64 drivers for 90 subarrays): 27 % more; with ten subarrays for each driver, 4 %.

    Args:
        design: ``*batch``.
        plan: counts.
        strips: time of a row, by strip of columns.
        drivers: subarrays written at a time, on all chips, ``*batch``.
        count: chips, ``*batch``.
    """
    layers = plan.layers
    depth = torch.where(plan.is_kernel, layers.channels, layers.rows)
    positions = torch.where(plan.is_kernel, layers.kernel_area, 1.0)
    high = design.rows.unsqueeze(-1)
    full = torch.floor(depth / high)
    rest = depth - full * high
    each = positions * plan.copies * layers.owned * layers.repeats
    kinds = [
        (each * down * across, rows * row_s)
        for down, rows in ((full, high), ((rest > 0).to(depth.dtype), rest))
        for across, row_s in ((strips.full, strips.full_s), (1.0, strips.last_s))
    ]
    pairs = [torch.broadcast_tensors(*kind) for kind in kinds]
    counts, times = (torch.cat(column, dim=-1) for column in zip(*pairs, strict=True))
    times, order = times.sort(dim=-1, descending=True)
    longer = counts.gather(-1, order).cumsum(-1)
    rounds = torch.maximum(
        torch.ceil(longer / drivers.unsqueeze(-1)),
        torch.minimum(longer, (plan.floorplan.parts / count).unsqueeze(-1)),
    )
    return (rounds * times).amax(-1)


@dataclass(frozen=True, eq=False)
class _Row:
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


def _verified(design: DesignBatch, row: _Row) -> _Verified:
    """Write-verify under each design's model; models that no design uses are not evaluated."""
    result: _Verified | None = None
    kinds = design.write_model * len(SIGMA_PROFILES) + design.sigma_profile
    for code in kinds.unique().tolist():
        model, profile = divmod(int(code), len(SIGMA_PROFILES))
        here = _averages(_law(design, WRITE_MODELS[model], SIGMA_PROFILES[profile]), row)
        if result is None:
            result = here
            continue
        mine = kinds == code
        result = _Verified(
            pulses=torch.where(mine, here.pulses, result.pulses),
            reads=torch.where(mine, here.reads, result.reads),
            residual_sigma=torch.where(mine, here.residual_sigma, result.residual_sigma),
            row_pulses=torch.where(mine.unsqueeze(-1), here.row_pulses, result.row_pulses),
        )
    return result or _averages(one_shot_distribution(sigma=design.sigma * design.range_factor), row)


def _law(design: DesignBatch, model: str, profile: str) -> PulseDistribution | WeightMixture:
    """Pulse law of a model, of cells that are all alike or of two kinds."""
    sigma = design.sigma * design.range_factor
    if profile == "uniform":
        return _cell_distribution(design, model, sigma)
    outer, middle = (
        _cell_distribution(design, model, spread)
        for spread in profile_sigmas(sigma=sigma, factor=design.sigma_factor)
    )
    if profile == "level":
        # The other cell of a differential pair is at level 0.
        among = torch.where(design.is_differential, 0.5, 1.0)
        return mix_cells(outer, middle, among * middle_level_share(design.cell_bits))
    return WeightMixture(outer, middle, design.middle_share)


def _cell_distribution(design: DesignBatch, model: str, sigma: Tensor) -> PulseDistribution:
    """Pulse law of cells of one spread; remembered while its numbers are the same for all."""
    factor = design.range_factor
    # Where no cell is stuck the law knows nothing of levels.
    stuck = bool(((design.stuck_on_rate > 0) | (design.stuck_off_rate > 0)).any())
    none = torch.zeros_like(design.sigma).detach()
    levels = (design.cell_bits, design.is_differential) if stuck else (none, none)
    numbers = (
        sigma,
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
    tolerance: Tensor | float,
    max_pulses: Tensor | float,
    step_gain: Tensor | float,
    step_sigma: Tensor | float,
    device_share: Tensor | float,
    read_noise: Tensor | float,
    stuck_on_rate: Tensor | float,
    stuck_off_rate: Tensor | float,
    cell_bits: Tensor | float,
    is_differential: Tensor | float,
) -> PulseDistribution:
    law = pulse_distribution(
        model=model,
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        step_gain=step_gain,
        step_sigma=step_sigma,
        device_share=device_share,
        read_noise=read_noise,
    )
    on, off = real(stuck_on_rate), real(stuck_off_rate)
    if not on.requires_grad and not off.requires_grad and not bool(((on > 0) | (off > 0)).any()):
        return law
    errors, rates = stuck_errors(
        cell_bits=cell_bits, pair=is_differential, stuck_on_rate=on, stuck_off_rate=off
    )
    return with_stuck(
        law,
        errors=errors,
        rates=rates,
        tolerance=tolerance,
        max_pulses=max_pulses,
        read_noise=read_noise,
    )


#: Numbers behind laws that are remembered: a handful of devices, say.
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


def _averages(law: PulseDistribution | WeightMixture, row: _Row) -> _Verified:
    stats = law.stats()
    return _Verified(
        pulses=stats.write_pulses,
        reads=stats.verify_reads,
        residual_sigma=stats.residual_sigma,
        row_pulses=_slowest_in_row(law.per_layer(), row),
    )


def _slowest_in_row(law: PulseDistribution | WeightMixture, row: _Row) -> Tensor:
    """Pulses of the slowest verified cell of a row; rows of a kind are worked out once."""
    chosen, fraction = row.cells * row.fraction, row.fraction
    if not fraction.requires_grad and not bool((fraction > 0).any()):
        return torch.zeros_like(chosen)
    partly = fraction.requires_grad or bool(((fraction > 0) & (fraction < 1)).any())
    if isinstance(law, PulseDistribution) and not partly:
        return _by_length(law, chosen)
    return _by_kind(
        law,
        [row.weights, fraction, row.cells_per_weight],
        lambda own, kinds: own.slowest_of_chosen(
            weights=kinds[0], fraction=kinds[1], cells_per_weight=kinds[2]
        ),
    )


@dataclass(frozen=True, eq=False)
class _Distributions:
    """The laws of a batch in one row, and which of them each design has."""

    flat: PulseDistribution
    which: Tensor

    @classmethod
    def of(cls, law: PulseDistribution) -> _Distributions:
        """Take the laws apart: ``(law, 1, pulse)`` from ``*batch 1 pulse``, and ``*batch 1``."""
        shape = law.survival.shape[:-2]
        flat = PulseDistribution(
            survival=law.survival.flatten(0, -2).unsqueeze(-2),
            residual_sigma=law.residual_sigma.expand(*shape, 1).reshape(-1, 1),
            unconverged_fraction=law.unconverged_fraction.expand(*shape, 1).reshape(-1, 1),
            verified=law.verified,
        )
        count = len(flat.survival)
        which = torch.arange(count, device=law.survival.device).reshape(*shape, 1)
        return cls(flat, which)

    def pays(self, kinds: int, place: Tensor) -> bool:
        """Whether every law for every kind is less work than every design by itself."""
        designs = math.prod(torch.broadcast_shapes(self.which.shape, place.shape))
        return len(self.flat.survival) * kinds < designs or self.which.numel() == 1


def _by_length(law: PulseDistribution, cells: Tensor) -> Tensor:
    """Pulses of rows of whole numbers of cells; few laws are tabulated by length."""
    laws = _Distributions.of(law)
    lengths = torch.arange(int(cells.max().item()) + 1, device=cells.device)
    if len(lengths) < cells.numel() and laws.pays(len(lengths), cells):
        return row_pulses(law=laws.flat, cells_per_row=lengths)[laws.which, cells.long()]
    own, place = cells.detach().unique(return_inverse=True)
    if not laws.pays(len(own), place):
        return row_pulses(law=law, cells_per_row=cells)
    return row_pulses(law=laws.flat, cells_per_row=own)[laws.which, place]


def _by_kind(
    law: PulseDistribution | WeightMixture,
    rows: Sequence[Tensor],
    pulses: Callable[[PulseDistribution | WeightMixture, Sequence[Tensor]], Tensor],
) -> Tensor:
    """Evaluate what describes rows, once for each kind where there are few laws."""
    rows = torch.broadcast_tensors(*rows)
    if isinstance(law, WeightMixture) and law.survival.dim() > 2:
        return pulses(law, rows)
    if any(values.requires_grad for values in rows):
        return pulses(law, rows)
    code = torch.zeros_like(rows[0], dtype=torch.int64)
    tables: list[Tensor] = []
    for values in rows:
        found, place = values.unique(return_inverse=True)
        code = code * len(found) + place
        tables.append(found)
    kinds, place = code.unique(return_inverse=True)
    columns: list[Tensor] = []
    for table in reversed(tables):
        columns.insert(0, table[kinds % len(table)])
        kinds = torch.div(kinds, len(table), rounding_mode="floor")
    if isinstance(law, WeightMixture):
        return pulses(law, columns)[place]
    laws = _Distributions.of(law)
    if not laws.pays(len(kinds), place):
        return pulses(law, rows)
    return pulses(laws.flat, columns)[laws.which, place]
