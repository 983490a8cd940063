"""How a matrix breaks into PE-sized pieces: four classes, and how often each occurs.

A matrix cut into PEs has full pieces, a last row, a last column and a corner. Every sum over PEs
is then four terms, whatever the size of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class Pieces:
    """PE pieces of one matrix, ``*batch layer``.

    ``rows``/``cols`` are the cells of a full piece and ``last_rows``/``last_cols`` those of the
    last; ``counts`` maps (last row?, last column?) to the number of such PEs.
    ``whole_tile`` marks layers whose copies fill all PEs of a tile, so that one PE holds the
    layer's share of a tile; ``single`` marks matrices without any copy.
    """

    rows: Tensor
    cols: Tensor
    last_rows: Tensor
    last_cols: Tensor
    counts: dict[tuple[bool, bool], Tensor]
    whole_tile: Tensor
    single: Tensor

    def total(self, cost: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Sum ``cost(rows, cols)`` over all PEs."""
        result = None
        for (last_row, last_col), count in self.counts.items():
            rows = self.last_rows if last_row else self.rows
            cols = self.last_cols if last_col else self.cols
            term = count * cost(rows, cols)
            result = term if result is None else result + term
        if result is None:  # pragma: no cover - counts always has four classes
            raise AssertionError("no pieces")
        return result


def cut_into_pieces(*, design: DesignBatch, plan: MappingPlan) -> Pieces:
    """Cut every layer's matrix into the pieces that its PEs hold.

    Args:
        design: ``*batch``.
        plan: counts, ``*batch layer``.
    """
    floor, layers = plan.floorplan, plan.layers
    across = floor.pes_per_side.unsqueeze(-1)
    tile, pe = floor.tile_side.unsqueeze(-1), floor.pe_side.unsqueeze(-1)
    copied = plan.copies > 1
    fills_tile = (plan.copies_rows >= across) & (plan.copies_cols >= across)
    whole = ~plan.is_kernel & copied & fills_tile
    single = ~plan.is_kernel & ~copied
    side = torch.where(
        plan.is_kernel,
        floor.kernel_side.unsqueeze(-1),
        torch.where(whole, tile, pe),
    )
    depth = torch.where(plan.is_kernel, layers.channels, layers.rows)
    down, right = torch.ceil(depth / side), torch.ceil(layers.columns / side)
    times = torch.where(plan.is_kernel, layers.kernel_area, 1.0)
    counts = {
        (False, False): times * (down - 1) * (right - 1),
        (False, True): times * (down - 1),
        (True, False): times * (right - 1),
        (True, True): times * torch.ones_like(down * right),
    }
    repeats = design.idle_pe_energy.unsqueeze(-1) & single
    if bool(repeats.any()):
        counts = _with_idle_repeats(plan, counts, repeats, down, right)
    return Pieces(
        rows=torch.minimum(side, depth),
        cols=torch.minimum(side, layers.columns),
        last_rows=depth - (down - 1) * side,
        last_cols=layers.columns - (right - 1) * side,
        counts=counts,
        whole_tile=whole,
        single=single,
    )


def _with_idle_repeats(
    plan: MappingPlan,
    counts: dict[tuple[bool, bool], Tensor],
    repeats: Tensor,
    down: Tensor,
    right: Tensor,
) -> dict[tuple[bool, bool], Tensor]:
    """Add the reference's artefact: empty PEs of a partly filled tile repeat the last one before.

    In row-major order every filled row of a tile repeats its last filled PE to the right edge, and
    every empty row repeats the last filled PE of the tile for its whole length.
    """
    across = plan.floorplan.pes_per_side.unsqueeze(-1)
    last_down = down - (plan.tile_rows - 1) * across
    last_right = right - (plan.tile_cols - 1) * across
    empty_rows, empty_cols = across - last_down, across - last_right
    bottom_tiles = plan.tile_cols - 1  # tiles of the last row, the corner excepted
    extra_right = empty_cols  # per filled row in a tile of the last column
    extra = {
        # rows above the last one, in the last column of PEs
        (False, True): (down - 1) * extra_right,
        # last filled row, in tiles that are full to the right
        (True, False): bottom_tiles * empty_rows * across,
        # the corner tile
        (True, True): extra_right + empty_rows * across,
        (False, False): torch.zeros_like(down),
    }
    return {key: count + torch.where(repeats, extra[key], 0.0) for key, count in counts.items()}
