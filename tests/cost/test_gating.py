"""``chip.read.gating``: by hand against the chip of one crossbar, and as laws of any design."""

from __future__ import annotations

import random

import pytest
import torch

from archsim.cost.engine import ENERGY_COMPONENTS, evaluate
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan
from tests.cost.hand_22nm import ADCS, E_D, MUX, SETTINGS
from tests.cost.random_designs import Network, any_design
from tests.designs import Conv, make_design, make_table, near, price

USED, NONE = "chip.read.gating=used", "chip.read.gating=none"
#: 100 of 128 rows, 10 weights of four cells: 40 of 128 columns, so 5 of 16 converters.
PART, FULL = make_table(Conv(1, 100, 10)), make_table(Conv(1, 128, 32))
PLANES, ROWS, CONVERTERS = 8, 100, 5


def energies(table: object, *settings: str) -> dict[str, float]:
    cost: CostBreakdown = price(make_design(*SETTINGS, *settings), table)[1]
    return {name: float(value) for name, value in cost.energies_J.items()}


def test_lines_rise_and_registers_are_clocked_once_per_plane() -> None:
    free, gated = energies(PART, NONE), energies(PART, USED)
    assert gated["array"] == near(free["array"] / MUX)
    gates = free["drivers"] - PLANES * MUX * 128 * E_D
    assert gated["drivers"] == near(gates / MUX + PLANES * ROWS * E_D, 5e-4)


def test_converters_without_columns_stand_still() -> None:
    free, gated = energies(PART, NONE), energies(PART, USED)
    assert gated["shift_add"] == near(free["shift_add"] * CONVERTERS / ADCS)
    decoder = PLANES * 0.02296e-12  # of the mux, for all converters; printed in the specification
    assert gated["mux"] - decoder == near((free["mux"] - decoder) * CONVERTERS / ADCS, 5e-4)
    # The tile's 64 adders take two results each; those of 5 converters work.
    assert gated["adder_tree"] == near(free["adder_tree"] * CONVERTERS / 64)
    assert gated["adc"] == near(free["adc"])


def test_a_full_crossbar_saves_only_what_inputs_held_save() -> None:
    free, gated = energies(FULL, NONE), energies(FULL, USED)
    for name in ("mux", "shift_add", "adc", "buffer", "interconnect"):
        assert gated[name] == near(free[name]), name
    for name in ("array", "drivers"):
        assert gated[name] == near(free[name] / MUX), name


def test_row_energy_does_not_grow_with_the_mux() -> None:
    """Held inputs: eight times the columns per converter, the same energy of rows."""
    few, many = (energies(FULL, USED, f"chip.crossbar.mux_ratio={ratio}") for ratio in (4, 32))
    for name in ("array", "drivers"):
        assert many[name] == near(few[name]), name


@pytest.mark.parametrize("seed", range(8))
def test_gating_takes_energy_alone_and_never_adds_any(seed: int, small_net: Network) -> None:
    table, points = small_net
    design = any_design(random.Random(seed))
    free, gated = (
        evaluate(design=each, plan=compile_plan(design=each, table=table, points=points))
        for each in (design.replace(gates_unused=torch.tensor(flag)) for flag in (False, True))
    )
    for name in ENERGY_COMPONENTS:
        assert bool(
            (gated.layer_energies_J[name] <= free.layer_energies_J[name] * (1 + 1e-9)).all()
        )
    assert torch.equal(gated.area_m2, free.area_m2)
    assert torch.equal(gated.latency_s, free.latency_s)
