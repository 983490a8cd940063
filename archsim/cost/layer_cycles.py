"""Clock cycles of every layer for one image.

Within a layer, reading the arrays, adding up, moving data and the digital units follow one another
(no overlap); layers overlap only in the pipeline. Copies of a layer (weight
duplication) share its vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.chip import ChipBlocks, tile_rows_summed
from archsim.cost.component.adder import tree_delay_s
from archsim.cost.layer_tile import LayerTile
from archsim.cost.pieces import Pieces
from archsim.cost.reads import array_reads
from archsim.cost.tile import Parts
from archsim.cost.traffic import Traffic
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class LayerCycles:
    """Cycles per component for one image, ``*batch layer``.

    ``over_chip`` are those in which the global buffer or the global wires are busy, the longer of
    the two; they are part of ``buffer`` and ``interconnect``, and all layers share them. As there,
    the channel groups of a separate shared block are taken to have wires of their own.
    """

    array: Tensor
    shift_add: Tensor
    adder_tree: Tensor
    buffer: Tensor
    interconnect: Tensor
    digital: Tensor
    digital_unit: Tensor
    over_chip: Tensor

    @property
    def total(self) -> Tensor:
        """All cycles of a layer."""
        return (
            self.array
            + self.shift_add
            + self.adder_tree
            + self.buffer
            + self.interconnect
            + self.digital
            + self.digital_unit
        )


@dataclass(frozen=True, eq=False)
class CopySplit:
    """How copies divide the work of a PE and of a tile, ``*batch layer``.

    ``in_pe`` copies inside one PE divide reads and sums, ``in_tile`` PEs divide everything that
    happens in a PE, ``over_tiles`` whole-tile copies what happens in a tile; ``sums_in_pe`` is
    false where a copy fits one subarray and nothing is added.
    """

    in_pe: Tensor
    in_tile: Tensor
    sums_in_pe: Tensor
    over_tiles: Tensor


def split_copies(
    *, design: DesignBatch, plan: MappingPlan, pieces: Pieces, tile: LayerTile
) -> CopySplit:
    """Say where a layer's copies sit: inside PEs, over the PEs of a tile, or over tiles."""
    across = plan.floorplan.pes_per_side.unsqueeze(-1)
    rows, cols = plan.copies_rows, plan.copies_cols
    pe_rows, pe_cols = torch.ceil(rows / across), torch.ceil(cols / across)
    in_pe = torch.where(pieces.whole_tile, pe_rows * pe_cols, 1.0)
    fits_one_array = (pe_rows >= tile.array_rows) & (pe_cols >= tile.array_cols) & (in_pe > 1)
    return CopySplit(
        in_pe=in_pe,
        in_tile=torch.where(pieces.whole_tile, across**2, rows * cols),
        sums_in_pe=~(pieces.whole_tile & fits_one_array),
        over_tiles=torch.where(
            design.copies_only_arrays.unsqueeze(-1),
            1.0,
            _whole_vectors(design, plan.layers.vectors, plan.extra_copies),
        ),
    )


def _whole_vectors(design: DesignBatch, vectors: Tensor, copies: Tensor) -> Tensor:
    """Speed-up by copies that share out whole vectors: the busiest one has ceil(n / copies)."""
    busiest = torch.ceil(vectors / copies - 1e-9).clamp_min(1.0)
    shared = (vectors / busiest).clamp_min(1.0)
    return torch.where(design.copies_only_arrays.unsqueeze(-1), copies, shared)


def results_per_read(*, design: DesignBatch) -> Tensor:
    """Results an ADC delivers per vector: weights per ADC, at least one unless floored away."""
    ratio = design.mux_ratio / design.columns_per_weight
    return torch.where(design.floor_results, torch.floor(ratio + 1e-9), torch.ceil(ratio - 1e-9))


def layer_cycles(
    *,
    design: DesignBatch,
    parts: Parts,
    chip: ChipBlocks,
    plan: MappingPlan,
    pieces: Pieces,
    tile: LayerTile,
    traffic: Traffic,
) -> LayerCycles:
    """Count the cycles of every layer.

    Args:
        design: ``*batch``.
        parts: subarray and adders.
        chip: global blocks.
        plan: counts.
        pieces: PE pieces of every matrix.
        tile: tile of every layer.
        traffic: bits moved.
    """
    layers = plan.layers
    array = parts.subarray
    frequency = 1 / torch.maximum(array.clock_s, design.clock_floor_s)
    rate = frequency.unsqueeze(-1)
    split = split_copies(design=design, plan=plan, pieces=pieces, tile=tile)
    reads = layers.vectors * array_reads(design=design, layers=layers, rows_held=pieces.rows)
    divided = _whole_vectors(design, layers.vectors, split.in_pe * split.in_tile)
    results = layers.vectors * results_per_read(design=design).unsqueeze(-1)
    stacked_arrays = torch.ceil(pieces.rows / design.rows.unsqueeze(-1))

    adder = parts.adder.per_layer()

    def sum_cycles(inputs: Tensor, bits: Tensor) -> Tensor:
        return torch.ceil(rate * tree_delay_s(cell=adder, inputs=inputs, bits=bits) - 1e-9)

    sum_bit = chip.matrix_tile.sum_bit.unsqueeze(-1)
    pe_sum = torch.where(
        split.sums_in_pe, sum_cycles(stacked_arrays, sum_bit) * results / divided, 0.0
    )
    stacked = tile_sum_inputs(plan=plan, pieces=pieces, tile=tile)
    tile_sum = torch.where(
        stacked > 0,
        sum_cycles(stacked, tile.pe_sum_bit)
        * tile_results(design=design, plan=plan)
        / split.over_tiles,
        0.0,
    )
    summed = tile_rows_summed(design=design, plan=plan)
    outputs = layers.weights_wide * layers.vectors
    units = chip.layer_units.unsqueeze(-1)
    global_sum = torch.where(
        summed > 1,
        sum_cycles(summed, chip.sum_bit.unsqueeze(-1)) * torch.ceil(outputs / units),
        0.0,
    )
    relu = torch.ceil(outputs / units)
    pooling = (
        layers.pooled
        * 3
        * torch.ceil(rate * chip.pool.delay_s.unsqueeze(-1) - 1e-9)
        * torch.ceil(outputs / layers.pool_factor / chip.pool_units.unsqueeze(-1))
    )
    # Residual adds go through the units of the activations, one value each per adder delay.
    add_delay = adder.delay_s(design.input_bits.unsqueeze(-1))
    adding = torch.ceil(layers.added / units) * torch.ceil(rate * add_delay - 1e-9)
    # So do the corrections, of every output.
    correct_delay = chip.correction.delay_s.unsqueeze(-1)
    correcting = chip.correction.layers * relu * torch.ceil(rate * correct_delay - 1e-9)
    on = layers.active
    buffer, of_buffer = _buffer_cycles(chip, tile, traffic, split)
    wires, of_wires = _wire_cycles(design, chip, plan, tile, traffic, split, rate)
    return LayerCycles(
        array=on * reads * array.adc_cycles.unsqueeze(-1) / divided,
        shift_add=on * reads * array.accumulation_cycles.unsqueeze(-1) / divided,
        adder_tree=on * (pe_sum + tile_sum + global_sum),
        buffer=on * buffer,
        interconnect=on * wires,
        digital=on * (relu + pooling + adding + correcting),
        digital_unit=chip.digital_unit.steps
        * torch.ceil(rate * chip.digital_unit.delay_s.unsqueeze(-1) - 1e-9),
        over_chip=on * torch.maximum(of_buffer, of_wires),
    )


def tile_sum_inputs(*, plan: MappingPlan, pieces: Pieces, tile: LayerTile) -> Tensor:
    """Inputs of the tile's adder trees; 0 where a PE's result leaves the tile unsummed.

    Kernel positions are always summed; a matrix without copies uses all rows of PEs; a copied one
    only those that hold different weights.
    """
    floor = plan.floorplan
    down = torch.ceil(
        torch.minimum(plan.layers.rows, floor.tile_side.unsqueeze(-1)) / floor.pe_side.unsqueeze(-1)
    )
    copied = torch.where(down > 1, down, 0.0)
    copied = torch.where(pieces.whole_tile, 0.0, copied)
    matrix = torch.where(pieces.single, tile.stacked, copied)
    return torch.where(plan.is_kernel, tile.stacked, matrix)


def tile_results(*, design: DesignBatch, plan: MappingPlan) -> Tensor:
    """Results that each tile adder takes per image: per vector, those of one ADC."""
    ratio = (design.mux_ratio / design.columns_per_weight).unsqueeze(-1)
    per_vector = torch.where(
        plan.is_kernel, results_per_read(design=design).unsqueeze(-1), torch.ceil(ratio - 1e-9)
    )
    return plan.layers.vectors * per_vector


def _buffer_cycles(
    chip: ChipBlocks, tile: LayerTile, traffic: Traffic, split: CopySplit
) -> tuple[Tensor, Tensor]:
    """PE registers, tile buffers and global buffer, one line per cycle and core; the last alone."""
    registers = (traffic.input_lines + traffic.output_lines) / split.in_tile

    def moved(bits: Tensor, line: Tensor, ports: Tensor) -> Tensor:
        return bits / line / torch.minimum(ports, torch.ceil(tile.bus_bit / line))

    tiles = moved(traffic.tile_in_bit, tile.input_line_bit, tile.input_ports) + moved(
        traffic.tile_out_bit, tile.output_line_bit, tile.output_ports
    )
    line = chip.buffer.line_bit.unsqueeze(-1)
    ports = torch.minimum(
        chip.buffer.ports.unsqueeze(-1), torch.ceil(chip.bus_bit.unsqueeze(-1) / line)
    )
    chip_level = (traffic.chip_in_bit + traffic.chip_out_bit) / line / ports
    return registers + tiles / split.over_tiles + chip_level, chip_level


def _wire_cycles(
    design: DesignBatch,
    chip: ChipBlocks,
    plan: MappingPlan,
    tile: LayerTile,
    traffic: Traffic,
    split: CopySplit,
    rate: Tensor,
) -> tuple[Tensor, Tensor]:
    """Tile H-tree and global bus or tree; the latter alone."""
    whole = design.whole_flight.unsqueeze(-1)

    def flights(seconds: Tensor, transfers: Tensor) -> Tensor:
        """Cycles of a number of transfers: each waits for the flight, or they follow closely."""
        flight = torch.ceil(rate * seconds - 1e-9)
        behind = transfers + torch.where(transfers > 0, (flight - 1).clamp_min(0.0), 0.0)
        return torch.where(whole, flight * transfers, torch.where(flight > 0, behind, 0.0))

    inside = flights(
        tile.flight_s,
        (traffic.tile_in_bit + traffic.tile_out_bit) / split.over_tiles / tile.bus_bit,
    )
    wire, width = chip.wire, chip.bus_bit.unsqueeze(-1)
    floor = plan.floorplan
    delay_x = wire.delay_s_for(chip.grid_width_m.unsqueeze(-1))
    delay_y = wire.delay_s_for(chip.grid_height_m.unsqueeze(-1))
    tile_rows = plan.tile_rows * plan.extra_copies
    # A layer taller than the grid cannot take more from the bus than it carries.
    least = torch.where(whole, 0.0, 1.0)
    share_in = torch.maximum(floor.grid_rows.unsqueeze(-1) / tile_rows, least)
    share_out = torch.maximum(floor.grid_cols.unsqueeze(-1) / plan.tile_cols, least)
    down = torch.ceil(traffic.chip_in_bit / width * share_in - 1e-9)
    back = torch.ceil(traffic.chip_out_bit / width * share_out - 1e-9)
    straight = flights(traffic.bus_in_m * delay_x, down) + flights(
        traffic.bus_out_m.clamp_min(0.0) * delay_y, back
    )
    tree = flights(
        tile.bus_flight_s,
        torch.ceil((traffic.chip_in_bit + traffic.chip_out_bit) / traffic.tree_width_bit - 1e-9),
    )
    chip_level = torch.where(design.is_h_tree.unsqueeze(-1), tree, straight)
    return inside + chip_level, chip_level
