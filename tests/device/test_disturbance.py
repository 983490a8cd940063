from __future__ import annotations

import math

import pytest
import torch

from archsim.device import drift_cells, drift_factor, mean_drift_factor, read_cells, stick_cells
from archsim.errors import ConfigError
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded
from tests.refusals import refused

CELLS = 200_000


def test_shares_of_stuck_cells():
    levels = torch.full((CELLS,), 1.5)
    stuck = stick_cells(
        levels=levels, level_count=4, stuck_on_rate=0.01, stuck_off_rate=0.09, generator=seeded()
    )
    for level, rate in ((3.0, 0.01), (0.0, 0.09), (1.5, 0.9)):
        share = float((stuck == level).double().mean())
        assert abs(share - rate) <= ERRORS * math.sqrt(rate * (1 - rate) / CELLS)


def test_no_defects_change_nothing_and_all_defects_everything():
    levels = torch.rand(1000, generator=seeded())
    same = stick_cells(
        levels=levels, level_count=4, stuck_on_rate=0.0, stuck_off_rate=0.0, generator=seeded()
    )
    assert torch.equal(same, levels)
    gone = stick_cells(
        levels=levels, level_count=4, stuck_on_rate=0.5, stuck_off_rate=0.5, generator=seeded()
    )
    assert set(gone.tolist()) == {0.0, 3.0}


@pytest.mark.parametrize(("on", "off"), [(-0.1, 0.0), (0.6, 0.6)])
def test_impossible_rates_are_refused(on, off):
    with refused(ConfigError, code="out-of-range", field="stuck_on_rate", value=(on, off)):
        stick_cells(
            levels=torch.zeros(3),
            level_count=4,
            stuck_on_rate=on,
            stuck_off_rate=off,
            generator=seeded(),
        )


def test_drift_is_a_power_law_after_the_first_read():
    factor = drift_factor(
        time_s=torch.tensor([1.0, 20.0, 20e3], dtype=torch.float64), start_s=20.0, drift_nu=0.05
    )
    assert factor.tolist() == pytest.approx([1, 1, 1000**-0.05])


def test_mean_drift_of_many_cells():
    drifted = drift_cells(
        conductance=torch.ones(CELLS, dtype=torch.float64),
        time_s=1e6,
        start_s=20.0,
        drift_nu=0.05,
        drift_nu_sigma=0.02,
        generator=seeded(),
    )
    expected = mean_drift_factor(time_s=1e6, start_s=20.0, drift_nu=0.05, drift_nu_sigma=0.02)
    assert abs(float(drifted.mean()) - float(expected)) <= mean_error(drifted)


def test_read_noise_is_relative_to_the_full_range():
    noise = read_cells(
        levels=torch.zeros(CELLS, dtype=torch.float64),
        level_count=4,
        read_noise_sigma=0.02,
        generator=seeded(),
    )
    assert abs(float(noise.square().mean().sqrt()) - 0.06) <= rms_error(noise)
