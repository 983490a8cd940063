"""Word-line drivers: a flip-flop and level-selecting pass gates per row."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost import gate_sizing, gates
from archsim.cost.block import CircuitBlock, either
from archsim.cost.component.crossbar import CellArray
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.gating import line_toggles
from archsim.cost.reads import mux_turns

#: Pass gates per row: read, access, inhibit and ground for a resistive cell; on and off for SRAM.
_GATES_PER_ROW_NVM = 4.0
_GATES_PER_ROW_SRAM = 2.0
#: SRAM pass gates are sized with this factor against the word-line resistance.
SRAM_SIZING = 0.2
#: Elmore coefficients of a lumped and of a distributed RC (Rabaey, Digital Integrated Circuits).
_LUMPED, _DISTRIBUTED = 0.69, 0.38


def wordline_driver(*, design: DesignBatch, array: CellArray, register: FlipFlop) -> CircuitBlock:
    """Price the drivers on the left side of the array.

    Args:
        design: ``*batch``.
        array: the crossbar that is driven.
        register: one flip-flop.
    """
    technology = design.technology
    # Rows are spread over as many driver columns as the cell height asks for.
    slots = torch.floor(array.height_m / technology.cell_height_m + 1e-9).clamp_min(1.0)
    driver_columns = torch.ceil(design.rows / slots)
    slot = array.height_m / torch.ceil(design.rows / driver_columns)
    gates_of_row = either(
        design.is_sram,
        lambda: _sram(design, array, slot),
        lambda: _resistive(design, array, slot),
    )
    registers_m = register.width_in_height(design.rows, array.height_m)
    clocked = mux_turns(design) * design.rows * register.energy_J
    return CircuitBlock(
        height_m=array.height_m,
        width_m=driver_columns * gates_of_row.width_m + registers_m,
        latency_s=gates_of_row.latency_s,
        read_energy_J=clocked,
        row_energy_J=line_toggles(design) * gates_of_row.row_energy_J,
        leakage_W=design.rows * register.leakage_W,
    )


def _drain_argument_m(design: DesignBatch, slot_m: Tensor) -> Tensor:
    """Height passed to the drain-capacitance rule: the slot as laid out in this technology."""
    technology = design.technology
    return torch.where(
        technology.is_finfet, slot_m * technology.cell_height / gates.NOMINAL_HEIGHT, slot_m
    )


def _resistive(design: DesignBatch, array: CellArray, slot_m: Tensor) -> CircuitBlock:
    """Pass gates of one row for resistive cells; energy per mux step."""
    technology = design.technology
    width_n = 2 * technology.node_m * technology.wordline_gate_size
    width_p = width_n * technology.r_pn
    footprint = gates.footprint_m(technology, "inverter", 1, width_n, width_p, slot_m)
    drain = gates.drain_capacitance_F(
        technology, "inverter", 1, width_n, width_p, _drain_argument_m(design, slot_m)
    )
    gate_n = gates.gate_capacitance_F(technology, width_n)
    gate_p = gates.gate_capacitance_F(technology, width_p)
    # Both devices are rated with the n current, as the reference does.
    resistance = gates.parallel_ohm(
        gates.driving_n_ohm(technology, width_n),
        gates.driving_n_ohm(technology, width_p),
    )
    load = 2 * drain + 0.5 * (gate_n + gate_p) + array.c_wordline_F
    tau = resistance * load + 0.5 * array.r_wordline_ohm * array.c_wordline_F
    energy = (
        2 * drain * design.v_access_V**2
        + 3 * drain * design.v_read_V**2
        + 3 * (gate_n + gate_p) * technology.vdd_V**2
    )
    return CircuitBlock(
        width_m=_GATES_PER_ROW_NVM * footprint,
        row_energy_J=energy,
        latency_s=gates.stage_delay_s(tau),
    )


def _sram(design: DesignBatch, array: CellArray, slot_m: Tensor) -> CircuitBlock:
    """Pass gates of one row for SRAM; energy per mux step."""
    technology = design.technology
    width_n, width_p = transmission_gate_widths_m(
        design, array.r_wordline_ohm * technology.transmission_gate_ratio, 0.5 * SRAM_SIZING
    )
    footprint = gates.footprint_m(technology, "inverter", 1, width_n, width_p, slot_m)
    drain = gates.drain_capacitance_F(
        technology, "inverter", 1, width_n, width_p, _drain_argument_m(design, slot_m)
    )
    gate_n = gates.gate_capacitance_F(technology, width_n)
    gate_p = gates.gate_capacitance_F(technology, width_p)
    resistance = gates.parallel_ohm(
        gates.driving_n_ohm(technology, width_n),
        gates.driving_p_ohm(technology, width_p),
    )
    driver = _LUMPED * resistance * (2 * drain + 0.5 * (gate_n + gate_p))
    line = array.c_wordline_wire_F * (_LUMPED * resistance + _DISTRIBUTED * array.r_wordline_ohm)
    energy = 3 * drain * design.v_read_V**2 + (gate_n + gate_p) * technology.vdd_V**2
    return CircuitBlock(
        width_m=_GATES_PER_ROW_SRAM * footprint, row_energy_J=energy, latency_s=driver + line
    )


def transmission_gate_widths_m(
    design: DesignBatch, target_ohm: Tensor, factor: float
) -> tuple[Tensor, Tensor]:
    """Size the n and p device of a transmission gate of ``target_ohm``.

    Args:
        design: ``*batch``.
        target_ohm: wanted resistance of the pair.
        factor: share of the full-strength width that is used (0.5: two devices in parallel).
    """
    technology = design.technology
    unit = gate_sizing.unit_width_m(technology)
    return (
        gate_sizing.sized_width_m(
            technology, factor * gates.raw_resistance_n_ohm(technology, unit), target_ohm
        ),
        gate_sizing.sized_width_m(
            technology, factor * gates.raw_resistance_p_ohm(technology, unit), target_ohm
        ),
    )
