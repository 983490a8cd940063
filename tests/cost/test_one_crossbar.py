"""Oracle: a chip with one crossbar in use, priced by hand.

One linear layer of 128 inputs and 32 outputs: 32 weights of four 2-bit cells fill the 128 columns
of one 128 x 128 crossbar. All weights are 0, so every code is 128 = 2000 in base four; all inputs
are 255/256, so all eight bit-planes have every row on. Nothing is left to chance. 22 nm, SAR
converters of 5 bits, no copies, no pipeline, write voltage below the level shifters, and buffers of
one line so that their decoders are trivial.

The numbers of the standard blocks and the areas are those of :mod:`tests.cost.hand_22nm`.
"""

from __future__ import annotations

import pytest

from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from tests.cost.hand_22nm import (
    ADCS,
    C_GATE,
    COLS,
    E_1,
    E_2,
    E_BUS,
    E_D,
    E_TREE,
    MUX,
    PRINTED,
    R_OFF,
    R_ON,
    RHO,
    ROWS,
    SETTINGS,
    V_ACCESS,
    V_READ,
    F,
    Subarray,
    V,
    areas_m2,
    lengths_m,
    pass_gate_drain_F,
)
from tests.designs import Conv, make_design, make_table, near, price

CYCLES = {
    # 8 planes x 8 columns per ADC
    "array": 64.0,
    "shift_add": 0.0,
    # one adder delay in the PE and one in the tile for each of the 8 / 4 = 2 results of an ADC
    "adder_tree": 2.0 + 2.0,
    # registers: 1024 of 1024 bits in, 32 x 20 of 336 bits out, whole lines only; tile: 1024 bits in
    # and 32 x 22 out in lines of 32 through 32 ports; chip: 1024 + 256 bits in lines of 1024
    "buffer": (1 + 1) + 1024 / 32 / 32 + 704 / 32 / 32 + (1024 + 256) / 1024,
    # tile tree: (1024 + 704) bits on 1024 wires, one cycle of flight; bus: one transfer each way
    "interconnect": (1024 + 704) / 1024 + 1 + 1,
    # 32 outputs through 512 / 8 = 64 units
    "digital": 1.0,
}


def clock_s() -> float:
    """1.4 times: mux and decoder (2.91 + 85.36 ps), then six SAR steps of 1 ns; no encoder."""
    return 1.4 * (2.9147e-12 + 85.358e-12 + 6e-9)


def conversion_J() -> float:
    """Eight planes of 128 columns, with all rows on."""
    level, off = 2 / 3, 1 / R_OFF
    per_um = 9.7697
    wires = per_um * 0.040 * (4 * (COLS + 1) / 2 + 12 * (ROWS + 1) / 2)
    series = 0.25 * R_ON + wires
    on = off + level * (1 / R_ON - off)
    conductance = ROWS * (0.25 / (1 / on + series) + 0.75 / (1 / off + series))
    y = 0.5 / V_READ / conductance
    power = (0.538 * 5 + 4.3753) * 1e-6 + 0.072341 * y ** (-2.303 / 2.302585)
    return float(COLS * 6e-9 * 8 * power)


def energies_J() -> dict[str, float]:
    """One image: eight reads of one subarray, and what it takes to feed it."""
    active = 8 * ROWS
    c_wordline = 9.5400155e-15
    # Word-line pass gates of 14 x 2F: 18 rows of cells fit the array, so 8 columns and 32F slots.
    gate_n, gate_p = 28 * F, 28 * F * RHO
    drain = pass_gate_drain_F(gate_n, gate_p, 32 * F)
    per_row = (
        2 * drain * V_ACCESS**2 + 3 * drain * V_READ**2 + 3 * C_GATE * (gate_n + gate_p) * V**2
    )
    # Mux: a quarter of the mean column resistance, each device half of that; fills its own cell.
    mean_ohm = 2 / (1 / (1.25 * R_ON) + 1 / (R_OFF + 0.25 * R_ON))
    target = 0.25 * mean_ohm / ROWS
    mux_n, mux_p = (V / current / (2 * target) for current in (791.9, 600.2))
    mux_drain = pass_gate_drain_F(mux_n, mux_p, mux_n + mux_p + 7.1 * F)
    mux = MUX * ADCS * (C_GATE * mux_n * V**2 + 2 * mux_drain * V_READ**2)
    # Shift-adds: (4 - 1) x 2 operations of 5 + 4 bits, 2 operations of 9 + 8 bits, per read.
    weight = ADCS * (E_1 + 4 * E_2 + 0.5 * 9 * E_D)
    inputs = ADCS * (E_1 + 8 * E_2 + 0.5 * 17 * E_D)
    # One-line buffer: the decoder is one big inverter and two drivers of 4F.
    u = 1 + V / 0.9
    driver_out = sum(
        2.8 * F * w * 1e-3 * u**-0.5 + (5.6 * F + w) * 2.5e-10 * u**-0.33 + w * 0.5e-10 * u**-0.33
        for w in (4 * F, 4 * F * RHO)
    )
    decode = V**2 * (C_GATE * 20.9 * F + 2 * (C_GATE * 4 * F * (1 + RHO) + driver_out))
    store = 0.5 * E_D
    per_tile_bit = store + (1 + 0.05) / 2 * decode / 32
    chip_read, chip_write = store + 0.05 * decode / 1024, store + decode / 1024
    pe_side, tile_side = lengths_m()
    toggle_in, toggle_out = 0.18, 0.5
    return {
        "array": MUX * active * c_wordline * V**2,
        "adc": conversion_J(),
        "mux": 8 * (mux + 0.02296e-12),
        "drivers": MUX * (active * per_row + 8 * ROWS * E_D),
        "shift_add": 8 * (6 * weight + 2 * inputs),
        # The tile's 64 adders of 21 bits take two results; a single subarray needs no PE adder.
        "adder_tree": 64 * 2 * (E_1 + 20 * E_2),
        "buffer": (1024 + 336) * E_D
        + (1024 + 704) * per_tile_bit
        + 1024 * chip_read
        + 256 * chip_write,
        "interconnect": E_BUS
        * (toggle_in * Subarray.side_h_m * 1024 + toggle_out * Subarray.side_v_m * 32 * 21)
        + E_TREE * 2 * pe_side * (toggle_in * 1024 + toggle_out * 704)
        + E_TREE * tile_side / 2 * (toggle_in * 1024 + toggle_out * 256),
        "digital": 64 * 8 * E_D,
    }


@pytest.fixture(scope="module")
def priced() -> tuple[MappingPlan, CostBreakdown]:
    return price(make_design(*SETTINGS), make_table(Conv(1, 128, 32)))


def test_counts(priced: tuple[MappingPlan, CostBreakdown]) -> None:
    plan, _ = priced
    floor = plan.floorplan
    # The least tile: 4 x 4 crossbars as 2 x 2 PEs of 2 x 2.
    assert (float(floor.tile_side), float(floor.pe_side), float(floor.tiles)) == (512, 256, 1)
    assert plan.subarrays_used.tolist() == [1]
    assert plan.write_cells.tolist() == [128 * 128]
    assert plan.copies.tolist() == [1]
    assert plan.utilisation.tolist() == [1 / 16]


@pytest.mark.parametrize("component", CYCLES)
def test_time(priced: tuple[MappingPlan, CostBreakdown], component: str) -> None:
    _, cost = priced
    assert float(cost.clock_s) == near(clock_s(), rel=1e-6)
    found = float(cost.times_s[component]) / float(cost.clock_s)
    assert found == near(CYCLES[component], rel=1e-12)


def test_latency(priced: tuple[MappingPlan, CostBreakdown]) -> None:
    _, cost = priced
    assert sum(CYCLES.values()) == 77.625
    assert float(cost.latency_s) == near(77.625 * clock_s(), rel=1e-6)
    assert float(cost.period_s) == float(cost.latency_s)


@pytest.mark.parametrize("component", areas_m2())
def test_area(priced: tuple[MappingPlan, CostBreakdown], component: str) -> None:
    _, cost = priced
    found = float(cost.areas_m2[component])
    assert found == pytest.approx(areas_m2()[component], rel=PRINTED, abs=1e-20)


def test_total_area(priced: tuple[MappingPlan, CostBreakdown]) -> None:
    assert float(priced[1].area_m2) == near(sum(areas_m2().values()), rel=PRINTED)


@pytest.mark.parametrize("component", energies_J())
def test_energy(priced: tuple[MappingPlan, CostBreakdown], component: str) -> None:
    _, cost = priced
    found = float(cost.energies_J[component])
    assert found == near(energies_J()[component], rel=PRINTED)


def test_total_energy_and_operations(priced: tuple[MappingPlan, CostBreakdown]) -> None:
    _, cost = priced
    assert float(cost.dynamic_energy_J) == near(sum(energies_J().values()), rel=PRINTED)
    assert float(cost.macs) == 128 * 32


def test_programming(priced: tuple[MappingPlan, CostBreakdown]) -> None:
    """Nobody is verified: one pulse per cell, the 128 cells of a row at a time."""
    written = priced[1].programming
    assert float(written.write_pulses) == 128 * 128
    assert float(written.verify_reads) == 0
    assert float(written.time_s) == near(128 * 10e-9)
    assert float(written.energy_J) == near(128 * 128 * 0.6e-12)
