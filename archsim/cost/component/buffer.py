"""On-chip memories: flip-flops or SRAM cells behind a row decoder, or compiled memories.

The first two use NVSim's cell rules (Dong et al., TCAD 2012, doi:10.1109/TCAD.2012.2185930) as
DNN+NeuroSim V1.4 does. What that tool leaves out of its SRAM (bit lines, leakage of the cells; it
also sizes the cell's access device like that of the crossbar) is put in here. Compiled memories are
closed forms (:mod:`archsim.cost.memory`); a core that is small is a register file there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import BUFFER_KINDS, DesignBatch
from archsim.cost import gate_sizing, gates
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.memory.closed_form import MemoryPlace, MemoryShape
from archsim.cost.memory.kinds import COMPILED
from archsim.cost.standard_cells import standard_cells


@dataclass(frozen=True, eq=False)
class Buffer:
    """One memory of ``cores`` equal cores; energies per bit; ``ports`` lines move in a cycle."""

    cores: Tensor
    ports: Tensor
    line_bit: Tensor
    core_area_m2: Tensor
    read_J_per_bit: Tensor
    write_J_per_bit: Tensor
    core_leakage_W: Tensor

    def where(self, condition: Tensor, other: Buffer) -> Buffer:
        """Choose per design between this memory and another."""
        return Buffer(
            *(
                torch.where(condition, getattr(self, name), getattr(other, name))
                for name in self.__dataclass_fields__
            )
        )

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
    banks: Tensor | None = None,
    clock_s: Tensor | None = None,
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
        banks: lines that move in a cycle, where not 0: smaller cores where full ones are too few.
        clock_s: a compiled memory whose access takes longer moves a line in as many clocks as it
            needs; circuits are taken to answer within one. ``None`` for a slow enough clock.
    """
    cores = torch.ceil(capacity_bit / core_bit).clamp_min(1.0)
    in_proportion = (capacity_bit / core_bit).clamp_min(1.0)
    ports = torch.where(design.ports_of_cores, cores, in_proportion)
    clock = torch.full_like(cores, torch.inf) if clock_s is None else clock_s
    count = _Count(cores, ports, clock)
    if banks is not None and bool((banks > 0).any()):
        asked = banks > 0
        count = _Count(
            torch.where(asked, torch.maximum(cores, banks), cores),
            torch.where(asked, banks, ports),
            clock,
        )
        least = torch.maximum(torch.ceil(capacity_bit / count.cores), line_bit)
        core_bit = torch.where(asked, torch.minimum(least, core_bit), core_bit)
        small_line_bit = None if bool(asked.all()) else small_line_bit
    if small_line_bit is None:
        return _core(design, register, count, core_bit + 0 * cores, line_bit + 0 * cores)
    small = capacity_bit < core_bit
    small = small if banks is None else small & (banks == 0)
    return _core(
        design,
        register,
        count,
        torch.where(small, torch.floor(capacity_bit), core_bit).clamp_min(1.0),
        torch.where(small, small_line_bit, line_bit),
    )


@dataclass(frozen=True, eq=False)
class _Count:
    """Cores and ports of a memory, and the clock that it has to keep up with, ``*batch``."""

    cores: Tensor
    ports: Tensor
    clock_s: Tensor


def _core(
    design: DesignBatch, register: FlipFlop, count: _Count, bits: Tensor, line: Tensor
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
    leakage = (
        address * inverter.leakage_A
        + nands * nand.leakage_A
        + words * (nor.leakage_A + 2 * driver.leakage_A)
    )
    store = design.buffer_activity * register.energy_J
    decoder = _Decoder(height, width, decode, vdd * leakage)
    flip_flops = _register_file(design, register, count, bits, line, decoder, store)
    return _of_kind(design, count, bits, line, decoder, flip_flops)


def _of_kind(
    design: DesignBatch,
    count: _Count,
    bits: Tensor,
    line: Tensor,
    decoder: _Decoder,
    flip_flops: Buffer,
) -> Buffer:
    """Take the register file, or what a design has in its place."""
    chosen = flip_flops
    drawn = design.buffer_kind == BUFFER_KINDS.index("sram")
    if bool(drawn.any()):
        chosen = chosen.where(~drawn, _sram(design, count, bits, line, decoder))
    for kind in COMPILED:
        compiled = design.buffer_kind == BUFFER_KINDS.index(kind)
        if bool(compiled.any()):
            large = compiled & (bits > design.register_limit_bit)
            chosen = chosen.where(~large, _compiled(design, count, bits, line, kind))
    return chosen


def _compiled(design: DesignBatch, count: _Count, bits: Tensor, line: Tensor, kind: str) -> Buffer:
    """Compiled memory; each port of a core moves a line in a cycle."""
    shape = MemoryShape(bits=bits, line_bit=line, ports=design.buffer_ports)
    memory = COMPILED[kind](place=MemoryPlace.of(design), shape=shape)
    clocks = torch.ceil(memory.access_s / count.clock_s - 1e-9).clamp_min(1.0)
    return Buffer(
        cores=count.cores,
        ports=count.ports * design.buffer_ports / clocks,
        line_bit=line,
        core_area_m2=design.memory_area * memory.area_m2,
        read_J_per_bit=design.memory_energy * memory.read_J_per_bit,
        write_J_per_bit=design.memory_energy * memory.write_J_per_bit,
        core_leakage_W=memory.leakage_W,
    )


@dataclass(frozen=True, eq=False)
class _Decoder:
    """Row decoder of one core."""

    height_m: Tensor
    width_m: Tensor
    energy_J: Tensor
    leakage_W: Tensor


def _register_file(
    design: DesignBatch,
    register: FlipFlop,
    count: _Count,
    bits: Tensor,
    line: Tensor,
    decoder: _Decoder,
    store_J: Tensor,
) -> Buffer:
    """Flip-flops: every bit of a line is clocked."""
    lines = torch.floor(bits / line) / bits
    return Buffer(
        cores=count.cores,
        ports=count.ports,
        line_bit=line,
        core_area_m2=register.area_m2 * bits + decoder.height_m * decoder.width_m,
        read_J_per_bit=store_J + design.control_activity * decoder.energy_J * lines,
        write_J_per_bit=store_J + decoder.energy_J * lines,
        core_leakage_W=register.leakage_W * bits + decoder.leakage_W,
    )


#: Precharger and write driver of an SRAM column: three standard cells each, two gate pitches wide.
_COLUMN_CELLS = 3.0
#: Widths of the precharge device and of the write driver's pull-down per column, in F.
_PRECHARGE_WIDTH, _PULL_DOWN_WIDTH = 24.4, 2.5
#: Share of the supply by which a bit line drops before it is sensed (assumed, 0.1 to 1).
_READ_SWING = 0.5


def _sram(
    design: DesignBatch, count: _Count, bits: Tensor, line: Tensor, decoder: _Decoder
) -> Buffer:
    """SRAM array: a word line per access; prechargers and write drivers below."""
    technology = design.technology
    node, vdd = technology.node_m, technology.vdd_V
    cells = standard_cells(technology)
    rows = torch.ceil(bits / line)
    row_m = technology.sram_cell_width * node * line
    column_m = technology.sram_cell_height * node * rows
    per_row = torch.floor(row_m / (2 * technology.pitch_m) + 1e-9).clamp_min(1.0)
    periphery = 2 * _COLUMN_CELLS * technology.cell_height_m * row_m * torch.ceil(line / per_row)
    unit = gate_sizing.unit_width_m(technology)
    c_row = technology.c_wire_F_per_m * row_m + 2 * line * gates.gate_capacitance_F(
        technology, unit
    )
    inverter = cells.big_inverter
    column_leakage = (
        _PRECHARGE_WIDTH * node * technology.leakage_p_A_per_m
        + 3 * inverter.leakage_A
        + _PULL_DOWN_WIDTH * node * technology.leakage_n_A_per_m
    )
    cell_leakage = 2 * gates.leakage_A(technology, "inverter", 1, unit, unit)
    c_column = technology.c_wire_F_per_m * column_m + rows * gates.drain_capacitance_F(
        technology, "inverter", 1, unit, torch.zeros_like(unit), technology.cell_height_m
    )
    full_swing = 2 * line * c_column * vdd**2 / 2
    drive = line * (inverter.c_in_F + inverter.c_out_F)
    return Buffer(
        cores=count.cores,
        ports=count.ports,
        line_bit=line,
        core_area_m2=row_m * column_m + column_m * decoder.width_m + periphery,
        read_J_per_bit=(
            design.control_activity * decoder.energy_J + c_row * vdd**2 + _READ_SWING * full_swing
        )
        / line,
        write_J_per_bit=(decoder.energy_J + (drive + c_row) * vdd**2 + full_swing) / line,
        core_leakage_W=decoder.leakage_W + vdd * (line * column_leakage + bits * cell_leakage),
    )
