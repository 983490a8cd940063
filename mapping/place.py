"""Explicit placement: every subarray of one design with its coordinates on the chip.

The closed-form counts (:mod:`mapping.tile_counts`) and this placement are two faces of the same
mapping; a property test ties them. Tiles are numbered layer by layer and laid on the grid row by
row. Inside a tile a matrix and its copies are stacked along rows and columns:

* an im2col tile holds ``pe_copies`` blocks of PEs, each a copy of the tile's part of the matrix; a
  PE holds ``array_copies`` blocks of subarrays, each a copy of the PE's piece;
* a kernel-per-PE tile has one PE per kernel position and copies inside each PE.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.errors import Code, MappingError
from archsim.plan import PLACEMENT_COLUMNS, MappingPlan, Placement

#: Whole numbers, one row per subarray.
_Block = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Layer:
    """Counts of one layer as plain numbers."""

    index: int
    rows: int
    cols: int
    kernel: bool
    kernel_area: int
    owned: int
    tile_rows: int
    tile_cols: int
    extra: int
    pe_copies: tuple[int, int]
    array_copies: tuple[int, int]


@dataclass(frozen=True)
class _Chip:
    """Sizes of one design as plain numbers."""

    rows: int
    cols: int
    tile_side: int
    pe_side: int
    kernel_side: int
    kernel_pes: int
    pes_per_side: int


def place(*, design: DesignBatch, plan: MappingPlan) -> Placement:
    """Place every subarray of one design.

    Args:
        design: shape ``()``.
        plan: counts of the same design, not merged, ``layer``.

    Raises:
        MappingError: a batch, or a plan with merged layers.
    """
    if design.batch_shape or plan.layers.rows.dim() != 1:
        raise MappingError(
            f"placement of a batch of shape {tuple(design.batch_shape)}; allowed: one design",
            code=Code.SHAPE_MISMATCH,
            field="design",
            value=tuple(design.batch_shape),
            allowed="one design",
        )
    if bool((plan.layers.repeats != 1).any()):
        raise MappingError(
            "placement of a plan with merged layers; allowed: merge_alike=False",
            code=Code.CONFLICT,
            field="plan",
            allowed="merge_alike=False",
        )
    floor = plan.floorplan
    if float(floor.parts) > 1:
        raise MappingError(
            f"placement of a network in {float(floor.parts):.0f} parts (chip.off_chip.when_full); "
            "allowed: one that fits on the chip (chip.hierarchy.max_tiles)",
            code=Code.UNSUPPORTED,
            field="chip.off_chip.when_full",
            value=float(floor.parts),
        )
    chip = _Chip(
        rows=int(design.rows),
        cols=int(design.cols),
        tile_side=int(floor.tile_side),
        pe_side=int(floor.pe_side),
        kernel_side=int(floor.kernel_side),
        kernel_pes=int(floor.kernel_pes),
        pes_per_side=int(floor.pes_per_side),
    )
    grid_cols = int(floor.grid_cols)
    parts = [np.empty((0, len(PLACEMENT_COLUMNS)), dtype=np.int64)]
    tiles: list[_Layer] = []
    for layer in _layers(plan):
        blocks = list(_blocks(layer, chip))
        for instance, copy, block in itertools.product(
            range(layer.owned), range(layer.extra), blocks
        ):
            fixed = (layer.index, instance, len(tiles), *divmod(len(tiles), grid_cols))
            parts.append(_on_tile(block, copy * _copies_inside(layer), *fixed))
            tiles.append(layer)
    table = np.concatenate(parts)
    return Placement(
        design=PLACEMENTS[int(design.placement)],
        names=plan.names,
        kinds=plan.kinds,
        owners=_owners(plan),
        diagonal=tuple(round(count) for count in _each(plan, plan.layers.diagonal)),
        array_rows=chip.rows,
        array_cols=chip.cols,
        grid_rows=int(floor.grid_rows),
        grid_cols=grid_cols,
        tile_layer=tuple(layer.index for layer in tiles),
        tile_pes=tuple(_pe_grid(layer, chip) for layer in tiles),
        tile_arrays=tuple(_array_grid(layer, chip) for layer in tiles),
        tile_cells=tuple(_tile_cells(layer, chip) for layer in tiles),
        columns={name: table[:, i].copy() for i, name in enumerate(PLACEMENT_COLUMNS)},
    )


def _blocks(layer: _Layer, chip: _Chip) -> Iterator[_Block]:
    """The tiles of one copy of a layer; all copies of a tile are alike."""
    if not layer.owned:
        return
    for tile_row, tile_col in itertools.product(range(layer.tile_rows), range(layer.tile_cols)):
        yield np.array(list(_tile(layer, chip, tile_row, tile_col)), dtype=np.int64)


def _on_tile(
    block: _Block,
    first_copy: int,
    layer: int,
    instance: int,
    tile: int,
    grid_row: int,
    grid_col: int,
) -> _Block:
    """The subarrays of one tile as rows of :data:`PLACEMENT_COLUMNS`."""
    table = np.empty((len(block), len(PLACEMENT_COLUMNS)), dtype=np.int64)
    table[:, :2] = layer, instance
    table[:, 2] = block[:, 0] + first_copy
    table[:, 3] = block[:, 1]
    table[:, 4:7] = tile, grid_row, grid_col
    table[:, 7:] = block[:, 2:]
    return table


def _copies_inside(layer: _Layer) -> int:
    """Copies inside one set of tiles."""
    return math.prod(layer.pe_copies) * math.prod(layer.array_copies)


def _layers(plan: MappingPlan) -> Iterator[_Layer]:
    """Counts of each layer as plain numbers."""
    work = plan.layers
    for index in range(len(plan.names)):
        kernel = bool(plan.is_kernel[index])
        yield _Layer(
            index=index,
            rows=round(float(work.channels[index] if kernel else work.rows[index])),
            cols=round(float(work.columns[index])),
            kernel=kernel,
            kernel_area=round(float(work.kernel_area[index])),
            owned=round(float(work.owned[index])),
            tile_rows=round(float(plan.tile_rows[index])),
            tile_cols=round(float(plan.tile_cols[index])),
            extra=round(float(plan.extra_copies[index])),
            pe_copies=(
                round(float(plan.pe_copies_rows[index])),
                round(float(plan.pe_copies_cols[index])),
            ),
            array_copies=(
                round(float(plan.array_copies_rows[index])),
                round(float(plan.array_copies_cols[index])),
            ),
        )


def _each(plan: MappingPlan, values: Tensor) -> list[float]:
    """Values of every layer as plain numbers."""
    return [float(value) for value in values.expand(len(plan.names))]


def _owners(plan: MappingPlan) -> tuple[int, ...]:
    """The layer whose subarrays each layer uses."""
    owned = plan.layers.owned.tolist()
    shared = plan.layers.shared.tolist()
    first = next((i for i, (o, s) in enumerate(zip(owned, shared, strict=True)) if o and s), -1)
    return tuple(
        index if is_owner > 0 else (first if is_shared else -1)
        for index, (is_owner, is_shared) in enumerate(zip(owned, shared, strict=True))
    )


def _pe_grid(layer: _Layer, chip: _Chip) -> tuple[int, int]:
    """Rows and columns of PEs drawn in a tile."""
    if not layer.kernel:
        return chip.pes_per_side, chip.pes_per_side
    wide = math.ceil(math.sqrt(chip.kernel_pes))
    return math.ceil(chip.kernel_pes / wide), wide


def _array_grid(layer: _Layer, chip: _Chip) -> tuple[int, int]:
    """Rows and columns of subarrays in a PE."""
    side = chip.kernel_side if layer.kernel else chip.pe_side
    return math.ceil(side / chip.rows), math.ceil(side / chip.cols)


def _tile_cells(layer: _Layer, chip: _Chip) -> int:
    """Cells of all subarrays of a tile."""
    pes = chip.kernel_pes if layer.kernel else chip.pes_per_side**2
    return pes * math.prod(_array_grid(layer, chip)) * chip.rows * chip.cols


def _tile(layer: _Layer, chip: _Chip, tile_row: int, tile_col: int) -> Iterator[tuple[int, ...]]:
    """Subarrays of one tile: copy, kernel position, place (PE, array) and cells held."""
    base = chip.kernel_side if layer.kernel else chip.tile_side
    rows = _spans(layer.rows, base)[tile_row]
    cols = _spans(layer.cols, base)[tile_col]
    if layer.kernel:
        _, wide = _pe_grid(layer, chip)
        for position in range(layer.kernel_area):
            where = (position // wide, position % wide)
            for copy, array, span in _pe(layer, chip, rows, cols):
                yield copy, position, *where, *array, *span
        return
    row_pieces, col_pieces = _spans_in(rows, chip.pe_side), _spans_in(cols, chip.pe_side)
    inside = math.prod(layer.array_copies)
    for copy_row in range(layer.pe_copies[0]):
        for copy_col in range(layer.pe_copies[1]):
            first = (copy_row * layer.pe_copies[1] + copy_col) * inside
            for i, row_span in enumerate(row_pieces):
                for j, col_span in enumerate(col_pieces):
                    where = (copy_row * len(row_pieces) + i, copy_col * len(col_pieces) + j)
                    for copy, array, span in _pe(layer, chip, row_span, col_span):
                        yield first + copy, -1, *where, *array, *span


def _pe(
    layer: _Layer, chip: _Chip, rows: tuple[int, int], cols: tuple[int, int]
) -> Iterator[tuple[int, tuple[int, int], tuple[int, int, int, int]]]:
    """Subarrays of one PE: copy, place in the PE and cells held."""
    row_spans, col_spans = _spans_in(rows, chip.rows), _spans_in(cols, chip.cols)
    for copy_row in range(layer.array_copies[0]):
        for copy_col in range(layer.array_copies[1]):
            copy = copy_row * layer.array_copies[1] + copy_col
            for i, row_span in enumerate(row_spans):
                for j, col_span in enumerate(col_spans):
                    place_at = (copy_row * len(row_spans) + i, copy_col * len(col_spans) + j)
                    yield copy, place_at, (*row_span, *col_span)


def _spans(length: int, side: int) -> list[tuple[int, int]]:
    """Cut ``length`` cells into pieces of at most ``side``."""
    return _spans_in((0, length), side)


def _spans_in(span: tuple[int, int], side: int) -> list[tuple[int, int]]:
    """Cut a span into pieces of at most ``side``."""
    start, stop = span
    return [(at, min(at + side, stop)) for at in range(start, stop, side)]
