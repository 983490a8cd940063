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

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.off_chip import chips
from archsim.cost.verify_read import VerifyRead
from archsim.cost.write_pulses import Row, verified_writes
from archsim.plan import MappingPlan
from archsim.results.cost import ProgrammingCost

#: Rounding of a share of tiles.
_TINY = 1e-9


def programming_cost(
    *, design: DesignBatch, plan: MappingPlan, read: VerifyRead
) -> ProgrammingCost:
    """Price the writing of all cells, those of copies (weight duplication) included.

    The cells of a row are written in parallel, a row with verified cells until the slowest of
    these is done, and in groups, one after the other, where ``design.cells_at_once`` says so, each
    until its own slowest is done; rows follow one another, and ``design.write_drivers`` subarrays
    are written at a time: see :func:`_shortest_s`.

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
    # A row of copies on the diagonal has the cells of one of them.
    columns = layers.columns / layers.diagonal
    strips = torch.ceil(columns / cols)
    last = columns - (strips - 1) * cols
    groups = _Groups.of(design, cols, last)
    row = Row(
        groups.cells,
        groups.of_each(torch.where(whole, 1.0, share)),
        design.columns_per_weight.unsqueeze(-1),
    )
    verified = verified_writes(design, row)
    cells = layers.over_layers(plan.write_cells)
    checked = layers.over_layers(plan.verified_cells)
    once = cells - checked
    twice = layers.over_layers(plan.write_cells * plan.written_twice)
    pulses = once + checked * verified.pulses + twice
    reads = checked * verified.reads
    of_cell = design.cell_pulse
    pulse, row_read = of_cell.time_s.unsqueeze(-1), read.row_s.unsqueeze(-1)
    # A row in which nothing happens to be chosen takes the one pulse of its other cells.
    checked_row = (verified.row_pulses + row.untouched) * pulse + verified.row_pulses * row_read
    checked_rows = groups.of_each(torch.where(whole, share, 1.0))
    per_row = checked_rows * checked_row + (1 - checked_rows) * pulse
    full_s, last_s = groups.in_strips(per_row)
    strips_s = _Strips(full=strips - 1, full_s=full_s, last_s=last_s)
    return ProgrammingCost(
        write_pulses=pulses,
        verify_reads=reads,
        time_s=_rounds_s(design, plan, strips_s, groups),
        energy_J=pulses * of_cell.energy_J + reads * read.cell_J,
        cells=cells,
        verified_cells=checked,
        residual_sigma=verified.residual_sigma + torch.zeros_like(cells),
    )


@dataclass(frozen=True, eq=False)
class _Groups:
    """Groups of cells that a row of a strip is written in, ``*batch layer``.

    Attributes:
        cells: of each kind of group, ``*batch (kind layer)``: rows of full strips and of last ones
            where rows are written whole, else full groups and the rests of both.
        kinds: of groups.
        full: full groups in a full strip.
        last: full groups in a last strip.
        rest: whether a full strip has a rest.
        last_rest: whether a last strip has one.
    """

    cells: Tensor
    kinds: int
    full: Tensor
    last: Tensor
    rest: Tensor
    last_rest: Tensor

    @classmethod
    def of(cls, design: DesignBatch, cols: Tensor, last: Tensor) -> _Groups:
        """Cut rows of ``cols`` and of ``last`` cells."""
        most = design.cells_at_once.unsqueeze(-1)
        in_groups = bool((most < cols).any())
        kinds = [
            most,
            cols - most * torch.floor(cols / most),
            last - most * torch.floor(last / most),
        ]
        cells = kinds if in_groups else [cols, last]
        return cls(
            cells=torch.cat(torch.broadcast_tensors(*cells), dim=-1),
            kinds=len(cells),
            full=torch.floor(cols / most),
            last=torch.floor(last / most),
            rest=kinds[1] > 0,
            last_rest=kinds[2] > 0,
        )

    def of_each(self, per_layer: Tensor) -> Tensor:
        """Repeat values of layers for every kind of group."""
        return torch.cat([per_layer] * self.kinds, dim=-1)

    def in_strips(self, times_s: Tensor) -> tuple[Tensor, Tensor]:
        """Return the time of a row in a full and in a last strip.

        Args:
            times_s: of a row of every kind of group.
        """
        whole_s, *rests = times_s.chunk(self.kinds, dim=-1)
        if len(rests) == 1:
            return whole_s, rests[0]
        rest_s, last_rest_s = rests
        return (
            self.full * whole_s + torch.where(self.rest, rest_s, 0.0),
            self.last * whole_s + torch.where(self.last_rest, last_rest_s, 0.0),
        )

    def pulses(self) -> tuple[Tensor, Tensor]:
        """Groups of a row in a full and in a last strip."""
        return self.full + self.rest, self.last + self.last_rest


@dataclass(frozen=True, eq=False)
class _Strips:
    """Strips of columns, a crossbar wide, that a matrix is cut into, ``*batch layer``.

    ``full`` strips take ``full_s`` seconds for each row; the last one, not always full, ``last_s``.
    """

    full: Tensor
    full_s: Tensor
    last_s: Tensor


def _rounds_s(design: DesignBatch, plan: MappingPlan, strips: _Strips, groups: _Groups) -> Tensor:
    """Return the time to write everything, and then what is written again, ``*batch``."""
    again = plan.written_twice > 0
    if not bool(again.any()):
        return _time_s(design, plan, strips)
    pulse = design.cell_pulse.time_s.unsqueeze(-1)
    of_full, of_last = groups.pulses()
    first = _Strips(
        full=strips.full,
        full_s=torch.where(again, pulse * of_full, strips.full_s),
        last_s=torch.where(again, pulse * of_last, strips.last_s),
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
