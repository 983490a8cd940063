"""Designs drawn at random from everything that a chip can be."""

from __future__ import annotations

import random

from archsim.arch.design import DesignBatch
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from tests.designs import make_design

#: Layers, and where a shared block goes.
Network = tuple[LayerTable, tuple[InsertionPoint, ...]]

NODES = ("65nm-lstp", "45nm-hp", "32nm-lstp", "22nm-lstp", "22nm-hp", "14nm-lstp", "10nm-lstp")
CHOICES: dict[str, tuple[object, ...]] = {
    "chip.crossbar.rows": (32, 64, 96, 128, 256),
    "chip.crossbar.cols": (64, 128, 256),
    "chip.crossbar.mux_ratio": (4, 8, 16, 32),
    "chip.precision.weight_bits": (4, 8),
    "chip.precision.input_bits": (1, 4, 8, 9),
    "chip.precision.encoding": ("offset", "differential", "separate-sign"),
    "chip.adc.kind": ("flash-current", "flash-voltage", "sar"),
    "chip.adc.bits": (3, 4, 5, 7, 8),
    "chip.adc.model": ("circuit", "circuit", "andrulis2024", "zigzag-imc"),
    "chip.read.signed_inputs": ("zero-point", "two-pass", "sign-plane"),
    "chip.read.rows_at_once": ("null", 1, 24, 32),
    "chip.read.gating": ("none", "used"),
    "chip.buffers.port_rule": ("capacity", "cores"),
    "chip.hierarchy.kernel_per_pe": ("true", "false"),
    "chip.hierarchy.duplication": ("none", "fill", "balance"),
    "chip.hierarchy.speed_up_degree": (1, 4, 8),
    "chip.hierarchy.copies": (1, 2, 3),
    "chip.hierarchy.tile": ("search", "search", 2, 6),
    "chip.buffers.tile_banks": ("null", "null", 1, 8),
    "chip.hierarchy.buffer_rule": ("per_pe", "per_side"),
    "chip.hierarchy.size_check": ("true", "false"),
    "chip.timing.pipeline": ("true", "false"),
    "chip.timing.overlap": ("none", "buffers", "rows"),
    "chip.buffers.global_banks": ("null", 3, 40),
    "chip.timing.count_padding": ("true", "false"),
    "chip.timing.copy_rule": ("tiles", "arrays"),
    "chip.accumulation.unit_rule": ("own", "all"),
    "chip.timing.clock_floor": (0.0, 1.0),
    "chip.interconnect.kind": ("xy-bus", "h-tree"),
    "chip.interconnect.width_rule": ("fixed", "halve"),
    "chip.interconnect.transfer_rule": ("pipelined", "whole_flight"),
    "chip.interconnect.length_rule": ("half_grid", "reference"),
    "chip.buffers.kind": ("register-file", "sram"),
    "chip.accumulation.result_rule": ("ceil", "floor"),
    "chip.accumulation.width_rule": ("log2", "sqrt"),
    "chip.accumulation.idle_pe_energy": ("true", "false"),
    "chip.accumulation.array_rule": ("all", "one_pe"),
    "chip.accumulation.copies_in_tree": ("true", "false"),
    "chip.area.white_space": ("none", "bounding_box"),
    "chip.activity.first_layer": ("uniform", "relu", "dense"),
    "chip.activity.hidden": ("relu", "dense"),
    "chip.programming.policy": ("none", "tsb", "all", "last-layers", "fraction"),
    "chip.programming.granularity": ("weight", "row"),
    "chip.programming.parallel_subarrays": (1, 4),
    "tsb.channels": (4, 16, 64, 128),
    "tsb.depth": (1, 2),
    "tsb.copies": (1, 3),
    "tsb.per_group": ("true", "false"),
}


def any_design(pick: random.Random) -> DesignBatch:
    """A design with every choice drawn at random."""
    device = pick.choice(("rram", "fefet", "sram", "pcm"))
    cell_bits = 1 if device == "sram" else pick.choice((1, 2, 4))
    overrides = [f"{path}={pick.choice(values)}" for path, values in CHOICES.items()]
    overrides.append(f"chip.precision.bits_per_cell={cell_bits}")
    return make_design(
        *overrides,
        node=pick.choice(NODES),
        device=device,
        design=pick.choice(("none", "common", "separate")),
    )
