"""Terms too small to show in a total, priced by hand: each alone, as the difference of two chips.

All at 22 nm on the chip of :data:`tests.cost.hand_22nm.SETTINGS`: 512 / 8 = 64 result units, inputs
of 8 bits, sums of 20 bits out of a crossbar and of 22 out of the chip's adders.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.chip import ChipBlocks, build_chip
from archsim.cost.component.adder import adder
from archsim.cost.component.buffer import Buffer, banked
from archsim.cost.component.flip_flop import flip_flop
from archsim.cost.component.wire import fastest_repeater, frugal_repeater
from archsim.cost.subarray import subarray
from archsim.cost.tile import Parts
from archsim.network.table import LayerTable
from archsim.plan import Floorplan, MappingPlan
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan
from tests.cost.hand_22nm import (
    C_DC,
    C_GATE,
    C_J,
    C_SW,
    C_WIRE,
    E_BUS,
    E_TREE,
    I_OFF,
    INVERTER,
    NAND2,
    NAND3,
    NOR2,
    PRINTED,
    RHO,
    SETTINGS,
    F,
    Subarray,
    V,
    add_J,
    adder_W,
    decode_J,
    decoder_nor,
    decoder_W,
    lengths_m,
    memory_J_per_bit,
    register_J,
    register_W,
)
from tests.designs import Conv, make_design, make_table, near, price

LINEAR = make_table(Conv(1, 128, 32))
#: Lines so narrow that their decoder shows.
NARROW = (*SETTINGS, "chip.buffers.global_core=32", "chip.buffers.global_line=32")


def cost_of(table: LayerTable, *settings: str) -> CostBreakdown:
    return price(make_design(*settings), table)[1]


def more(with_it: CostBreakdown, without: CostBreakdown) -> tuple[float, float]:
    """Energy of the digital part, and leakage of the chip."""
    energies = (cost.energies_J["digital"] for cost in (with_it, without))
    leaks = (cost.leakage_power_W for cost in (with_it, without))
    return tuple(float(next(both) - next(both)) for both in (energies, leaks))


# --- residual adds --------------------------------------------------------------------------------


def test_residual_adds() -> None:
    """An addition of 8 bits, two operands fetched from the chip's buffer, 9 bits stored."""
    residual = dataclasses.replace(LINEAR, added=torch.tensor([100.0]).double())
    energy, leakage = more(cost_of(residual, *NARROW), cost_of(LINEAR, *NARROW))
    read, _ = memory_J_per_bit(line=32)
    assert energy == near(100 * (add_J(8) + 2 * 8 * read + 9 * register_J()))
    # In each of 64 units an adder of 8 bits, and the register's ninth bit.
    assert leakage == near(64 * (8 * adder_W() + register_W()))


# --- pooling --------------------------------------------------------------------------------------


def pool_J() -> float:
    """One of four values of 8 bits: three comparators, at an activity of 0.05.

    Of a comparator's eight bits four switch in the mean; what selects is counted once.
    """
    inverter = INVERTER.big
    both = inverter.in_F + inverter.out_F
    wide_in = C_GATE * (32 * F + 2 * F * RHO)  # a NOR of eight inputs
    select = (
        (NAND2.in_F + inverter.out_F)
        + (NOR2.in_F + inverter.out_F)
        + 2 * both
        + (wide_in + inverter.out_F)
    )
    bit = 4 * both + 4 * (NAND2.in_F + NAND2.out_F) + 3 * (NAND3.in_F + NAND3.out_F)
    return 3 * 0.05 * V**2 * (select + 4 * bit)


def test_pooling() -> None:
    """36 x 32 outputs make 288 pooled ones: 5 turns of the 64 units, the last half empty."""
    pooled, plain = (make_table(Conv(6, 8, 32, pool=pool)) for pool in (True, False))
    energy, _ = more(cost_of(pooled, *SETTINGS), cost_of(plain, *SETTINGS))
    assert energy == near(5 * 64 * pool_J())


# --- corrections ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "numbers"), [("bias", 1), ("scale-and-bias", 2)])
def test_corrections(kind: str, numbers: int) -> None:
    """32 channels, numbers of 6 bits, 49 vectors; a scale is six additions of 22 bits."""
    table = make_table(Conv(size=7, inputs=64, outputs=32))
    settings = (*SETTINGS, "chip.correction.layers=all", "chip.correction.bits=6")
    corrected = cost_of(table, *settings, f"chip.correction.kind={kind}")
    energy, leakage = more(corrected, cost_of(table, *settings))
    additions = 1 if kind == "bias" else 1 + 6
    assert energy == near(49 * 32 * (additions * add_J(22) + numbers * 6 * register_J()))
    assert leakage == near(64 * 22 * additions * adder_W() + 32 * numbers * 6 * register_W())


# --- leakage of a tile and of the chip around it --------------------------------------------------


def built(table: LayerTable) -> tuple[Parts, ChipBlocks, Floorplan]:
    design = make_design(*SETTINGS)
    plan = compile_plan(design=design, table=table)
    parts = Parts(
        subarray=subarray(design=design),
        register=flip_flop(design.technology),
        adder=adder(design=design),
        pe_wire=fastest_repeater(design.technology)[0],
        tree_wire=frugal_repeater(design=design),
    )
    return parts, build_chip(design=design, parts=parts, plan=plan), plan.floorplan


def around_W(parts: Parts, chip: ChipBlocks, floor: Floorplan) -> float:
    """What leaks outside of the tiles, but for the buffer and the repeaters of a bus each way."""
    bus_m = (floor.grid_rows + floor.grid_cols) * chip.tile_side_m
    bus = parts.tree_wire.leakage_W_per_m * bus_m * chip.bus_bit
    tiles = float(floor.matrix_tiles) * total_W(chip.matrix_tile.leakages_W)
    return total_W(chip.leakages_W) - tiles - float(chip.buffer.leakage_W + bus)


def total_W(parts: Mapping[str, Tensor]) -> float:
    return math.fsum(float(part) for part in parts.values())


def test_leakage_of_adders_and_registers() -> None:
    """All that leaks on the chip of one tile; what its memories and repeaters leak is given."""
    parts, chip, floor = built(LINEAR)
    # A crossbar: a register for each row and each column; 16 converters with sums of 5 bits in
    # 5 + 4 and of 9 in 9 + 8; the mux decoder's 3 address bits.
    nor = decoder_nor(2)
    decoder = (3 + 16) * INVERTER.big.leakage_A + (4 + 8) * NAND2.leakage_A + 8 * nor.leakage_A
    crossbar = (
        (128 + 128) * register_W()
        + 16 * ((5 + 9) * adder_W() + (9 + 17) * register_W())
        + V * decoder
    )
    assert float(parts.subarray.leakage_W) == near(crossbar)
    # A PE: 4 of them, 32 adders of 20 bits, registers of 1024 and of 16 x 21 bits, a bus each way.
    side_v, side_h = (float(each) for each in (parts.subarray.height_m, parts.subarray.width_m))
    pe_wires = float(parts.pe_wire.leakage_W_per_m) * (128 * side_h + 2 * 128 * side_v)
    pe = 4 * crossbar + 32 * 20 * adder_W() + (1024 + 336) * register_W() + pe_wires
    tile = chip.matrix_tile
    memories = float(tile.input_buffer.leakage_W + tile.output_buffer.leakage_W)
    tree = float(parts.tree_wire.leakage_W_per_m * tile.tree.leakage_length_m) * 1024
    # A tile: 4 of them and 64 adders of 21 bits.
    assert total_W(tile.leakages_W) == near(4 * pe + 64 * 21 * adder_W() + memories + tree)
    # The chip: ReLU registers of 8 bits in 64 units; no sums over tiles.
    assert around_W(parts, chip, floor) == near(64 * 8 * register_W())


def test_adders_over_tiles() -> None:
    """2048 rows are four tiles, 1024 two: in 64 units two adders of 22 bits and one of 23, or one.

    What the tiles themselves take doubles.
    """
    design = make_design(*SETTINGS)
    (two_plan, two), (four_plan, four) = (
        price(design, make_table(Conv(1, rows, 32))) for rows in (1024, 2048)
    )
    assert (float(two_plan.floorplan.tiles), float(four_plan.floorplan.tiles)) == (2, 4)
    around = 64 * add_J(22), 64 * (2 * add_J(22) + add_J(23))
    own = [
        float(cost.energies_J["adder_tree"]) - over
        for cost, over in zip((two, four), around, strict=True)
    ]
    assert own[1] == near(2 * own[0])
    bit_m2 = 9 * 3 * 3.8 * F * 28 * F  # nine NANDs of three gate pitches
    around_m2 = 64 * 22 * bit_m2, 64 * (2 * 22 + 23) * bit_m2
    own_m2 = [
        float(cost.areas_m2["adder_tree"]) - over
        for cost, over in zip((two, four), around_m2, strict=True)
    ]
    assert own_m2[1] == near(2 * own_m2[0])
    for rows, bits in ((1024, 22), (2048, 2 * 22 + 23)):
        leakage = around_W(*built(make_table(Conv(1, rows, 32))))
        assert leakage == near(64 * 8 * register_W() + 64 * bits * adder_W()), rows


# --- groups that are packed side by side ----------------------------------------------------------


def grouped(channels: int, groups: int) -> tuple[MappingPlan, CostBreakdown]:
    """A convolution of 3 x 3 on 64 positions, as many channels out as in."""
    table = make_table(Conv(size=10, inputs=channels, outputs=channels, kernel=3))
    table = dataclasses.replace(table, groups=torch.tensor([float(groups)]).double())
    return price(make_design(*SETTINGS), table)


def buffers_J(*, lines_bit: int, into_bit: int, sums_bit: int, outputs: int) -> float:
    """Registers of the PEs, tile buffers both ways, and the chip's buffer, for 64 vectors."""
    tile_line, chip_line = memory_J_per_bit(line=32), memory_J_per_bit(line=1024)
    return (
        lines_bit * register_J()
        + (into_bit + sums_bit) * sum(tile_line) / 2
        + into_bit * chip_line[0]
        + outputs * 64 * 8 * chip_line[1]
    )


def test_packed_groups_in_a_tile() -> None:
    """10 groups of 36 rows and 4 outputs: three to a crossbar, four packs side by side.

    Packs have inputs of their own: the tile takes all 360 of a vector, not the 108 of one pack.
    """
    plan, cost = grouped(channels=40, groups=10)
    assert (float(plan.layers.rows), float(plan.layers.columns)) == (108, 4 * 128)
    # Two PEs of two packs; whole lines of 1024 bits in and of 336 out, 20 bits for each result.
    lines = 2 * (108 * 64 * 8 // 1024 * 1024 + 64 * 64 * 20 // 336 * 336)
    into, sums = 360 * 64 * 8, 40 * 64 * 22
    expected = buffers_J(lines_bit=lines, into_bit=into, sums_bit=sums, outputs=40)
    assert float(cost.energies_J["buffer"]) == near(expected)
    pe_side, tile_side = lengths_m()
    # 0.18 of the bits in toggle, half of those out; results of a PE have 21 bits.
    buses = 2 * (0.18 * Subarray.side_h_m * 108 * 64 * 8 + 0.5 * Subarray.side_v_m * 64 * 64 * 21)
    tree = 2 * pe_side * (0.18 * into + 0.5 * sums)
    bus = tile_side / 2 * (0.18 * into + 0.5 * 40 * 64 * 8)
    expected = E_BUS * buses + E_TREE * (tree + bus)
    assert float(cost.energies_J["interconnect"]) == near(expected, PRINTED)


def test_packed_groups_over_tiles() -> None:
    """16 groups of 72 rows, one to a crossbar: two tiles of 1024 columns, an input goes to one."""
    plan, cost = grouped(channels=128, groups=16)
    assert (float(plan.layers.rows), float(plan.layers.columns)) == (72, 16 * 128)
    assert float(plan.tile_cols) == 2
    # Four PEs of four packs, 4 x 4 crossbars each: sums grow by two bits there, one in the tile.
    lines = 4 * (72 * 64 * 8 // 1024 * 1024 + 128 * 64 * 20 // (16 * 22) * 16 * 22)
    into, sums = 128 * 9 * 64 * 8, 128 * 64 * 23
    expected = buffers_J(lines_bit=lines, into_bit=into, sums_bit=sums, outputs=128)
    assert float(cost.energies_J["buffer"]) == near(expected)


# --- memories -------------------------------------------------------------------------------------


def memory(kind: str, bits: int, line: int) -> Buffer:
    design = DesignBatch.from_resolved(
        resolve(technology="22nm-lstp", overrides=[f"chip.buffers.kind={kind}"])
    )
    size, width = (torch.tensor(float(value), dtype=torch.float64) for value in (bits, line))
    return banked(
        design=design,
        register=flip_flop(design.technology),
        capacity_bit=size,
        core_bit=size,
        line_bit=width,
    )


def test_register_file() -> None:
    """32 lines of 32 bits: two pairs of address bits and an odd one, NORs of three inputs."""
    found = memory("register-file", 1024, 32)
    read, write = memory_J_per_bit(line=32, address=5)
    assert float(found.read_J_per_bit) == near(read)
    assert float(found.write_J_per_bit) == near(write)
    assert float(found.core_leakage_W) == near(1024 * register_W() + decoder_W(5))


def test_sram() -> None:
    """16 lines of 128 cells of 28F x 10F: a read swings both bit lines by half of the supply."""
    rows, line, address = 16, 128, 4
    found = memory("sram", rows * line, line)
    word_line = C_WIRE * 28 * F * line + 2 * line * C_GATE * F
    drain = 2.8 * F * F * C_J + (2 * 2.8 * F + F) * C_SW + F * C_DC
    bit_line = C_WIRE * 10 * F * rows + rows * drain
    full_swing = 2 * line * bit_line * V**2 / 2
    inverter = INVERTER.big
    drive = line * (inverter.in_F + inverter.out_F)
    decode = decode_J(address)
    read = 0.05 * decode + word_line * V**2 + 0.5 * full_swing
    write = decode + (drive + word_line) * V**2 + full_swing
    assert float(found.read_J_per_bit) == near(read / line)
    assert float(found.write_J_per_bit) == near(write / line)
    column = (24.4 + 2.5) * F * I_OFF + 3 * inverter.leakage_A
    cell = 2 * I_OFF * (F + F) / 2
    leakage = decoder_W(address) + V * (line * column + rows * line * cell)
    assert float(found.core_leakage_W) == near(leakage)
