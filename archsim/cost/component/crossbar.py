"""The bare cell array: size, wire loads and access transistors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import MEMORIES, DesignBatch
from archsim.cost import gate_sizing, gates
from archsim.cost.gating import line_toggles
from archsim.cost.reads import dummy_columns

#: 1T1R cell in F: 4F between word lines, 12F between bit lines (Peng et al., TCAD 2021).
NVM_CELL_HEIGHT = 4.0
NVM_CELL_WIDTH = 12.0
#: Side of a cell without access device, in F: 4 F^2, the least that two crossing lines leave
#: (Burr et al., J. Vac. Sci. Technol. B 32, 040802, 2014, doi:10.1116/1.4889999).
PASSIVE_CELL_SIDE = 2.0
#: Strength of a cell's access transistor relative to a unit device of the same resistance.
_ACCESS_SIZING = 0.2


@dataclass(frozen=True, eq=False)
class CellArray:
    """Geometry and electrical loads of the cell array, ``*batch``.

    ``r_access_ohm`` is the access resistance for sizing (SRAM: the pull-down), ``r_series_ohm``
    the part of it that stands in series with a resistive cell during a read.
    """

    height_m: Tensor
    width_m: Tensor
    cell_height: Tensor
    cell_width: Tensor
    access_size: Tensor
    r_access_ohm: Tensor
    r_series_ohm: Tensor
    r_mean_ohm: Tensor
    r_wordline_ohm: Tensor
    r_bitline_ohm: Tensor
    c_wordline_F: Tensor
    c_wordline_wire_F: Tensor
    c_bitline_F: Tensor
    row_energy_J: Tensor
    leakage_W: Tensor

    @property
    def area_m2(self) -> Tensor:
        """Area of the cells alone."""
        return self.height_m * self.width_m


def crossbar(*, design: DesignBatch) -> CellArray:
    """Size the cell array and its lines.

    A resistive cell without access device (``device.access: none``) is 4 F^2 and has no series
    resistance; what leaks through half-selected cells while others are written is not modelled.
    Rows run on metal 1 and columns on metal 0. Word lines swing fully at every mux position, so
    one active row costs ``C_WL * Vdd^2`` per turn of the mux, or once where inputs are held
    (:mod:`archsim.cost.gating`). Dummy columns are as wide as the
    others.

    Args:
        design: ``*batch``.
    """
    technology = design.technology
    node, sram = technology.node_m, design.is_sram
    passive = is_passive(design)
    bare = passive.to(torch.float64)
    nvm_height = NVM_CELL_HEIGHT + bare * (PASSIVE_CELL_SIDE - NVM_CELL_HEIGHT)
    nvm_width = NVM_CELL_WIDTH + bare * (PASSIVE_CELL_SIDE - NVM_CELL_WIDTH)
    cell_height = torch.where(sram, technology.sram_cell_height, nvm_height)
    cell_width = torch.where(sram, technology.sram_cell_width, nvm_width)
    drawn = design.cols + dummy_columns(design)
    height, width = design.rows * cell_height * node, drawn * cell_width * node
    unit = gate_sizing.unit_width_m(technology)
    r_unit = technology.resistance_factor * gates.raw_resistance_n_ohm(technology, unit)
    r_access = torch.where(sram, r_unit, design.access_ratio * design.r_on_ohm)
    # Access device of a resistive cell, in units of F (planar) or fins.
    size = torch.where(passive, 0.0, _ACCESS_SIZING * r_unit / r_access)
    ratio = torch.where(passive, 0.0, design.access_ratio)
    access_width = size * torch.where(technology.is_finfet, 2.0, 1.0) * node
    nominal = gates.NOMINAL_HEIGHT * node
    no_p = torch.zeros_like(access_width)
    gate_nvm = gates.gate_capacitance_F(technology, access_width)
    drain_nvm = gates.drain_capacitance_F(technology, "inverter", 1, access_width, no_p, nominal)
    drain_sram = torch.where(
        technology.is_finfet,
        technology.c_drain_fin_F,
        gates.drain_capacitance_F(technology, "inverter", 1, unit, torch.zeros_like(unit), nominal),
    )
    gate_nvm = torch.where(passive, 0.0, gate_nvm)
    gate = torch.where(sram, gates.gate_capacitance_F(technology, unit), gate_nvm)
    drain = torch.where(sram, drain_sram, torch.where(passive, 0.0, drain_nvm))
    wire_wordline = technology.c_wire_F_per_m * width
    c_wordline = wire_wordline + drawn * gate
    cell_leakage = 2 * gates.leakage_A(technology, "inverter", 1, unit, unit) * technology.vdd_V
    fefet = design.memory == MEMORIES.index("fefet")
    # Without transistors there are no gates to drive: the line is at the read voltage.
    swing_V = torch.where(passive, design.v_read_V, technology.vdd_V)
    return CellArray(
        height_m=height,
        width_m=width,
        cell_height=cell_height,
        cell_width=cell_width,
        access_size=size,
        r_access_ohm=r_access,
        r_series_ohm=torch.where(fefet | sram | passive, 0.0, r_access),
        r_mean_ohm=2
        / (1 / ((1 + ratio) * design.r_on_ohm) + 1 / (design.r_off_ohm + ratio * design.r_on_ohm)),
        r_wordline_ohm=technology.metal1_ohm_per_m * width,
        r_bitline_ohm=technology.metal0_ohm_per_m * height,
        c_wordline_F=c_wordline,
        c_wordline_wire_F=wire_wordline,
        c_bitline_F=technology.c_wire_F_per_m * height + design.rows * drain,
        row_energy_J=line_toggles(design) * c_wordline * swing_V**2,
        leakage_W=torch.where(sram, design.rows * design.cols * cell_leakage, 0.0),
    )


def is_passive(design: DesignBatch) -> Tensor:
    """Return where cells have no transistor, bool, ``*batch``: an FeFET is one itself."""
    memory = design.memory
    resistive = (memory != MEMORIES.index("sram")) & (memory != MEMORIES.index("fefet"))
    return design.no_access & resistive
