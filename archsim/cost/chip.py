"""The chip around the tiles: global bus, buffer, accumulation and digital units."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.component.adder import adder_tree
from archsim.cost.component.buffer import Buffer, banked
from archsim.cost.component.max_pool import MaxPool, max_pool
from archsim.cost.component.wire import HTree, Repeater, h_tree
from archsim.cost.correction import CorrectionUnit, correction
from archsim.cost.digital_unit import DigitalUnitCost, digital_unit
from archsim.cost.double_buffers import doubled, has_halves, in_rows, lines_elements
from archsim.cost.tile import Parts, Tile, build_tile
from archsim.plan import Floorplan, MappingPlan


@dataclass(frozen=True, eq=False)
class ChipBlocks:
    """Everything outside the tiles, and the two kinds of tile, ``*batch``.

    ``kernel_tile`` holds kernel-per-PE layers, ``matrix_tile`` all others. ``result_units`` results
    are taken per step by the global adders and ReLU units, ``layer_units`` of them by one layer.
    """

    kernel_tile: Tile
    matrix_tile: Tile
    wire: Repeater
    bus_bit: Tensor
    bus_tree: HTree
    kernel_bus_tree: HTree
    matrix_bus_tree: HTree
    tile_side_m: Tensor
    grid_height_m: Tensor
    grid_width_m: Tensor
    buffer: Buffer
    result_units: Tensor
    layer_units: Tensor
    sum_bit: Tensor
    sum_inputs: Tensor
    pool: MaxPool
    pool_units: Tensor
    correction: CorrectionUnit
    digital_unit: DigitalUnitCost
    areas_m2: dict[str, Tensor]
    leakages_W: dict[str, Tensor]


def build_chip(*, design: DesignBatch, parts: Parts, plan: MappingPlan) -> ChipBlocks:
    """Build tiles and global blocks for the floorplan of a plan.

    Args:
        design: ``*batch``.
        parts: shared building blocks.
        plan: tile sizes and counts.
    """
    floor = plan.floorplan
    kernel, matrix = _tiles(design, parts, floor)
    tile_side = torch.where(
        design.kernel_per_pe, torch.maximum(kernel.side_m, matrix.side_m), matrix.side_m
    )
    grid_height, grid_width = tile_side * floor.grid_rows, tile_side * floor.grid_cols
    layer_count = _layer_count(plan)
    stages = torch.where(design.pipeline, layer_count / floor.parts + 1, 1.0)
    widest = torch.where(
        design.kernel_per_pe,
        torch.maximum(floor.tile_side, floor.kernel_side) * stages,
        floor.tile_side,
    )
    result_units = torch.ceil(widest / design.mux_ratio - 1e-9)
    sum_inputs = (_tile_rows(design, plan) * (plan.layers.owned > 0)).amax(-1).clamp_min(1.0)
    sum_bit = matrix.sum_bit + torch.ceil(torch.log2(_arrays_summed(design, floor, stages)) - 1e-9)
    global_tree = adder_tree(cell=parts.adder, inputs=sum_inputs, bits=sum_bit)
    bus_bit = _bus_width_bit(design, plan)
    buffer = _global_buffer(design, parts, plan)
    pool = max_pool(design=design)
    pool_units = torch.floor(
        torch.maximum(floor.tile_side, floor.kernel_side) / design.mux_ratio + 1e-9
    )
    wire = parts.tree_wire

    def bus_tree_of(side_m: Tensor) -> HTree:
        return h_tree(
            repeater=wire,
            units_per_side=torch.maximum(floor.grid_rows, floor.grid_cols),
            unit_height_m=side_m,
            unit_width_m=side_m,
            wires=bus_bit,
            fold=design.fold,
        )

    bus_tree = bus_tree_of(tile_side)
    # The reference measures each layer's way with the side of its own kind of tile.
    as_reference = design.reference_lengths
    straight = bus_bit / design.fold * (wire.width_m * grid_height + wire.height_m * grid_width)
    # A chip for a network with residual adds has an adder and one more register bit per unit.
    residual = (plan.layers.added > 0).any(-1).to(torch.float64)
    corrected = correction(
        design=design,
        plan=plan,
        adder=parts.adder,
        register=parts.register,
        units=result_units,
        sum_bit=sum_bit,
    )
    unit = digital_unit(
        design=design, plan=plan, adder=parts.adder, register=parts.register, buffer=buffer
    )
    digital = (
        parts.register.area_m2 * result_units * (design.input_bits + residual)
        + parts.adder.bit_area_m2 * result_units * design.input_bits * residual
        + pool.area_m2 * pool_units
        + corrected.area_m2
    )
    adders = result_units * global_tree.bit_adders
    areas = {
        name: floor.kernel_tiles * kernel.areas_m2[name]
        + floor.matrix_tiles * matrix.areas_m2[name]
        for name in matrix.areas_m2
    }
    areas["adder_tree"] = areas["adder_tree"] + adders * parts.adder.bit_area_m2
    areas["buffer"] = areas["buffer"] + buffer.area_m2
    areas["interconnect"] = areas["interconnect"] + torch.where(
        design.is_h_tree, bus_tree.area_m2, straight
    )
    areas["digital"] = digital
    areas["digital_unit"] = unit.area_m2
    bus_length = torch.where(design.is_h_tree, bus_tree.leakage_length_m, grid_height + grid_width)
    leakages = {
        name: floor.kernel_tiles * kernel.leakages_W[name]
        + floor.matrix_tiles * matrix.leakages_W[name]
        for name in matrix.leakages_W
    }
    leakages["adder_tree"] = leakages["adder_tree"] + adders * parts.adder.bit_leakage_W
    leakages["buffer"] = leakages["buffer"] + buffer.leakage_W
    leakages["interconnect"] = (
        leakages["interconnect"] + wire.leakage_W_per_m * bus_length * bus_bit
    )
    leakages["digital"] = (
        parts.register.leakage_W * result_units * (design.input_bits + residual)
        + parts.adder.bit_leakage_W * result_units * design.input_bits * residual
        + corrected.leakage_W
    )
    leakages["digital_unit"] = unit.leakage_W
    return ChipBlocks(
        kernel_tile=kernel,
        matrix_tile=matrix,
        wire=wire,
        bus_bit=bus_bit,
        bus_tree=bus_tree,
        kernel_bus_tree=bus_tree_of(torch.where(as_reference, kernel.side_m, tile_side)),
        matrix_bus_tree=bus_tree_of(torch.where(as_reference, matrix.side_m, tile_side)),
        tile_side_m=tile_side,
        grid_height_m=grid_height,
        grid_width_m=grid_width,
        buffer=buffer,
        result_units=result_units,
        layer_units=torch.where(
            design.units_for_all, result_units, torch.ceil(result_units / stages - 1e-9)
        ),
        sum_bit=sum_bit,
        sum_inputs=sum_inputs,
        pool=pool,
        pool_units=pool_units,
        correction=corrected,
        digital_unit=unit,
        areas_m2=areas,
        leakages_W=leakages,
    )


def _tiles(design: DesignBatch, parts: Parts, floor: Floorplan) -> tuple[Tile, Tile]:
    """The kernel-per-PE tile and the matrix tile."""
    one = torch.ones_like(floor.kernel_pes)
    kernel = build_tile(
        design=design,
        parts=parts,
        side=floor.kernel_side,
        pes=floor.kernel_pes,
        stacked=floor.kernel_pes,
        pes_wide=one,
        grid=torch.ceil(torch.sqrt(floor.kernel_pes) - 1e-9),
    )
    across = floor.pes_per_side
    matrix = build_tile(
        design=design,
        parts=parts,
        side=floor.pe_side,
        pes=across**2,
        stacked=across,
        pes_wide=across,
        grid=across,
    )
    return kernel, matrix


def _layer_count(plan: MappingPlan) -> Tensor:
    """Matrices that work at the same time in a full pipeline; a shared block counts once."""
    layers = plan.layers
    once = (layers.owned > 0).to(torch.float64)
    return layers.over_layers(
        torch.where(layers.shared > 0, once, layers.instances * layers.active)
    )


def _tile_rows(design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Rows of tiles whose results the global adder joins, ``*batch layer``."""
    copies = torch.where(design.copies_in_tree.unsqueeze(-1), plan.extra_copies, 1.0)
    return plan.tile_rows * copies


def tile_rows_summed(*, design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Return the inputs of the global adder tree per layer, ``*batch layer``."""
    return _tile_rows(design, plan)


def _arrays_summed(design: DesignBatch, floor: Floorplan, stages: Tensor) -> Tensor:
    """Most arrays that one result is summed over, which sets the width of the global adder."""
    across = floor.pes_per_side
    in_matrix = torch.ceil(floor.pe_side / design.rows)
    in_kernel = torch.ceil(floor.kernel_side / design.rows)
    kernel_across = torch.ceil(torch.sqrt(floor.kernel_pes) - 1e-9)
    with_kernel = torch.maximum(in_matrix, in_kernel) * torch.maximum(across, kernel_across)
    return torch.where(design.kernel_per_pe, with_kernel, in_matrix * across) * stages


def _bus_width_bit(design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Width of the global bus: its bound, or the sum of tile widths halved until it fits."""
    floor, layers = plan.floorplan, plan.layers
    kernel = floor.kernel_side * torch.ceil(torch.sqrt(floor.kernel_pes) - 1e-9)
    with_results = 1 + 1 / design.mux_ratio
    per_tile = torch.where(
        plan.is_kernel, kernel.unsqueeze(-1), floor.tile_side.unsqueeze(-1)
    ) * with_results.unsqueeze(-1)
    once = torch.where(layers.shared > 0, (layers.owned > 0).to(torch.float64), layers.instances)
    users = torch.where(design.pipeline.unsqueeze(-1), plan.tiles, once * layers.active)
    total = layers.over_layers(per_tile * users)
    halvings = torch.ceil(torch.log2(total / design.max_width_bit) - 1e-9).clamp_min(0.0)
    return torch.where(design.width_halves, total / torch.exp2(halvings), design.max_width_bit)


def _global_buffer(design: DesignBatch, parts: Parts, plan: MappingPlan) -> Buffer:
    """Input maps of all layers at half occupancy (pipeline), the largest map, or lines of all."""
    layers = plan.layers
    maps = layers.map_elements * layers.instances * layers.active
    largest, cuts = maps.amax(-1), plan.floorplan.parts
    resident = layers.over_layers(maps) / 2 / cuts
    resident = torch.where(cuts > 1, torch.maximum(resident, largest), resident)
    elements = torch.where(design.pipeline, resident, largest)
    lines = in_rows(design)
    elements = torch.where(lines, lines_elements(plan=plan) / cuts, elements)
    buffer = banked(
        design=design,
        register=parts.register,
        capacity_bit=elements * design.input_bits,
        core_bit=design.global_core_bit,
        line_bit=design.global_line_bit,
        banks=design.global_banks,
        clock_s=parts.subarray.clock_s,
    )
    return doubled(design=design, buffer=buffer, where=has_halves(design) & ~lines)
