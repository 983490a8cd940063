"""The mapping compiler: a network and a batch of designs in, a plan of counts out.

im2col -> bit slicing -> shared-block rows -> tile sizes and copies -> subarrays and cells
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from archsim.arch.design import MAX_LAST_LAYERS, WHEN_FULL, DesignBatch
from archsim.config.priced_policies import EVERYTHING, FRACTION, LAST_LAYERS, NOTHING
from archsim.network.insertion import InsertionPoint
from archsim.network.table import DIGITAL_COLUMNS, LayerTable
from archsim.plan import Constraint, MappingPlan, MatrixLayers
from archsim.shapes import broadcast_shapes
from mapping.bit_slice import matrix_columns
from mapping.im2col import backbone_matrices
from mapping.stages import Streams, stream
from mapping.tile_counts import TileCounts, ceil_div, count_tiles
from mapping.tsb_placement import place_tsb


def compile_plan(
    *,
    design: DesignBatch,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
    merge_alike: bool = False,
) -> MappingPlan:
    """Map a network onto every design of a batch.

    Args:
        design: ``*batch``.
        table: the backbone's layers, ``layer``.
        points: where the shared block goes; rows are added after the backbone's, inactive where
            the design has no shared block.
        merge_alike: compute layers that are the same matrix on the same map once and count them
            (``layers.repeats``): the same totals, for sweeps that need no per-layer rows.

    Returns:
        Counts of shape ``*batch layer`` with ``len(table) + len(points)`` layers, fewer if merged.
    """
    repeats: Sequence[int] = [1] * (len(table) + len(points))
    streams = _streams(table, tuple(points), merge_alike)
    if merge_alike:
        table, points, repeats = _merge(table, tuple(points))
    layers = _matrix_layers(design, table, points, repeats)
    counts = count_tiles(design=design, layers=layers)
    subarrays = _subarrays_used(design, layers, counts)
    # Cells off the block diagonal of grouped layers are never switched on, so never written.
    again = _linear_copies(design, table, len(points))
    per_copy = layers.macs * again * design.columns_per_weight.unsqueeze(-1)
    cells = per_copy * _copies(counts) * layers.owned
    return MappingPlan(
        names=table.names + tuple(f"tsb@{point.name}" for point in points),
        kinds=tuple(str(kind) for kind in table.kinds) + ("tsb",) * len(points),
        layers=layers,
        floorplan=counts.floorplan,
        is_kernel=counts.is_kernel,
        wish=counts.wish,
        pe_copies_rows=counts.pe_copies_rows,
        pe_copies_cols=counts.pe_copies_cols,
        array_copies_rows=counts.array_copies_rows,
        array_copies_cols=counts.array_copies_cols,
        extra_copies=counts.extra_copies,
        tile_rows=counts.tile_rows,
        tile_cols=counts.tile_cols,
        tiles=counts.tiles,
        subarrays_used=subarrays,
        utilisation=counts.utilisation,
        write_cells=cells,
        verified_cells=cells * _verified_share(design, len(table), len(points)),
        written_twice=_among_last(design.rewritten_layers, len(table), len(points)),
        constraints=_constraints(design, counts),
        stages=streams.stages,
        kept=torch.tensor(streams.kept, dtype=torch.float64, device=design.rows.device),
        waiting=streams.waiting,
    )


def _verified_share(design: DesignBatch, layers: int, insertions: int) -> Tensor:
    """Share of the cells of every row that the policy verifies, ``*batch layer``.

    A shared block is verified under every policy but ``none``.
    """
    is_tsb = torch.arange(layers + insertions, device=design.rows.device) >= layers
    policy = design.write_policy.unsqueeze(-1)
    is_last = _among_last(design.last_layers, layers, insertions)
    chosen = torch.where(
        policy == FRACTION.code,
        design.verified_fraction.unsqueeze(-1),
        torch.where(
            policy == LAST_LAYERS.code,
            is_last,
            (policy == EVERYTHING.code).to(torch.float64),
        ),
    )
    return torch.where(is_tsb & (policy != NOTHING.code), 1.0, chosen)


def _among_last(count: Tensor, layers: int, insertions: int) -> Tensor:
    """Return 1 for the last ``count`` (``*batch``) backbone layers, else 0, ``*batch layer``."""
    # Alike layers are merged by the first of them; the last few rows are never merged.
    where = torch.arange(layers + insertions, device=count.device)
    is_last = (where >= layers - count.unsqueeze(-1)) & (where < layers)
    return is_last.to(torch.float64)


#: Networks whose grouping is remembered: it does not depend on the design.
_NETWORKS = 32


@lru_cache(maxsize=_NETWORKS)
def _groups(
    table: LayerTable, points: tuple[InsertionPoint, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Number rows with alike inputs, and rows that are alike altogether."""
    inputs: dict[object, int] = {}
    matrices: dict[object, int] = {}
    input_group, matrix_group = [], []
    columns = (
        table.is_first, table.is_signed, table.kernel_h, table.kernel_w, table.stride_h,
        table.stride_w, table.padding_h, table.padding_w, table.in_height, table.in_width,
    )  # fmt: skip
    shapes = (
        table.in_channels, table.out_channels, table.groups, table.mvms, table.pool_factor,
        table.added, *(getattr(table, name) for name in DIGITAL_COLUMNS),
    )  # fmt: skip
    for index in range(len(table)):
        window = tuple(float(column[index]) for column in columns)
        padded = window[6] > 0 or window[7] > 0
        key = window if padded else window[:2]
        input_group.append(inputs.setdefault(key, len(inputs)))
        from_end = len(table) - index
        place = from_end if from_end <= MAX_LAST_LAYERS else 0
        kind = str(table.kinds[index])
        whole = (kind, window, place, *(float(shape[index]) for shape in shapes))
        matrix_group.append(matrices.setdefault(whole, len(matrices)))
    for point in points:
        input_group.append(inputs.setdefault((0.0, float(point.signed)), len(inputs)))
        block = ("tsb", point.channels, point.height, point.width, point.signed)
        matrix_group.append(matrices.setdefault(block, len(matrices)))
    return tuple(input_group), tuple(matrix_group)


@lru_cache(maxsize=_NETWORKS)
def _merge(
    table: LayerTable, points: tuple[InsertionPoint, ...]
) -> tuple[LayerTable, tuple[InsertionPoint, ...], tuple[int, ...]]:
    """Keep the first of every group of alike rows; the first insertion owns the common block."""
    _, groups = _groups(table, points)
    backbone, insertions = groups[: len(table)], groups[len(table) :]
    kept = [backbone.index(group) for group in dict.fromkeys(backbone)]
    repeats = [backbone.count(backbone[index]) for index in kept]
    merged: list[InsertionPoint] = []
    rest = insertions[1:]
    if points:
        merged.append(points[0])
        repeats.append(1)
    for group in dict.fromkeys(rest):
        merged.append(points[1 + rest.index(group)])
        repeats.append(rest.count(group))
    return table.select(kept), tuple(merged), tuple(repeats)


@lru_cache(maxsize=_NETWORKS)
def _streams(table: LayerTable, points: tuple[InsertionPoint, ...], merge_alike: bool) -> Streams:
    """The flow of rows, by the rows of the plan; alike layers keep their mean."""
    whole = list(range(len(table) + len(points)))
    if not merge_alike:
        return stream(table, points, whole)
    rows_of = _merged_rows(table, points)
    streams = stream(table, points, rows_of)
    kept = [0.0] * (max(rows_of) + 1)
    for row, share in zip(rows_of, streams.kept, strict=True):
        kept[row] += share / rows_of.count(row)
    return replace(streams, kept=tuple(kept))


def _merged_rows(table: LayerTable, points: tuple[InsertionPoint, ...]) -> list[int]:
    """The merged row of every layer and insertion; see :func:`_merge`."""
    _, groups = _groups(table, points)
    backbone, insertions = groups[: len(table)], groups[len(table) :]
    place = {group: row for row, group in enumerate(dict.fromkeys(backbone))}
    rows = [place[group] for group in backbone]
    behind = len(place)
    if points:
        rows.append(behind)
        later = {group: row for row, group in enumerate(dict.fromkeys(insertions[1:]), behind + 1)}
        rows += [later[group] for group in insertions[1:]]
    return rows


def _matrix_layers(
    design: DesignBatch,
    table: LayerTable,
    points: Sequence[InsertionPoint],
    repeats: Sequence[int],
) -> MatrixLayers:
    """Join backbone matrices and shared-block rows along the layer axis."""
    tsb = place_tsb(design=design, points=points)
    input_group, matrix_group = _groups(table, tuple(points))
    backbone = backbone_matrices(design=design, table=table)
    ones = torch.ones_like(backbone.rows)
    # Copies that are averaged lie one below the other, as a matrix with that many times the rows.
    again = _linear_copies(design, table, 0)

    def join(first: Tensor, second: Tensor) -> Tensor:
        shape = broadcast_shapes(first.shape[:-1], second.shape[:-1])
        return torch.cat(
            [first.expand(*shape, first.shape[-1]), second.expand(*shape, second.shape[-1])], -1
        )

    no = torch.zeros_like(tsb.channels)
    one = no + 1
    tsb_columns = matrix_columns(design=design, weights_wide=tsb.channels)
    return MatrixLayers(
        input_group=input_group,
        matrix_group=matrix_group,
        repeats=torch.tensor(repeats, dtype=torch.float64, device=design.rows.device),
        rows=join(again * backbone.rows, tsb.channels),
        weights_wide=join(backbone.weights_wide, tsb.channels),
        columns=join(backbone.columns, tsb_columns),
        fill=join(backbone.fill, one),
        macs=join(table.weights, tsb.channels**2 / tsb.diagonal),
        channels=join(table.in_channels, tsb.channels),
        kernel_area=join(table.kernel_h * table.kernel_w, one),
        kernel_height=join(table.kernel_h, one),
        input_rows=join(again * backbone.input_rows, tsb.channels),
        vectors=join(backbone.vectors, tsb.vectors),
        map_height=join(table.in_height, tsb.map_height),
        map_elements=join(table.in_height * table.in_width * table.in_channels, tsb.map_elements),
        pooled=join((table.pool_factor > 1).to(torch.float64), no),
        pool_factor=join(table.pool_factor, one),
        added=join(table.added, no),
        digital_macs=join(table.digital_macs, no),
        digital_operations=join(table.digital_operations, no),
        digital_reads=join(table.digital_reads, no),
        digital_writes=join(table.digital_writes, no),
        lookups=join(table.lookups, no),
        is_first=join(table.is_first, no),
        is_signed=join(table.is_signed, tsb.is_signed),
        padding_share=join(backbone.padding_share, no),
        instances=join(ones, tsb.instances),
        owned=join(ones, tsb.owned),
        active=join(ones, tsb.active),
        shared=join(torch.zeros_like(ones), tsb.shared),
        wanted=join(torch.zeros_like(ones), tsb.wanted),
        diagonal=join(ones, tsb.diagonal),
        products=join(backbone.vectors, tsb.products),
    )


def _linear_copies(design: DesignBatch, table: LayerTable, insertions: int) -> Tensor:
    """How often the cells of each row are written for their average, ``*batch layer``."""
    linear = [kind == "linear" for kind in table.kinds] + [False] * insertions
    return torch.where(
        torch.tensor(linear, device=design.rows.device), design.linear_copies.unsqueeze(-1), 1.0
    )


def _copies(counts: TileCounts) -> Tensor:
    return (
        counts.pe_copies_rows
        * counts.pe_copies_cols
        * counts.array_copies_rows
        * counts.array_copies_cols
        * counts.extra_copies
    )


def _subarrays_used(design: DesignBatch, layers: MatrixLayers, counts: TileCounts) -> Tensor:
    """Subarrays that hold weights of a layer, all copies together.

    A matrix is cut into PE pieces and each piece into subarrays; kernel-per-PE layers are cut once
    per kernel position.
    """
    floor = counts.floorplan
    side = torch.where(
        counts.is_kernel, floor.kernel_side.unsqueeze(-1), floor.pe_side.unsqueeze(-1)
    )
    depth = torch.where(counts.is_kernel, layers.channels, layers.rows)

    def pieces(length: Tensor, array_side: Tensor) -> Tensor:
        whole = ceil_div(length, side) - 1
        rest = length - whole * side
        return whole * ceil_div(side, array_side) + ceil_div(rest, array_side)

    down = pieces(depth, design.rows.unsqueeze(-1))
    right = pieces(layers.columns, design.cols.unsqueeze(-1))
    positions = torch.where(counts.is_kernel, layers.kernel_area, 1.0)
    return positions * down * right * _copies(counts) * layers.owned


def _constraints(design: DesignBatch, counts: TileCounts) -> tuple[Constraint, ...]:
    """Bounds that a floorplan may break."""
    plan = counts.floorplan
    floor = torch.where(design.kernel_per_pe, 2.0, 4.0) * design.rows
    widest = torch.where(design.kernel_per_pe, counts.start_kernel, counts.start_matrix)
    narrow = design.size_check & (widest < floor)
    shape = plan.tiles
    return (
        Constraint(
            name="tiles",
            violated=(design.when_full == WHEN_FULL.index("refuse"))
            & (plan.tiles > design.max_tiles),
            demand=plan.tiles,
            bound=design.max_tiles + 0 * shape,
            unit="tiles",
            levers=(
                "chip.hierarchy.max_tiles (more)",
                "chip.off_chip.when_full=multi-chip",
                "chip.off_chip.when_full=reload",
                "chip.hierarchy.duplication=none",
                "chip.precision.bits_per_cell (more)",
            ),
        ),
        Constraint(
            name="tile width (reference simulator's size check)",
            violated=narrow & (shape >= 0),
            demand=floor + 0 * shape,
            bound=widest,
            unit="cells",
            levers=("chip.crossbar.rows (fewer)", "chip.hierarchy.size_check=false"),
            if_none="no layer has a PE for each pixel of its kernel",
        ),
    )
