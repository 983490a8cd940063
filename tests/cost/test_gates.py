"""Oracle: gate models against published numbers per node, and against arithmetic by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from archsim.cost import gate_sizing, gates
from archsim.cost.component.flip_flop import flip_flop
from archsim.cost.component.level_shifter import level_shifter_area_m2
from tests.designs import make_design, near, technology

#: Printed to five or six digits, so half a unit in the last of four is allowed.
PRINTED = 1.5e-4

# 300 K, LSTP: on-resistance (kohm), gate and drain capacitance (aF) of the unit device (F planar,
# one fin FinFET); minimum inverter C_in, C_out (aF); register bit energy (fJ), width (um); enlarged
# NAND2 w_n/F, w_p/F, C_in, C_out (aF); level shifter (um2) with and without I/O devices.
NODES = {
    "65nm-lstp": (
        (74.88, 155.562, 92.839, 832.49, 262.49, 11.2346, 5.9280),
        (11.372, 9.528, 3251.25, 660.04, 105.192, 17.532),
    ),
    "45nm-lstp": (
        (78.64, 88.050, 63.685, 469.72, 175.56, 5.5134, 4.1040),
        (11.398, 9.502, 1840.25, 410.69, 50.418, 8.403),
    ),
    "32nm-lstp": (
        (82.94, 54.102, 45.305, 270.57, 119.61, 2.7221, 2.9184),
        (11.941, 8.959, 1130.74, 276.10, 22.161, 4.031),
    ),
    "22nm-lstp": (
        (86.36, 31.456, 31.003, 145.92, 78.55, 1.4110, 2.0064),
        (12.593, 8.307, 657.42, 180.82, 10.011, 1.802),
    ),
    "14nm-lstp": (
        (30.54, 103.816, 4.992, 207.63, 9.98, 1.1270, 1.8719),
        (4, 2, 311.45, 24.96, 12.372, 2.246),
    ),
    "10nm-lstp": (
        (26.69, 97.549, 4.502, 195.10, 9.00, 0.9286, 1.5360),
        (4, 2, 292.65, 22.51, 7.299, 1.331),
    ),
    "7nm-lstp": (
        (23.86, 100.497, 3.358, 200.99, 6.72, 0.8208, 1.3680),
        (4, 2, 301.49, 16.79, 6.254, 1.409),
    ),
}


@pytest.mark.parametrize("node", NODES)
def test_unit_device_inverter_and_register(node: str) -> None:
    tech = technology(node)
    unit = gate_sizing.unit_width_m(tech)
    nominal = gates.NOMINAL_HEIGHT * tech.node_m
    none = torch.zeros_like(unit)
    inverter = gates.make_gate(tech, "inverter", 1, 2 * tech.node_m, 2 * tech.node_m * tech.r_pn)
    register = flip_flop(tech)
    found = (
        gates.resistance_n_ohm(tech, unit) * 1e-3,
        gates.gate_capacitance_F(tech, unit) * 1e18,
        gates.drain_capacitance_F(tech, "inverter", 1, unit, none, nominal) * 1e18,
        inverter.c_in_F * 1e18,
        inverter.c_out_F * 1e18,
        register.energy_J * 1e15,
        register.width_m * 1e6,
    )
    # C_out of a FinFET inverter is printed to three digits only.
    rel = PRINTED if node.startswith(("65", "45", "32", "22")) else 8e-4
    assert [float(value) for value in found] == near(NODES[node][0], rel=rel)


@pytest.mark.parametrize("node", NODES)
def test_enlarged_nand_and_level_shifter(node: str) -> None:
    tech = technology(node)
    width_n, width_p = 4 * tech.node_m, 2 * tech.node_m * tech.r_pn
    nand = gate_sizing.enlarged_gate(tech, "nand", 2, width_n, width_p)
    thick = make_design("device.v_write=2", node=node, device="rram")
    core = thick.replace(io_device_shifters=False)
    found = (
        nand.width_n_m / tech.node_m,
        nand.width_p_m / tech.node_m,
        nand.c_in_F * 1e18,
        nand.c_out_F * 1e18,
        level_shifter_area_m2(design=thick) * 1e12,
        level_shifter_area_m2(design=core) * 1e12,
    )
    assert [float(value) for value in found] == near(NODES[node][1], rel=4e-4)


def test_level_shifters_only_where_the_write_voltage_needs_them() -> None:
    volts = torch.tensor([0.9, 1.5, 1.51, 2.0], dtype=torch.float64)
    area = level_shifter_area_m2(design=make_design().replace(v_write_V=volts))
    assert (area > 0).tolist() == [False, False, True, True]
    assert float(level_shifter_area_m2(design=make_design(device="sram"))) == 0


def test_minimum_inverter_at_22nm_by_hand() -> None:
    """w_n = 2F, w_p = 2F rho; unfolded, so drain length 2.8F and one outer edge."""
    F, V = 22e-9, 0.85
    rho = 791.9 / 600.2
    c_g = 1.2 * 5.245e-10 + 8.004e-10
    u = 1 + V / 0.9
    c_j, c_sw, c_dc = 1e-3 * u**-0.5, 2.5e-10 * u**-0.33, 0.5e-10 * u**-0.33
    c_out = 0.0
    for w in (2 * F, 2 * F * rho):
        length, side = 2.8 * F, 2 * 2.8 * F + w
        c_out += length * w * c_j + side * c_sw + w * c_dc
    tech = technology("22nm-lstp")
    inverter = gates.make_gate(tech, "inverter", 1, 2 * tech.node_m, 2 * tech.node_m * tech.r_pn)
    assert float(inverter.c_in_F) == near(c_g * 2 * F * (1 + rho), rel=1e-9)
    # The preset keeps the junction coefficients, printed to a few digits.
    assert float(inverter.c_out_F) == near(c_out, rel=1e-4)
    assert float(inverter.r_n_ohm) == near(1.77 * V / (791.9 * 2 * F), rel=1e-9)
    assert float(inverter.r_p_ohm) == near(float(inverter.r_n_ohm), rel=1e-9)
    assert float(inverter.leakage_A) == near((2 * F + 2 * F * rho) * 1e-4 / 2, rel=1e-9)
    assert float(inverter.width_m) == near(2 * 3.8 * F, rel=1e-9)


def _in_F(node: str, *multiples: float) -> list[Tensor]:
    tech = technology(node)
    return [tech.node_m * value for value in multiples]


def test_planar_folding_by_hand() -> None:
    """28F cell, both polarities: 20.9F usable, shared in proportion to the widths."""
    tech = technology("32nm-lstp")
    width_n, width_p, height = _in_F("32nm-lstp", 10, 10, 28)  # 10.45F each: fits
    pitch = float(tech.pitch_m)

    def inverter(n: Tensor, p: Tensor) -> float:
        return float(gates.footprint_m(tech, "inverter", 1, n, p, height)) / pitch

    assert inverter(width_n, width_p) == near(2)
    assert inverter(width_n * 1.045, width_p * 1.045) == near(2)  # exactly full: fits
    assert inverter(width_n * 1.05, width_p * 1.05) == near(3)  # two fingers
    assert inverter(width_n * 3, width_p * 3) == near(4)  # ceil(30 / 10.45) = 3 fingers
    # One polarity alone: 28F - 3.6F = 24.4F per finger.
    none = torch.zeros_like(width_n)
    assert inverter(width_n * 2.44, none) == near(2)
    assert inverter(width_n * 2.45, none) == near(3)
    # Three-input NAND: four pitches flat; three times (folds + 1) when folded.
    flat = gates.footprint_m(tech, "nand", 3, width_n, width_p, height)
    folded = gates.footprint_m(tech, "nand", 3, width_n * 1.05, width_p * 1.05, height)
    assert float(flat) / pitch == near(4)
    assert float(folded) / pitch == near(9)


def test_finfet_folds_are_floored() -> None:
    """14 nm: four fins per polarity and finger, so 9 fins make floor(9 / 4) = 2 fingers."""
    tech = technology("14nm-lstp")
    nominal = gates.NOMINAL_HEIGHT * tech.node_m
    footprints = [
        float(
            gates.footprint_m(
                tech, "inverter", 1, 2 * fins * tech.node_m, 2 * fins * tech.node_m, nominal
            )
            / tech.pitch_m
        )
        for fins in (1, 4, 5, 9, 12)
    ]
    assert footprints == near([2, 2, 2, 3, 4])


def test_fins_are_started_pairs_of_F() -> None:
    tech = technology("7nm-lstp")
    widths = torch.tensor([0.1, 2.0, 2.1, 4.0, 6.5], dtype=torch.float64) * tech.node_m
    assert gates.fins(tech, widths).tolist() == [1, 1, 2, 2, 4]


@pytest.mark.parametrize(
    ("kind", "inputs", "factor"),
    [("nand", 2, 0.48 * 2), ("nand", 3, 0.31 * 3), ("nor", 2, 0.95 * 2), ("nor", 8, 0.62 * 8)],
)
def test_stack_leakage(kind: gates.GateKind, inputs: int, factor: float) -> None:
    tech = technology("45nm-lstp")
    width_n, width_p = _in_F("45nm-lstp", 4, 3)
    off = tech.i_off_p_A_per_m * width_p if kind == "nand" else tech.i_off_n_A_per_m * width_n
    found = gates.leakage_A(tech, kind, inputs, width_n, width_p)
    assert float(found) == near(factor * float(off), rel=1e-12)


def test_delay_chain_by_hand() -> None:
    """t1 = ln2 tau1 after a step; t2 = sqrt((ln2 tau2)^2 + tau2 t1)."""
    first, second = torch.tensor(2e-12), torch.tensor(5e-12)
    t1 = math.log(2) * 2e-12
    t2 = math.sqrt((math.log(2) * 5e-12) ** 2 + 5e-12 * t1)
    found = gates.chain_delay_s(first.double(), second.double())
    assert [float(value) for value in found] == near([t1, t2], rel=1e-6)


def test_parallel_resistance_and_pass_gate_height() -> None:
    assert float(gates.parallel_ohm(torch.tensor(3.0), torch.tensor(6.0))) == near(2)
    tech = technology("22nm-lstp")
    width_n, width_p = _in_F("22nm-lstp", 30, 40)
    height = gate_sizing.pass_gate_height_m(tech, width_n, width_p, torch.tensor(5.0))
    assert float(height / tech.node_m) == near(70 / 5 + 7.1, rel=1e-9)


def test_register_layout_fills_columns_and_rows() -> None:
    register = flip_flop(technology("22nm-lstp"))
    tall, wide = float(register.height_m), float(register.width_m)
    assert (tall, wide) == near((28 * 22e-9, 12 * 2 * 3.8 * 22e-9))
    bits = torch.tensor(10.0, dtype=torch.float64)
    # Four bits fit a column of 4.5 cell heights: ceil(10 / 4) = 3 columns.
    found = register.width_in_height(bits, torch.tensor(4.5 * tall, dtype=torch.float64))
    assert float(found) == near(3 * wide)
    # Room for 20, but there are only 10: one row.
    found = register.height_in_width(bits, torch.tensor(20 * wide, dtype=torch.float64))
    assert float(found) == near(tall)
    # In a space half as wide as one register it is twice as tall: its area stays.
    found = register.height_in_width(bits, torch.tensor(0.5 * wide, dtype=torch.float64))
    assert float(found) == near(2 * 10 * tall)
