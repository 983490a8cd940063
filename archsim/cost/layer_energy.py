"""Dynamic energy of every layer for one image.

Copies of a layer (weight duplication) share its vectors, so they never change its read energy. Sums
over PEs run over the four classes of :class:`archsim.cost.pieces.Pieces`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.chip import ChipBlocks, tile_rows_summed
from archsim.cost.component.adder import adder_tree
from archsim.cost.gating import running
from archsim.cost.layer_cycles import results_per_read, split_copies, tile_results, tile_sum_inputs
from archsim.cost.layer_tile import LayerTile
from archsim.cost.pieces import Pieces
from archsim.cost.subarray_energy import subarray_energy
from archsim.cost.tile import Parts
from archsim.cost.traffic import Traffic, register_lines
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class LayerEnergy:
    """Energy per component for one image and one instance, J, ``*batch layer``."""

    array: Tensor
    adc: Tensor
    mux: Tensor
    drivers: Tensor
    control: Tensor
    shift_add: Tensor
    adder_tree: Tensor
    buffer: Tensor
    interconnect: Tensor
    digital: Tensor
    digital_unit: Tensor


def layer_energy(
    *,
    design: DesignBatch,
    parts: Parts,
    chip: ChipBlocks,
    plan: MappingPlan,
    pieces: Pieces,
    tile: LayerTile,
    traffic: Traffic,
) -> LayerEnergy:
    """Price every layer's dynamic energy.

    Args:
        design: ``*batch``.
        parts: subarray, registers, adders and wires.
        chip: global blocks.
        plan: counts.
        pieces: PE pieces of every matrix.
        tile: tile of every layer.
        traffic: bits moved.
    """
    layers = plan.layers
    scale = layers.active * layers.instances
    arrays = _counted_arrays(design, plan, pieces, tile)
    reads = subarray_energy(design=design, parts=parts, plan=plan, pieces=arrays)
    return LayerEnergy(
        array=scale * reads.array,
        adc=scale * reads.adc,
        mux=scale * reads.mux,
        drivers=scale * reads.drivers,
        control=scale * reads.control,
        shift_add=scale * reads.shift_add,
        adder_tree=scale * _sums(design, parts, chip, plan, pieces, tile),
        buffer=scale * _buffers(design, parts, chip, plan, pieces, tile, traffic),
        interconnect=scale * _wires(design, parts, chip, plan, pieces, tile, traffic),
        digital=scale * _digital(design, parts, chip, plan),
        digital_unit=chip.digital_unit.energy_J,
    )


def _counted_arrays(
    design: DesignBatch, plan: MappingPlan, pieces: Pieces, tile: LayerTile
) -> Pieces:
    """Pieces whose subarrays are read: all, or (artefact) what fits where the copies are put."""
    if not bool(design.one_pe_arrays.any()):
        return pieces
    split = split_copies(design=design, plan=plan, pieces=pieces, tile=tile)
    one_array = pieces.whole_tile & ~split.sums_in_pe
    one_pe = pieces.whole_tile & (split.in_pe == 1)
    counted = design.one_pe_arrays.unsqueeze(-1)

    def bound(array_side: Tensor) -> Tensor:
        capped = torch.where(one_pe, tile.side, torch.inf)
        capped = torch.where(one_array, array_side.unsqueeze(-1), capped)
        return torch.where(counted, capped, torch.inf)

    most_rows, most_cols = bound(design.rows), bound(design.cols)
    return dataclasses.replace(
        pieces,
        rows=torch.minimum(pieces.rows, most_rows),
        last_rows=torch.minimum(pieces.last_rows, most_rows),
        cols=torch.minimum(pieces.cols, most_cols),
        last_cols=torch.minimum(pieces.last_cols, most_cols),
    )


def _sums(
    design: DesignBatch,
    parts: Parts,
    chip: ChipBlocks,
    plan: MappingPlan,
    pieces: Pieces,
    tile: LayerTile,
) -> Tensor:
    """Adder trees of PEs, tiles and chip."""
    layers, adder = plan.layers, parts.adder.per_layer()
    rows, cols = design.rows.unsqueeze(-1), design.cols.unsqueeze(-1)
    mux = design.mux_ratio.unsqueeze(-1)
    split = split_copies(design=design, plan=plan, pieces=pieces, tile=tile)
    results = layers.vectors * results_per_read(design=design).unsqueeze(-1)
    sum_bit = chip.matrix_tile.sum_bit.unsqueeze(-1)

    def in_pe(piece_rows: Tensor, piece_cols: Tensor) -> Tensor:
        stacked = torch.ceil(piece_rows / rows)
        tree = adder_tree(cell=adder, inputs=stacked, bits=sum_bit)
        # With copies inside a PE the reference charges the tree once per array of the piece.
        repeats = torch.where(split.in_pe > 1, stacked * torch.ceil(piece_cols / cols), 1.0)
        trees = running(design=design, used=torch.ceil(piece_cols / mux), there=tile.pe_trees)
        return repeats * tree.energy_J * torch.minimum(trees, tile.pe_trees)

    pe = torch.where(split.sums_in_pe, pieces.total(in_pe) * results, 0.0)
    stacked = tile_sum_inputs(plan=plan, pieces=pieces, tile=tile)
    tree = adder_tree(cell=adder, inputs=stacked.clamp_min(1.0), bits=tile.pe_sum_bit)
    all_trees = tile.trees * plan.tile_cols
    trees = running(design=design, used=torch.ceil(layers.columns / mux), there=all_trees)
    tiles = (
        tree.energy_J
        * torch.minimum(trees, all_trees)
        * tile_results(design=design, plan=plan)
        * plan.tile_rows
    )
    summed = tile_rows_summed(design=design, plan=plan)
    chip_tree = adder_tree(cell=adder, inputs=summed, bits=chip.sum_bit.unsqueeze(-1))
    return pe + tiles + chip_tree.energy_J * _results(design, chip.layer_units, plan)


def _results(design: DesignBatch, units: Tensor, plan: MappingPlan) -> Tensor:
    """Results that units behind the tiles work on: with all units in every step, or those used."""
    layers, units = plan.layers, units.unsqueeze(-1)
    outputs = layers.weights_wide * layers.vectors
    return running(design=design, used=outputs, there=torch.ceil(outputs / units) * units)


def _buffers(
    design: DesignBatch,
    parts: Parts,
    chip: ChipBlocks,
    plan: MappingPlan,
    pieces: Pieces,
    tile: LayerTile,
    traffic: Traffic,
) -> Tensor:
    """PE registers, tile buffers and global buffer."""

    def registers(rows: Tensor, cols: Tensor) -> Tensor:
        lines_in, lines_out = register_lines(
            design=design, plan=plan, tile=tile, rows=rows, cols=cols
        )
        return lines_in * tile.input_register_bit + lines_out * tile.output_register_bit

    pe = pieces.total(registers) * parts.register.energy_J.unsqueeze(-1)
    tile_in, tile_out = _tile_bits(design, plan, tile)
    tiles = tile_in * tile.input_J_per_bit + tile_out * tile.output_J_per_bit
    chip_level = traffic.chip_in_bit * chip.buffer.read_J_per_bit.unsqueeze(
        -1
    ) + traffic.chip_out_bit * chip.buffer.write_J_per_bit.unsqueeze(-1)
    return pe + tiles + chip_level


def _tile_bits(design: DesignBatch, plan: MappingPlan, tile: LayerTile) -> tuple[Tensor, Tensor]:
    """Bits into and out of all tiles of one copy of a layer."""
    layers = plan.layers
    reads = layers.vectors * design.input_bits.unsqueeze(-1)
    rows = torch.where(plan.is_kernel, layers.rows / torch.sqrt(layers.kernel_area), layers.rows)
    # Packs of a grouped layer have inputs of their own, which go to one tile only.
    grouped = layers.input_rows > layers.rows
    into = reads * torch.where(grouped, layers.input_rows, rows * plan.tile_cols)
    out = layers.weights_wide * tile.tile_sum_bit * layers.vectors * plan.tile_rows
    return into, out


def _wires(
    design: DesignBatch,
    parts: Parts,
    chip: ChipBlocks,
    plan: MappingPlan,
    pieces: Pieces,
    tile: LayerTile,
    traffic: Traffic,
) -> Tensor:
    """PE buses, tile H-trees and global interconnect."""
    layers = plan.layers
    toggle_in, toggle_out = design.toggle_in.unsqueeze(-1), design.toggle_out.unsqueeze(-1)
    reads = layers.vectors * design.input_bits.unsqueeze(-1)
    per_weight = design.columns_per_weight.unsqueeze(-1)

    def bus(rows: Tensor, cols: Tensor) -> Tensor:
        weights = torch.floor(cols / per_weight + 1e-9)
        into = toggle_in * tile.input_bus_m * rows * reads
        out = toggle_out * tile.output_bus_m * weights * tile.pe_output_bit * layers.vectors
        return into + out

    pe = pieces.total(bus) * parts.pe_wire.energy_J_per_m.unsqueeze(-1)
    tile_in, tile_out = _tile_bits(design, plan, tile)
    tiles = tile.tree_length_m * (toggle_in * tile_in + toggle_out * tile_out)
    moved_in, moved_out = toggle_in * traffic.chip_in_bit, toggle_out * traffic.chip_out_bit
    straight = moved_in * traffic.bus_in_m + moved_out * traffic.bus_out_m.clamp_min(0.0)
    width = traffic.tree_width_bit
    tree = (
        tile.bus_length_m
        * width
        * (torch.ceil(moved_in / width - 1e-9) + torch.ceil(moved_out / width - 1e-9))
    )
    chip_level = torch.where(design.is_h_tree.unsqueeze(-1), tree, straight)
    return pe + chip.wire.energy_J_per_m.unsqueeze(-1) * (tiles + chip_level)


def _digital(design: DesignBatch, parts: Parts, chip: ChipBlocks, plan: MappingPlan) -> Tensor:
    """ReLU registers, max-pool units, residual adds (with the reading of inputs), corrections."""
    layers = plan.layers
    outputs = layers.weights_wide * layers.vectors
    pools = chip.pool_units.unsqueeze(-1)
    relu = (
        _results(design, chip.layer_units, plan)
        * design.input_bits.unsqueeze(-1)
        * parts.register.energy_J.unsqueeze(-1)
    )
    pool = (
        layers.pooled
        * running(
            design=design,
            used=outputs / layers.pool_factor,
            there=torch.ceil(outputs / layers.pool_factor / pools) * pools,
        )
        * chip.pool.energy_J.unsqueeze(-1)
    )
    bits = design.input_bits.unsqueeze(-1)
    fetched = 2 * bits * chip.buffer.read_J_per_bit.unsqueeze(-1)
    stored = (bits + 1) * parts.register.energy_J.unsqueeze(-1)
    add = layers.added * (parts.adder.per_layer().energy_J(bits) + fetched + stored)
    corrected = chip.correction.layers * outputs * chip.correction.energy_J.unsqueeze(-1)
    return relu + pool + add + corrected
