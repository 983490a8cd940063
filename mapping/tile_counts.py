"""Tiles, PEs and copies (weight duplication): the closed-form floorplan of a batch of designs.

Two kinds of tile share a chip. A layer whose kernel is the most common one and that fills the rows
of a subarray gets one PE per kernel position (Peng et al., ISCAS 2019, doi:10.1109/ISCAS.2019.
8702715); every other layer is one im2col matrix cut into square tiles. Both kinds have one size
each for the whole chip, found by halving from the widest layer and keeping the best utilisation
(rules of DNN+NeuroSim V1.4, Peng et al., IEDM 2019; all candidates are evaluated at once).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DUPLICATIONS, WHEN_FULL, DesignBatch
from archsim.plan import Floorplan, MatrixLayers
from archsim.shapes import broadcast_shapes

#: Most halvings tried below the widest layer; far more than any network needs.
_MOST_CANDIDATES = 24


@dataclass(frozen=True, eq=False)
class TileCounts:
    """The floorplan and, per layer, where copies come from (``*batch layer``)."""

    floorplan: Floorplan
    is_kernel: Tensor
    wish: Tensor
    pe_copies_rows: Tensor
    pe_copies_cols: Tensor
    array_copies_rows: Tensor
    array_copies_cols: Tensor
    extra_copies: Tensor
    tile_rows: Tensor
    tile_cols: Tensor
    tiles: Tensor
    utilisation: Tensor
    start_kernel: Tensor
    start_matrix: Tensor


def ceil_div(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return ceil(a / b) of whole numbers held in float64."""
    return torch.ceil(numerator / denominator)


def _power_of_two(value: Tensor) -> Tensor:
    """Round up to a power of two; 0 stays 0."""
    exponent = torch.ceil(torch.log2(value.clamp_min(1.0)) - 1e-9)
    return torch.where(value > 0, torch.exp2(exponent), 0.0)


def count_tiles(*, design: DesignBatch, layers: MatrixLayers) -> TileCounts:
    """Choose tile and PE sizes and count tiles and copies.

    Args:
        design: ``*batch``.
        layers: the matrices, ``*batch layer``.
    """
    rows, cols = design.rows.unsqueeze(-1), design.cols.unsqueeze(-1)
    kernel_pes = most_common_kernel(layers)
    is_kernel = (
        design.kernel_per_pe.unsqueeze(-1)
        & (layers.kernel_area == kernel_pes)
        & (layers.rows >= rows)
        & (layers.rows == layers.input_rows)
    )
    owned = layers.owned
    present = layers.owned * layers.repeats
    kernel_weight = torch.where(is_kernel, present, 0.0)
    matrix_weight = torch.where(is_kernel, 0.0, present)
    wide = _power_of_two(layers.columns)
    start_kernel = (wide * (kernel_weight > 0)).amax(-1)
    start_matrix = (wide * (matrix_weight > 0)).amax(-1)
    copying = _Copying(design, layers)
    kernel_side = _kernel_side(layers, kernel_weight, start_kernel, rows.squeeze(-1), kernel_pes)
    tile_side, best = _tile_side(layers, matrix_weight, start_matrix, rows.squeeze(-1))
    pe_side = _pe_side(copying, layers, matrix_weight, tile_side, best, rows.squeeze(-1))

    # A size that is given: two PEs along a side; a kernel position has a PE of that size.
    given, half = design.tile_arrays > 0, _given_pe_side(design)
    kernel_side = torch.where(given, half, kernel_side)
    tile_side = torch.where(given, 2 * half, tile_side)
    pe_side = torch.where(given, half, pe_side)
    tile, pe = tile_side.unsqueeze(-1), pe_side.unsqueeze(-1)
    kernel = kernel_side.unsqueeze(-1)
    pe_rows, pe_cols = copying.in_tile(tile, pe)
    pe_rows, pe_cols = torch.where(is_kernel, 1.0, pe_rows), torch.where(is_kernel, 1.0, pe_cols)
    depth = torch.where(is_kernel, layers.channels, layers.rows)
    side = torch.where(is_kernel, kernel, pe)
    array_rows, array_cols = copying.in_pe(depth, side, rows, cols)
    # A shared block has the copies asked for, not all that would fit; a number that does not fill
    # rows of subarrays, PEs and tiles is rounded up to one that does.
    planned, matrices = layers.wanted != 0, ceil_div(layers.wanted, layers.diagonal)
    left = matrices
    array_rows, left = _at_most(array_rows, left, planned)
    array_cols, left = _at_most(array_cols, left, planned)
    pe_rows, left = _at_most(pe_rows, left, planned)
    pe_cols, left = _at_most(pe_cols, left, planned)
    base = torch.where(is_kernel, kernel, tile)
    tile_rows, tile_cols = ceil_div(depth, base), ceil_div(layers.columns, base)
    wish = _pipeline_wish(design, layers)
    inside = pe_rows * pe_cols * array_rows * array_cols
    balances = (design.duplication == DUPLICATIONS.index("balance")).unsqueeze(-1)
    balanced = torch.where(balances, ceil_div(wish, inside), 1.0)
    further = torch.where(matrices == torch.inf, 1.0, ceil_div(matrices, inside))
    extra = torch.where(planned, further, balanced * design.copies.unsqueeze(-1))
    one_layer = tile_rows * tile_cols * extra
    tiles = one_layer * owned
    pes = torch.where(is_kernel, kernel_pes, ceil_div(tile, pe) ** 2)
    cells = pes * ceil_div(side, rows) * rows * ceil_div(side, cols) * cols
    used = torch.maximum(inside, torch.where(design.pipeline.unsqueeze(-1), wish, 0.0))
    weight_cells = layers.macs * design.columns_per_weight.unsqueeze(-1)
    utilisation = used * weight_cells / (one_layer * cells)
    total = layers.over_layers(tiles)
    # A network that does not fit takes a chip of all the tiles there are, several times.
    parts = ceil_div(total, design.max_tiles).clamp_min(1.0)
    parts = torch.where(design.when_full == WHEN_FULL.index("refuse"), 1.0, parts)
    whole = total
    total = torch.where(parts > 1, design.max_tiles, total)
    share = total / whole
    grid_rows = torch.ceil(torch.sqrt(total) - 1e-9).clamp_min(1.0)
    plan = Floorplan(
        kernel_pes=kernel_pes.squeeze(-1),
        kernel_side=kernel_side,
        tile_side=tile_side,
        pe_side=pe_side,
        pes_per_side=ceil_div(tile_side, pe_side),
        kernel_tiles=layers.over_layers(torch.where(is_kernel, tiles, 0.0)) * share,
        matrix_tiles=layers.over_layers(torch.where(is_kernel, 0.0, tiles)) * share,
        parts=parts + 0 * total,
        grid_rows=grid_rows,
        grid_cols=ceil_div(total, grid_rows),
    )
    return TileCounts(
        floorplan=plan,
        is_kernel=is_kernel,
        wish=wish,
        pe_copies_rows=pe_rows,
        pe_copies_cols=pe_cols,
        array_copies_rows=array_rows,
        array_copies_cols=array_cols,
        extra_copies=extra,
        tile_rows=tile_rows,
        tile_cols=tile_cols,
        tiles=tiles,
        utilisation=utilisation.clamp_max(1.0),
        start_kernel=start_kernel,
        start_matrix=start_matrix,
    )


def _given_pe_side(design: DesignBatch) -> Tensor:
    """Side of a PE that is given in crossbars, cells, ``*batch``.

    Half the tile's number of rows, or of columns, of crossbars: what leaves less of them empty.
    """
    rows, cols, count = design.rows, design.cols, (design.tile_arrays / 2).clamp_min(1.0)

    def full(side: Tensor) -> Tensor:
        """Share of the crossbars' cells in a square of this side."""
        return side**2 / (ceil_div(side, rows) * rows * ceil_div(side, cols) * cols)

    longer, shorter = count * torch.maximum(rows, cols), count * torch.minimum(rows, cols)
    return torch.where(full(longer) >= full(shorter), longer, shorter)


def _at_most(fits: Tensor, left: Tensor, limited: Tensor) -> tuple[Tensor, Tensor]:
    """Keep copies within those still wanted where they are limited; also return what is left."""
    taken = torch.where(limited, torch.minimum(fits, left), fits)
    return taken, torch.where(limited, ceil_div(left, taken), left)


def most_common_kernel(layers: MatrixLayers) -> Tensor:
    """Return the kernel area above 1 that most rows have (the first wins ties), shape ``(1,)``.

    Kernel areas belong to the network, so the answer is the same for every design.
    """
    areas = layers.kernel_area.reshape(-1, layers.kernel_area.shape[-1])[0].tolist()
    counts: dict[float, float] = {}
    for area, repeats in zip(areas, layers.repeats.tolist(), strict=True):
        if area > 1:
            counts[area] = counts.get(area, 0) + repeats
    common = max(counts, key=lambda area: counts[area]) if counts else 1.0
    return torch.tensor([common], dtype=torch.float64, device=layers.kernel_area.device)


def _candidates(start: Tensor, bound: Tensor) -> Tensor:
    """Sides start, start/2, ... down to the smallest bound of the batch, ``*batch candidate``."""
    halvings = math.log2(max(float(start.max()) / float(bound.min()), 1.0))
    count = min(math.ceil(halvings) + 1, _MOST_CANDIDATES)
    steps = torch.arange(count, dtype=torch.float64, device=start.device)
    return start.unsqueeze(-1) / torch.exp2(steps)


def _best(side: Tensor, score: Tensor, allowed: Tensor, carried: Tensor) -> tuple[Tensor, Tensor]:
    """Pick the largest side with the best score if it beats ``carried``.

    Returns:
        The index of the pick (0 where nothing beats ``carried``) and the score that now holds.
    """
    score = torch.where(allowed, score, -1.0)
    value, index = score.max(-1)
    wins = value > carried
    return torch.where(wins, index, 0), torch.where(wins, value, carried)


def _take(side: Tensor, index: Tensor) -> Tensor:
    shape = broadcast_shapes(side.shape[:-1], index.shape)
    return torch.gather(side.expand(*shape, side.shape[-1]), -1, index.expand(shape).unsqueeze(-1))[
        ..., 0
    ]


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, part / whole.clamp_min(1e-300), 0.0)


def _kernel_side(
    layers: MatrixLayers, weight: Tensor, start: Tensor, rows: Tensor, kernel_pes: Tensor
) -> Tensor:
    """PE side of kernel-per-PE tiles: best utilisation above two arrays."""
    side = _candidates(torch.maximum(start, 2 * rows), 2 * rows)
    channels, columns = layers.channels.unsqueeze(-1), layers.columns.unsqueeze(-1)
    wide = side.unsqueeze(-2)
    tiles = (weight.unsqueeze(-1) * ceil_div(channels, wide) * ceil_div(columns, wide)).sum(-2)
    cells = (weight * layers.rows * layers.columns).sum(-1, keepdim=True)
    score = _ratio(cells, tiles * kernel_pes * side**2)
    index, _ = _best(side, score, side > 2 * rows.unsqueeze(-1), torch.zeros_like(start))
    return _take(side, index)


def _tile_side(
    layers: MatrixLayers, weight: Tensor, start: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Side of im2col tiles: best utilisation above four arrays; also returns that utilisation."""
    side = _candidates(torch.maximum(start, 4 * rows), 4 * rows)
    matrix_rows, columns = layers.rows.unsqueeze(-1), layers.columns.unsqueeze(-1)
    wide = side.unsqueeze(-2)
    tiles = (weight.unsqueeze(-1) * ceil_div(matrix_rows, wide) * ceil_div(columns, wide)).sum(-2)
    cells = (weight * layers.rows * layers.columns).sum(-1, keepdim=True)
    score = _ratio(cells, tiles * side**2)
    index, best = _best(side, score, side > 4 * rows.unsqueeze(-1), torch.zeros_like(start))
    return _take(side, index), best


def _pe_side(
    copying: _Copying,
    layers: MatrixLayers,
    weight: Tensor,
    tile: Tensor,
    carried: Tensor,
    rows: Tensor,
) -> Tensor:
    """PE side inside im2col tiles: half the tile, or smaller where copies then fill it better.

    The utilisation to beat is carried over from the tile search, as in the reference.
    """
    side = _candidates(tile / 2, 2 * rows)
    matrix_rows, columns = layers.rows.unsqueeze(-1), layers.columns.unsqueeze(-1)
    whole = tile.unsqueeze(-1).unsqueeze(-1)
    copies_rows, copies_cols = copying.in_tile(whole, side.unsqueeze(-2), trailing=True)
    tiles = (weight.unsqueeze(-1) * ceil_div(matrix_rows, whole) * ceil_div(columns, whole)).sum(-2)
    cells = (weight.unsqueeze(-1) * copies_rows * copies_cols * matrix_rows * columns).sum(-2)
    score = _ratio(cells, tiles * tile.unsqueeze(-1) ** 2)
    index, _ = _best(side, score, side > 2 * rows.unsqueeze(-1), carried)
    return _take(side, index)


class _Copying:
    """Weight duplication: copies of small matrices inside a tile and a PE; 1 where it is off."""

    def __init__(self, design: DesignBatch, layers: MatrixLayers) -> None:
        self.fills = (design.duplication > 0).unsqueeze(-1) | (layers.wanted > 1)
        self.rows, self.columns = layers.rows, layers.columns

    def in_tile(self, tile: Tensor, pe: Tensor, *, trailing: bool = False) -> tuple[Tensor, Tensor]:
        """Copies over the PEs of a tile, along rows and columns."""
        rows, columns, fills = self.rows, self.columns, self.fills
        if trailing:
            rows, columns, fills = (rows.unsqueeze(-1), columns.unsqueeze(-1), fills.unsqueeze(-1))
        grid = ceil_div(tile, pe)
        small = fills & ((rows <= tile) | (columns <= tile))
        return (
            torch.where(small, torch.floor(grid / ceil_div(rows, pe)).clamp_min(1.0), 1.0),
            torch.where(small, torch.floor(grid / ceil_div(columns, pe)).clamp_min(1.0), 1.0),
        )

    def in_pe(
        self, depth: Tensor, pe: Tensor, array_rows: Tensor, array_cols: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Copies over the subarrays of a PE, along rows and columns."""
        small = self.fills & ((depth <= pe) | (self.columns <= pe))
        by_rows = torch.floor(ceil_div(pe, array_rows) / ceil_div(depth, array_rows))
        by_cols = torch.floor(ceil_div(pe, array_cols) / ceil_div(self.columns, array_cols))
        return (
            torch.where(small, by_rows.clamp_min(1.0), 1.0),
            torch.where(small, by_cols.clamp_min(1.0), 1.0),
        )


def _pipeline_wish(design: DesignBatch, layers: MatrixLayers) -> Tensor:
    """Copies that would even out the pipeline: map area over that of a reference map.

    Layers of kernel height 1 ask for copies too but do not set the reference; shared-block rows
    never set it.
    """
    height = layers.map_height
    first = height[..., :1]
    sets = (layers.kernel_height != 1) & (layers.active > 0)
    smallest = torch.where(sets, height, torch.inf).amin(-1, keepdim=True)
    smallest = torch.minimum(smallest, first)
    degree = torch.minimum(design.speed_up_degree.unsqueeze(-1), torch.floor(first / smallest))
    target = torch.ceil(first / degree)
    return torch.ceil((height / target) ** 2 - 1e-9).clamp_min(1.0)
