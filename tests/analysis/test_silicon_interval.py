"""Intervals of a chip's totals: quantiles of one factor on the reads."""

from __future__ import annotations

import math

import pytest

from archsim.api.map import map_network, silicon_intervals
from archsim.arch.silicon import SPREAD_CLASSES, default_constants
from archsim.config.resolve import resolve
from archsim.errors import ConfigError
from archsim.results.silicon_interval import SiliconInterval

CHIP = "rram-22nm"
#: Quantiles of the normal distribution, from a table.
Z_80, Z_90 = 1.28155, 1.64485


def found(*overrides: str, chip: str = CHIP) -> dict[str, SiliconInterval]:
    result = map_network("lenet3", chip=chip, overrides=overrides)
    return {entry.name: entry for entry in silicon_intervals(result)}


def factor(value: float, of: str) -> str:
    return f'chip.calibration.{of}={{value: {value}, unit: "1", sigma: 0.5, source: test}}'


def test_bounds_are_totals_with_that_factor_on_the_reads() -> None:
    spread = found(factor(1, "macro_energy"))["energy_uJ"]
    for z, bound in ((Z_80, spread.interval80[1]), (-Z_90, spread.interval90[0])):
        factored = factor(math.exp(0.5 * z), "macro_energy")
        total = map_network("lenet3", chip=CHIP, overrides=[factored]).totals["energy_uJ"]
        assert bound == pytest.approx(total, rel=1e-4)
    assert spread.interval90[0] < spread.interval80[0] < spread.value < spread.interval80[1]


def test_density_draws_time_and_area_together() -> None:
    """Where the reads are nearly all time and area, it is log-normal with both spreads."""
    sigmas = [f'chip.calibration.macro_{of}={{value: 1, unit: "1", sigma: {s}, source: test}}'
              for of, s in (("time", 0.4), ("area", 0.3))]  # fmt: skip
    by_name = found(*sigmas)
    density = by_name["tops_per_mm2"]
    assert density.sigma == pytest.approx(0.5)
    for interval, z in ((density.interval80, Z_80), (density.interval90, Z_90)):
        low, high = interval
        assert low < density.value < high
        # A part of time and area is not the reads', so it is never wider than that.
        assert 0.6 * 2 * z * 0.5 < math.log(high / low) < 1.05 * 2 * z * 0.5


def test_density_is_work_over_period_and_area() -> None:
    result = map_network("lenet3", chip=CHIP)
    (density,) = (e for e in silicon_intervals(result) if e.name == "tops_per_mm2")
    energy_J = result.totals["energy_uJ"] * 1e-6
    operations = result.totals["tops_per_W"] * 1e12 * energy_J
    per_second = operations * result.totals["throughput_per_s"]
    assert density.value == pytest.approx(per_second / result.totals["area_mm2"] * 1e-12)


def test_presets_spread_is_the_calibrations() -> None:
    calibration = resolve(chip=CHIP).chip.calibration
    constants, nvm = default_constants(), SPREAD_CLASSES.index("nvm")
    for given, spread in (
        (calibration.macro_energy, constants.energy_spread),
        (calibration.macro_time, constants.latency_spread),
        (calibration.macro_area, constants.area_spread),
    ):
        assert given is not None
        assert given.sigma == pytest.approx(float(spread[nvm]))


def test_a_chip_that_says_no_spread_has_the_calibrations() -> None:
    silent = found("chip.calibration.macro_energy=null")["energy_uJ"]
    assert silent.sigma == pytest.approx(found()["energy_uJ"].sigma)


def test_neurosim_has_no_interval() -> None:
    assert found("chip.cost_model=neurosim") == {}


def test_a_factor_that_neurosim_would_ignore_is_refused() -> None:
    overrides = ["chip.cost_model=neurosim", factor(2, "macro_energy")]
    with pytest.raises(ConfigError, match="macro_energy = 2 corrects nothing"):
        map_network("lenet3", chip=CHIP, overrides=overrides)
