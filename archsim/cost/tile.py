"""Processing elements and tiles: what they hold, their area and leakage.

A PE is a grid of subarrays with registers and an adder tree; a tile is a group of PEs with
buffers, an adder tree and an H-tree. The chip has one tile for kernel-per-PE layers and one for
all others; both are built by :func:`build_tile`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.block import add_up
from archsim.cost.component.adder import Adder, adder_tree
from archsim.cost.component.buffer import Buffer, banked
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.component.wire import HTree, Repeater, h_tree
from archsim.cost.double_buffers import doubled, has_halves
from archsim.cost.reads import columns_joined, row_groups
from archsim.cost.subarray import Subarray


@dataclass(frozen=True, eq=False)
class Parts:
    """Building blocks shared by all tiles of a chip."""

    subarray: Subarray
    register: FlipFlop
    adder: Adder
    pe_wire: Repeater
    tree_wire: Repeater


@dataclass(frozen=True, eq=False)
class Tile:
    """One kind of tile, ``*batch``.

    Counts: ``pes`` PEs of side ``side`` cells, holding ``array_rows`` x ``array_cols`` subarrays in
    a square of ``array_side``; ``stacked`` PEs are added up by the tile's ``trees`` adder trees.
    Widths in bits: ``sum_bit`` leaves a subarray, ``pe_sum_bit`` a PE.
    """

    side: Tensor
    pes: Tensor
    stacked: Tensor
    array_rows: Tensor
    array_cols: Tensor
    array_side: Tensor
    pe_trees: Tensor
    trees: Tensor
    sum_bit: Tensor
    pe_output_bit: Tensor
    pe_sum_bit: Tensor
    tile_sum_bit: Tensor
    input_register_bit: Tensor
    output_register_bit: Tensor
    input_bus_m: Tensor
    output_bus_m: Tensor
    input_buffer: Buffer
    output_buffer: Buffer
    bus_bit: Tensor
    tree: HTree
    areas_m2: dict[str, Tensor]
    leakages_W: dict[str, Tensor]

    @property
    def area_m2(self) -> Tensor:
        """Area of one tile, white space inside subarrays included."""
        return add_up(self.areas_m2.values())

    @property
    def side_m(self) -> Tensor:
        """Side of the tile, laid out as a square."""
        return torch.sqrt(self.area_m2)


def subarray_sum_bit(*, design: DesignBatch) -> Tensor:
    """Bits of one result of a subarray after weight and input shift-add."""
    return torch.floor(
        design.adc_bits
        + torch.ceil(torch.log2(row_groups(design)) - 1e-9)
        + design.input_bits
        + (design.weight_slices - columns_joined(design)) * design.cell_bits
        + 1
        + 1e-9
    )


def build_tile(
    *,
    design: DesignBatch,
    parts: Parts,
    side: Tensor,
    pes: Tensor,
    stacked: Tensor,
    pes_wide: Tensor,
    grid: Tensor,
) -> Tile:
    """Build one kind of tile.

    Args:
        design: ``*batch``.
        parts: subarray, registers, adders and wires.
        side: cells along a PE.
        pes: PEs per tile.
        stacked: PEs whose results are added up (rows of PEs, or kernel positions).
        pes_wide: PEs side by side, each with its own outputs.
        grid: PEs along the longer side of the tile's floorplan.
    """
    array, register = parts.subarray, parts.register
    rows, cols, mux = design.rows, design.cols, design.mux_ratio
    array_rows, array_cols = torch.ceil(side / rows), torch.ceil(side / cols)
    array_side = torch.ceil(torch.sqrt(array_rows * array_cols) - 1e-9)
    growth = torch.ceil(torch.log2(array_side) - 1e-9)
    sum_bit = subarray_sum_bit(design=design)
    # PE: adder tree over the arrays of a column, registers on both sides, buses over the arrays
    pe_trees = array_side * cols / mux
    pe_tree = adder_tree(cell=parts.adder, inputs=array_side, bits=sum_bit)
    input_bit = design.input_bits * rows
    output_bit = torch.floor(cols / mux + 1e-9) * (sum_bit + growth)
    grid_height, grid_width = array_side * array.height_m, array_side * array.width_m
    input_register_m2 = grid_height * register.width_in_height(input_bit, grid_height)
    output_register_m2 = grid_width * register.height_in_width(output_bit, grid_width)
    pe_tree_m2 = pe_trees * pe_tree.bit_adders * parts.adder.bit_area_m2
    # The reference lays every PE out as a square of arrays, filled or not.
    arrays = torch.where(design.bounding_box, array_side**2, array_rows * array_cols)
    arrays_m2 = arrays * array.area_m2
    pe_m2 = arrays_m2 + pe_tree_m2 + input_register_m2 + output_register_m2
    # Tile: sums over PEs, buffers, H-tree
    extra = torch.where(
        design.sqrt_width,
        torch.ceil(torch.sqrt(array_rows * array_cols) - 1e-9),
        growth,
    )
    pe_sum_bit = sum_bit + extra
    tile_growth = torch.ceil(torch.log2(stacked) - 1e-9)
    trees = torch.ceil(pes_wide * side / mux - 1e-9)
    tile_tree = adder_tree(cell=parts.adder, inputs=stacked, bits=pe_sum_bit)
    served = torch.where(design.buffers_per_side, stacked, pes)
    input_buffer = banked(
        design=design,
        register=register,
        capacity_bit=served * input_bit,
        core_bit=design.tile_core_bit,
        line_bit=design.tile_line_bit,
        small_line_bit=served * rows,
        banks=design.tile_banks,
        clock_s=array.clock_s,
    )
    output_buffer = banked(
        design=design,
        register=register,
        capacity_bit=(pe_sum_bit + tile_growth) * served * cols / mux,
        core_bit=design.tile_core_bit,
        line_bit=design.tile_line_bit,
        small_line_bit=served * (pe_sum_bit + tile_growth),
        banks=design.tile_banks,
        clock_s=array.clock_s,
    )
    halves = has_halves(design)
    input_buffer = doubled(design=design, buffer=input_buffer, where=halves)
    output_buffer = doubled(design=design, buffer=output_buffer, where=halves)
    bus_bit = served * side
    pe_side_m = torch.sqrt(pe_m2)
    tree = h_tree(
        repeater=parts.tree_wire,
        units_per_side=grid,
        unit_height_m=pe_side_m,
        unit_width_m=pe_side_m,
        wires=bus_bit,
        fold=design.tile_fold,
    )
    tile_tree_m2 = trees * tile_tree.bit_adders * parts.adder.bit_area_m2
    input_bus = array.width_m * (array_side - 1)
    output_bus = array.height_m * (array_side - 1)
    pe_wires_m = input_bus * rows + output_bus * cols * array_side
    adder_bits = pes * pe_trees * pe_tree.bit_adders + trees * tile_tree.bit_adders
    leakages = {
        **{name: pes * array_rows * array_cols * own for name, own in array.leakages_W.items()},
        "adder_tree": parts.adder.bit_leakage_W * adder_bits,
        "buffer": pes * register.leakage_W * (input_bit + output_bit)
        + input_buffer.leakage_W
        + output_buffer.leakage_W,
        "interconnect": pes * parts.pe_wire.leakage_W_per_m * pe_wires_m
        + parts.tree_wire.leakage_W_per_m * tree.leakage_length_m * bus_bit,
    }
    used = {name: pes * arrays * area for name, area in array.areas_m2.items()}
    used_total = pes * arrays * array.used_area_m2
    return Tile(
        side=side,
        pes=pes,
        stacked=stacked,
        array_rows=array_rows,
        array_cols=array_cols,
        array_side=array_side,
        pe_trees=pe_trees,
        trees=trees,
        sum_bit=sum_bit,
        pe_output_bit=sum_bit + growth,
        pe_sum_bit=pe_sum_bit,
        tile_sum_bit=pe_sum_bit + tile_growth,
        input_register_bit=input_bit,
        output_register_bit=output_bit,
        input_bus_m=input_bus,
        output_bus_m=output_bus,
        input_buffer=input_buffer,
        output_buffer=output_buffer,
        bus_bit=bus_bit,
        tree=tree,
        areas_m2={
            **used,
            "white_space": (pes * arrays_m2 - used_total).clamp_min(0.0),
            "adder_tree": pes * pe_tree_m2 + tile_tree_m2,
            "buffer": pes * (input_register_m2 + output_register_m2)
            + input_buffer.area_m2
            + output_buffer.area_m2,
            "interconnect": tree.area_m2,
        },
        leakages_W=leakages,
    )
