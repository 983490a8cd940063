"""Oracle: a matrix whose signs make it twice as wide, conversion by conversion, by hand.

The layer of :mod:`tests.cost.test_one_crossbar`, 128 inputs and 32 outputs, stored with a column
for each sign: 32 weights of 2 x 4 cells fill two 128 x 128 crossbars. All weights are 0, so every
cell of both signs is at level 0; all inputs are on in all eight planes.
"""

from __future__ import annotations

import pytest

from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from tests.cost.hand_22nm import COLS, R_OFF, R_ON, ROWS, SETTINGS, V_READ
from tests.designs import Conv, make_design, make_table, near, price

PRINTED = 5e-4
PLANES, CROSSBARS = 8, 2


def conversion_J() -> float:
    """One conversion of a column of cells at level 0: six steps of 1 ns."""
    wires = 9.7697 * 0.040 * (4 * (COLS + 1) / 2 + 12 * (ROWS + 1) / 2)
    series = 0.25 * R_ON + wires
    conductance = ROWS / (R_OFF + series)
    y = 0.5 / V_READ / conductance
    power = (0.538 * 5 + 4.3753) * 1e-6 + 0.072341 * y ** (-2.303 / 2.302585)
    return float(6e-9 * power)


def priced(encoding: str, pair: str = "digital") -> tuple[MappingPlan, CostBreakdown]:
    settings = (f"chip.precision.encoding={encoding}", f"chip.read.pair={pair}")
    return price(make_design(*SETTINGS, *settings), make_table(Conv(1, 128, 32)))


@pytest.mark.parametrize("encoding", ["differential", "separate-sign"])
@pytest.mark.parametrize("pair", ["digital", "analog"])
def test_energy_and_turns_of_converters(encoding: str, pair: str) -> None:
    plan, cost = priced(encoding, pair)
    assert plan.subarrays_used.tolist() == [CROSSBARS]
    at_once = {"digital": 1, "analog": 2}[pair]
    conversions = PLANES * CROSSBARS * COLS / at_once
    assert float(cost.energies_J["adc"]) == near(conversions * conversion_J(), rel=PRINTED)
    # Eight columns share an ADC, or four pairs; the two crossbars are read side by side.
    cycles = float(cost.times_s["array"] / cost.clock_s)
    assert cycles == near(PLANES * 8 / at_once)


@pytest.mark.parametrize("encoding", ["differential", "separate-sign"])
def test_both_columns_are_written_driven_and_summed(encoding: str) -> None:
    (one, alone), (two, both) = priced("offset"), priced(encoding)
    assert one.write_cells.tolist() == [ROWS * COLS]
    assert two.write_cells.tolist() == [CROSSBARS * ROWS * COLS]
    assert float(both.programming.write_pulses) == CROSSBARS * ROWS * COLS
    assert float(both.programming.time_s) == near(2 * float(alone.programming.time_s))
    # Word lines of both crossbars swing, as do their drivers, muxes and shift-adds.
    for component in ("array", "drivers", "mux", "shift_add"):
        expected = 2 * float(alone.energies_J[component])
        assert float(both.energies_J[component]) == near(expected), component


def test_half_of_the_cells_hold_no_weight() -> None:
    """Weights that fill the range: idle cells keep each column below those of an offset code."""
    wide = "chip.activity.weight_std=1"
    energies = {}
    for encoding in ("offset", "separate-sign"):
        design = make_design(*SETTINGS, wide, f"chip.precision.encoding={encoding}")
        energies[encoding] = float(price(design, make_table(Conv(1, 128, 32)))[1].energies_J["adc"])
    assert energies["offset"] < energies["separate-sign"] < 2 * energies["offset"]
