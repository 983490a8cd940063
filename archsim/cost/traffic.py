"""Bits that move for one image: between memories, PEs, tiles and across the chip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.chip import ChipBlocks
from archsim.cost.layer_tile import LayerTile
from archsim.cost.pieces import Pieces
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class Traffic:
    """Bits per image and layer, ``*batch layer``.

    ``*_lines`` are register lines of one (full) PE; ``tile_*`` bits of one (full) tile; ``chip_*``
    bits between global buffer and tiles; ``bus_*_m`` the path of an input and of an output on the
    global bus; ``tree_width_bit`` the share of a global H-tree that a layer may use.
    """

    input_lines: Tensor
    output_lines: Tensor
    tile_in_bit: Tensor
    tile_out_bit: Tensor
    chip_in_bit: Tensor
    chip_out_bit: Tensor
    bus_in_m: Tensor
    bus_out_m: Tensor
    tree_width_bit: Tensor


def register_lines(
    *, design: DesignBatch, plan: MappingPlan, tile: LayerTile, rows: Tensor, cols: Tensor
) -> tuple[Tensor, Tensor]:
    """Lines through the input and output registers of a PE that holds ``rows`` x ``cols``.

    Args:
        design: ``*batch``.
        plan: for the vectors.
        tile: register sizes.
        rows: matrix rows in the PE, ``*batch layer``.
        cols: matrix columns (cells) in the PE, ``*batch layer``.
    """
    vectors, bits = plan.layers.vectors, design.input_bits.unsqueeze(-1)
    weights = torch.floor(cols / design.columns_per_weight.unsqueeze(-1) + 1e-9)
    sum_bit = tile.pe_output_bit - torch.ceil(torch.log2(tile.array_side) - 1e-9)
    lines_in = torch.floor(rows * vectors * bits / tile.input_register_bit + 1e-9)
    lines_out = torch.floor(
        torch.floor(weights * sum_bit * vectors + 1e-9) / tile.output_register_bit + 1e-9
    )
    return lines_in, lines_out


def layer_traffic(
    *, design: DesignBatch, chip: ChipBlocks, plan: MappingPlan, pieces: Pieces, tile: LayerTile
) -> Traffic:
    """Count the bits that every layer moves.

    Args:
        design: ``*batch``.
        chip: grid and bus.
        plan: counts.
        pieces: PE pieces.
        tile: tile of every layer.
    """
    layers, floor = plan.layers, plan.floorplan
    reads = layers.vectors * design.input_bits.unsqueeze(-1)
    lines_in, lines_out = register_lines(
        design=design, plan=plan, tile=tile, rows=pieces.rows, cols=pieces.cols
    )
    kernel_side = floor.kernel_side.unsqueeze(-1)
    tile_side = floor.tile_side.unsqueeze(-1)
    tile_cells_in = torch.where(
        plan.is_kernel,
        torch.minimum(kernel_side, layers.channels) * torch.sqrt(layers.kernel_area),
        torch.minimum(tile_side, layers.rows),
    )
    tile_cols = torch.minimum(layers.columns, torch.where(plan.is_kernel, kernel_side, tile_side))
    weights = torch.floor(tile_cols / design.columns_per_weight.unsqueeze(-1) + 1e-9)
    height = torch.where(plan.is_kernel, layers.kernel_height, 1.0)
    grid_rows, grid_cols = floor.grid_rows.unsqueeze(-1), floor.grid_cols.unsqueeze(-1)
    reference = design.reference_lengths.unsqueeze(-1)
    steps_x = torch.where(reference, torch.ceil(grid_cols / 2), grid_cols / 2)
    steps_y = torch.where(reference, grid_rows - torch.ceil(grid_rows / 2) - 1, grid_rows / 2)
    step_m = torch.where(reference, tile.side_m, chip.tile_side_m.unsqueeze(-1))
    one_copy = plan.tile_rows * plan.tile_cols * plan.extra_copies
    return Traffic(
        input_lines=lines_in,
        output_lines=lines_out,
        tile_in_bit=reads
        * torch.where(
            layers.input_rows > layers.rows, layers.input_rows / plan.tile_cols, tile_cells_in
        ),
        tile_out_bit=weights * tile.tile_sum_bit * layers.vectors,
        chip_in_bit=layers.input_rows * reads / height,
        chip_out_bit=layers.weights_wide * reads / layers.pool_factor,
        bus_in_m=step_m * steps_x,
        bus_out_m=step_m * steps_y,
        tree_width_bit=torch.ceil(
            chip.bus_bit.unsqueeze(-1) * one_copy / floor.tiles.unsqueeze(-1) - 1e-9
        ),
    )
