"""Tile properties as seen by each layer: picked from the two kinds of tile."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.cost.chip import ChipBlocks
from archsim.cost.component.wire import HTree
from archsim.cost.tile import Tile
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class LayerTile:
    """The tile that a layer lives in, ``*batch layer``; names as in :class:`Tile`."""

    side: Tensor
    stacked: Tensor
    array_rows: Tensor
    array_cols: Tensor
    array_side: Tensor
    pe_trees: Tensor
    trees: Tensor
    pe_output_bit: Tensor
    pe_sum_bit: Tensor
    tile_sum_bit: Tensor
    input_register_bit: Tensor
    output_register_bit: Tensor
    input_bus_m: Tensor
    output_bus_m: Tensor
    bus_bit: Tensor
    input_line_bit: Tensor
    input_ports: Tensor
    input_J_per_bit: Tensor
    output_line_bit: Tensor
    output_ports: Tensor
    output_J_per_bit: Tensor
    flight_s: Tensor
    tree_length_m: Tensor
    side_m: Tensor
    bus_flight_s: Tensor
    bus_length_m: Tensor


_PLAIN = (
    "side",
    "stacked",
    "array_rows",
    "array_cols",
    "array_side",
    "pe_trees",
    "trees",
    "pe_output_bit",
    "pe_sum_bit",
    "tile_sum_bit",
    "input_register_bit",
    "output_register_bit",
    "input_bus_m",
    "output_bus_m",
    "bus_bit",
    "side_m",
)


def _flatten(tile: Tile, bus: HTree) -> dict[str, Tensor]:
    """All fields of :class:`LayerTile` from one kind of tile."""
    values = {name: getattr(tile, name) for name in _PLAIN}
    values["input_line_bit"] = tile.input_buffer.line_bit
    values["input_ports"] = tile.input_buffer.ports
    values["input_J_per_bit"] = (
        tile.input_buffer.read_J_per_bit + tile.input_buffer.write_J_per_bit
    ) / 2
    values["output_line_bit"] = tile.output_buffer.line_bit
    values["output_ports"] = tile.output_buffer.ports
    values["output_J_per_bit"] = (
        tile.output_buffer.read_J_per_bit + tile.output_buffer.write_J_per_bit
    ) / 2
    values["flight_s"] = tile.tree.flight_s
    values["tree_length_m"] = tile.tree.energy_length_m
    values["bus_flight_s"] = bus.flight_s
    values["bus_length_m"] = bus.energy_length_m
    return values


def pick_tiles(*, chip: ChipBlocks, plan: MappingPlan) -> LayerTile:
    """Pick each layer's tile.

    Args:
        chip: with both kinds of tile, ``*batch``.
        plan: says which kind a layer uses, ``*batch layer``.
    """
    kernel = _flatten(chip.kernel_tile, chip.kernel_bus_tree)
    matrix = _flatten(chip.matrix_tile, chip.matrix_bus_tree)
    return LayerTile(
        **{
            name: torch.where(plan.is_kernel, kernel[name][..., None], matrix[name][..., None])
            for name in kernel
        }
    )
