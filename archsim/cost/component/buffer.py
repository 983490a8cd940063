"""Register-file memories: banks of flip-flops behind a row decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.standard_cells import standard_cells


@dataclass(frozen=True, eq=False)
class Buffer:
    """One memory of ``cores`` equal cores; energies per bit."""

    cores: Tensor
    line_bit: Tensor
    core_area_m2: Tensor
    read_J_per_bit: Tensor
    write_J_per_bit: Tensor
    core_leakage_W: Tensor

    @property
    def area_m2(self) -> Tensor:
        """Area of all cores."""
        return self.cores * self.core_area_m2

    @property
    def leakage_W(self) -> Tensor:
        """Leakage of all cores."""
        return self.cores * self.core_leakage_W


def banked(
    *,
    design: DesignBatch,
    register: FlipFlop,
    capacity_bit: Tensor,
    core_bit: Tensor,
    line_bit: Tensor,
    small_line_bit: Tensor | None = None,
) -> Buffer:
    """Build a memory from cores of ``core_bit``; a small one may be a single narrow core.

    Args:
        design: ``*batch``.
        register: one flip-flop.
        capacity_bit: bits to hold.
        core_bit: size of a full core.
        line_bit: line of a full core.
        small_line_bit: line of the single core of a memory smaller than ``core_bit``; ``None`` to
            use full cores only.
    """
    cores = torch.ceil(capacity_bit / core_bit).clamp_min(1.0)
    if small_line_bit is None:
        return _core(design, register, cores, core_bit + 0 * cores, line_bit + 0 * cores)
    small = capacity_bit < core_bit
    return _core(
        design,
        register,
        cores,
        torch.where(small, torch.floor(capacity_bit), core_bit).clamp_min(1.0),
        torch.where(small, small_line_bit, line_bit),
    )


def _core(
    design: DesignBatch, register: FlipFlop, cores: Tensor, bits: Tensor, line: Tensor
) -> Buffer:
    """Price one core of ``bits`` with lines of ``line`` bits."""
    technology = design.technology
    node, vdd = technology.node_m, technology.vdd_V
    rows = torch.ceil(bits / line)
    address = torch.ceil(torch.log2(rows.clamp_min(1.0)) - 1e-9)
    cells = standard_cells(technology)
    inverter, nand, driver = cells.big_inverter, cells.big_nand2, cells.driver
    nor = cells.decoder_nor(torch.ceil(address / 2))
    pairs, odd = torch.floor(address / 2), torch.remainder(address, 2)
    has_nor = address > 2
    nands = 4 * pairs
    nors = torch.where(has_nor, torch.exp2(address), 0.0)
    tracks = torch.where(has_nor, nands + 2 * odd, 0.0)
    height = technology.cell_height_m * rows
    per_column = torch.floor(height / technology.cell_height_m + 1e-9).clamp_min(1.0)

    def columns(count: Tensor) -> Tensor:
        return torch.ceil(count / torch.minimum(per_column, count).clamp_min(1.0))

    width = (
        nand.width_m * columns(nands)
        + technology.metal3_pitch * node * tracks
        + (nor.width_m + 2 * driver.width_m) * columns(nors)
    )
    nor_in = torch.where(has_nor, nor.c_in_F, 0.0)
    nor_out = torch.where(has_nor, nor.c_out_F, 0.0)
    words = torch.exp2(address)
    decode = vdd**2 * (
        2 * pairs * (inverter.c_in_F + 2 * nand.c_in_F)
        + odd * (inverter.c_in_F + nor_in * words / 2)
        + pairs * (nand.c_out_F + nor_in * words / 4)
        + (nor_out + inverter.c_in_F)
        + 2 * (driver.c_in_F + driver.c_out_F)
    )
    lines = torch.floor(bits / line) / bits
    leakage = (
        address * inverter.leakage_A
        + nands * nand.leakage_A
        + words * (nor.leakage_A + 2 * driver.leakage_A)
    )
    store = design.buffer_activity * register.energy_J
    return Buffer(
        cores=cores,
        line_bit=line,
        core_area_m2=register.area_m2 * bits + height * width,
        read_J_per_bit=store + design.control_activity * decode * lines,
        write_J_per_bit=store + decode * lines,
        core_leakage_W=register.leakage_W * bits + vdd * leakage,
    )
