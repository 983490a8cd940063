"""Precharger and write driver of SRAM columns; absent for resistive cells."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost import gates
from archsim.cost.block import CircuitBlock, either
from archsim.cost.component.crossbar import CellArray
from archsim.cost.standard_cells import standard_cells

#: Both blocks are three standard cells tall per column.
_CELLS_TALL = 3.0


def _precharge_widths_m(design: DesignBatch) -> tuple[Tensor, Tensor]:
    """Widths of the precharge and of the equalising p device."""
    technology = design.technology
    node = technology.node_m
    planar = (gates.NOMINAL_HEIGHT - gates.EDGE_LOSS) * node
    whole = technology.precharger_fins * 2 * node.unsqueeze(-1)
    return (
        torch.where(technology.is_finfet, whole[..., 0], planar),
        torch.where(technology.is_finfet, whole[..., 1], planar),
    )


def precharger(*, design: DesignBatch, array: CellArray) -> CircuitBlock:
    """Price the bit-line precharger (its energy is not counted in parallel reads).

    Args:
        design: ``*batch``.
        array: the crossbar.
    """
    return either(design.is_sram, lambda: _precharger(design, array), CircuitBlock)


def _precharger(design: DesignBatch, array: CellArray) -> CircuitBlock:
    technology = design.technology
    first, second = _precharge_widths_m(design)
    none = torch.zeros_like(first)
    load = sum(
        gates.drain_capacitance_F(technology, "inverter", 1, none, width, technology.cell_height_m)
        for width in (first, second)
    )
    tau = (
        gates.resistance_p_ohm(technology, first) * (array.c_bitline_F + load)
        + array.r_bitline_ohm * array.c_bitline_F / 2
    )
    return CircuitBlock(
        height_m=_stacked_height_m(design, array, 2 * technology.pitch_m),
        width_m=array.width_m,
        latency_s=gates.stage_delay_s(tau),
        leakage_W=design.cols
        * gates.electrical_width_m(technology, first)
        * technology.leakage_p_A_per_m
        * technology.vdd_V,
    )


def write_driver(*, design: DesignBatch, array: CellArray) -> CircuitBlock:
    """Price the bit-line write drivers: three inverters per column.

    Args:
        design: ``*batch``.
        array: the crossbar.
    """
    return either(design.is_sram, lambda: _write_driver(design, array), CircuitBlock)


def _write_driver(design: DesignBatch, array: CellArray) -> CircuitBlock:
    technology = design.technology
    inverter = standard_cells(technology).big_inverter
    return CircuitBlock(
        height_m=_stacked_height_m(design, array, inverter.width_m),
        width_m=array.width_m,
        leakage_W=3 * design.cols * inverter.leakage_A * technology.vdd_V,
    )


def _stacked_height_m(design: DesignBatch, array: CellArray, unit_m: Tensor) -> Tensor:
    """Height of one unit per column, in as many rows as the array width asks for."""
    per_row = torch.minimum(torch.floor(array.width_m / unit_m + 1e-9), design.cols)
    return (
        _CELLS_TALL
        * design.technology.cell_height_m
        * torch.ceil(design.cols / per_row.clamp_min(1.0))
    )
