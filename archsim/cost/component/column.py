"""Column periphery: the mux in front of the ADCs, its decoder, and the source-line switches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost import gate_sizing, gates
from archsim.cost.block import CircuitBlock, either
from archsim.cost.component.crossbar import CellArray
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.component.wordline_driver import SRAM_SIZING, transmission_gate_widths_m
from archsim.cost.reads import mux_turns, rows_read
from archsim.cost.standard_cells import standard_cells

#: The mux may add this share to the resistance it passes.
_MUX_RESISTANCE_SHARE = 0.25
#: Settling of the mux node: ln 10 time constants, rounded as the reference does.
_MUX_SETTLING = 2.3


def _row_of_gates(
    design: DesignBatch, array: CellArray, pitches: float, pairs: float
) -> tuple[Tensor, Tensor]:
    """Return (rows of gates, fingers per gate) for one gate per column along the array width."""
    pitch = design.technology.pitch_m
    per_row = torch.floor(array.width_m / (pitches * pitch) + 1e-9).clamp_min(1.0)
    gate_rows = torch.ceil(design.cols / per_row)
    slot = array.width_m / torch.ceil(design.cols / gate_rows) / pairs
    return gate_rows, (torch.floor(slot / pitch + 1e-9) - 1).clamp_min(1.0)


@dataclass(frozen=True, eq=False)
class ColumnMux:
    """The mux block and the gate loads that its decoder drives, F per select line."""

    block: CircuitBlock
    select_n_F: Tensor
    select_p_F: Tensor


def column_mux(*, design: DesignBatch, array: CellArray) -> ColumnMux:
    """Price the transmission gates that connect ``mux_ratio`` columns to one ADC.

    Args:
        design: ``*batch``.
        array: the crossbar.
    """
    technology = design.technology
    line = torch.where(
        design.is_sram,
        array.r_access_ohm / torch.floor(rows_read(design) / 2).clamp_min(1.0),
        array.r_mean_ohm / rows_read(design),
    )
    width_n, width_p = transmission_gate_widths_m(design, _MUX_RESISTANCE_SHARE * line, 0.5)
    gate_rows, fingers = _row_of_gates(design, array, pitches=2.0, pairs=1.0)
    height = gate_rows * gate_sizing.pass_gate_height_m(technology, width_n, width_p, fingers)
    one_finger = gate_sizing.pass_gate_height_m(
        technology, width_n, width_p, torch.ones_like(fingers)
    )
    drain = gates.drain_capacitance_F(technology, "inverter", 1, width_n, width_p, one_finger)
    gate_n = gates.gate_capacitance_F(technology, width_n)
    gate_p = gates.gate_capacitance_F(technology, width_p)
    resistance = gates.parallel_ohm(
        gates.driving_n_ohm(technology, width_n),
        gates.driving_p_ohm(technology, width_p),
    )
    adcs = design.cols / design.mux_ratio
    per_step = adcs * (gate_n * technology.vdd_V**2 + 2 * drain * design.v_read_V**2)
    block = CircuitBlock(
        height_m=height,
        width_m=array.width_m,
        latency_s=_MUX_SETTLING * resistance * (drain + 0.5 * (gate_n + gate_p)),
        read_energy_J=mux_turns(design) * per_step,
    )
    return ColumnMux(block, adcs * gate_n, adcs * gate_p)


def mux_decoder(*, design: DesignBatch, mux: ColumnMux) -> CircuitBlock:
    """Price the decoder that steps the mux through its positions.

    Two-bit NAND predecoders, NORs above two address bits, and an inverter chain per select line.

    Args:
        design: ``*batch``.
        mux: the gates that it drives.
    """
    technology = design.technology
    node, vdd = technology.node_m, technology.vdd_V
    address = torch.log2(design.mux_ratio)
    cells = standard_cells(technology)
    inverter, nand, driver = cells.big_inverter, cells.big_nand2, cells.mux_driver
    nor = cells.decoder_nor(torch.ceil(address / 2))
    predecoders = 4 * torch.floor(address / 2)
    has_nor = address > 2
    nors = torch.where(has_nor, torch.exp2(address), 0.0)
    tracks = torch.where(has_nor, predecoders + 2 * torch.remainder(address, 2), 0.0)
    width = (
        inverter.width_m
        + 2 * nand.width_m
        + tracks * technology.metal3_pitch * node
        + nor.width_m
        + 2 * driver.width_m
    )
    nor_in = torch.where(has_nor, nor.c_in_F, 0.0)
    nor_out = torch.where(has_nor, nor.c_out_F, 0.0)
    odd = torch.remainder(address, 2)
    switched = (
        (inverter.c_in_F + 2 * nand.c_in_F) * 2 * torch.floor(address / 2)
        + (inverter.c_in_F + nor_in * nors / 2) * odd
        + (nand.c_out_F + nor_in * nors / 4) * predecoders / 4
        + (nor_out + nand.c_in_F)
        + (nand.c_out_F + driver.c_in_F)
        + (driver.c_out_F + driver.c_in_F)
        + driver.c_out_F
    )
    leakage = (
        (address + 2 * nors) * inverter.leakage_A
        + (predecoders + nors) * nand.leakage_A
        + nors * nor.leakage_A
    )
    return CircuitBlock(
        height_m=technology.cell_height_m * torch.maximum(nors, predecoders),
        width_m=width,
        latency_s=_decoder_delay_s(inverter, nand, nor, driver, nors, mux),
        read_energy_J=mux_turns(design) * design.control_activity * vdd**2 * switched,
        leakage_W=vdd * leakage,
    )


def _decoder_delay_s(
    inverter: gates.Gate,
    nand: gates.Gate,
    nor: gates.Gate,
    driver: gates.Gate,
    nors: Tensor,
    mux: ColumnMux,
) -> Tensor:
    """Delay from address to select line; without NORs the predecoders drive the select lines."""
    has_nor = nors > 0
    first = gates.stage_delay_s(inverter.r_n_ohm * (inverter.c_out_F + 2 * nand.c_in_F))
    load = torch.where(has_nor, nors / 4 * nor.c_in_F, mux.select_n_F)
    second = gates.stage_delay_s(2 * nand.r_n_ohm * (nand.c_out_F + load), first)
    third = torch.where(
        has_nor,
        gates.stage_delay_s(2 * nor.r_p_ohm * (nor.c_out_F + nand.c_in_F), second),
        0.0,
    )
    fourth = gates.stage_delay_s(nand.r_n_ohm * (nand.c_out_F + inverter.c_in_F), third)
    fifth = gates.stage_delay_s(
        driver.r_p_ohm * (driver.c_out_F + driver.c_in_F + mux.select_n_F), fourth
    )
    sixth = gates.stage_delay_s(driver.r_n_ohm * (driver.c_out_F + mux.select_p_F), fifth)
    return first + second + third + fourth + fifth + sixth


def source_line_switch(
    *, design: DesignBatch, array: CellArray, register: FlipFlop
) -> CircuitBlock:
    """Price the switches that ground or drive the source lines of resistive cells; 0 for SRAM.

    Args:
        design: ``*batch``.
        array: the crossbar.
        register: one flip-flop.
    """
    return either(design.is_sram, CircuitBlock, lambda: _line_switch(design, array, register))


def _line_switch(design: DesignBatch, array: CellArray, register: FlipFlop) -> CircuitBlock:
    technology = design.technology
    width_n, width_p = transmission_gate_widths_m(
        design, array.r_mean_ohm * technology.transmission_gate_ratio, 0.5 * SRAM_SIZING
    )
    gate_rows, fingers = _row_of_gates(design, array, pitches=4.0, pairs=2.0)
    height = gate_rows * gate_sizing.pass_gate_height_m(technology, width_n, width_p, fingers)
    height = height + register.height_in_width(design.cols, array.width_m)
    return CircuitBlock(
        height_m=height, width_m=array.width_m, leakage_W=design.cols * register.leakage_W
    )
