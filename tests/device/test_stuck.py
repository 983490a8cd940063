"""Stuck cells under write-verify: against programmed cells, and in the cost engine."""

from __future__ import annotations

import pytest
import torch

from archsim.device import pulse_distribution
from archsim.device.stuck import acceptance, stuck_errors, stuck_pulses, with_stuck
from tests.designs import Conv, make_design, make_table, near, price
from tests.device.monte_carlo import mean_error, seeded

LOOP = {"model": "incremental", "sigma": 0.1, "tolerance": 0.043, "max_pulses": 20}
STEP = {"step_gain": 0.055, "step_sigma": 0.02}
ON, OFF = 0.01, 0.09
RATES = (f"device.stuck_on_rate={ON}", f"device.stuck_off_rate={OFF}")


def test_without_noise_a_read_accepts_surely_or_never():
    errors = torch.tensor([0.0, 0.043, 0.0431, -0.5], dtype=torch.float64)
    found = acceptance(error=errors, tolerance=0.043, read_noise=0.0)
    assert found.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.2])
def test_the_law_is_that_of_sampled_cells(noise):
    """Cells meant for all levels of two bits, a tenth of them stuck; read one after the other."""
    errors, rates = stuck_errors(cell_bits=2, pair=False, stuck_on_rate=ON, stuck_off_rate=OFF)
    distribution = with_stuck(
        pulse_distribution(**LOOP, **STEP, read_noise=noise),
        errors=errors,
        rates=rates,
        tolerance=0.043,
        max_pulses=20,
        read_noise=noise,
    )
    cells = 400_000
    generator = seeded(3)
    level = torch.randint(4, (cells,), generator=generator)
    is_on = torch.rand(cells, generator=generator) < ON / (ON + OFF)
    error = (torch.where(is_on, 3, 0) - level).double() / 3
    pulses, done = stuck_pulses(
        error=error, tolerance=0.043, max_pulses=20, read_noise=noise, generator=generator
    )
    plain = pulse_distribution(**LOOP, **STEP, read_noise=noise).stats()
    share = ON + OFF
    expected = (1 - share) * float(plain.write_pulses) + share * float(pulses.mean())
    within = share * mean_error(pulses)
    assert float(distribution.stats().write_pulses) == pytest.approx(expected, abs=within, rel=0)
    failed = (~done).double()
    lost = (1 - share) * float(plain.unconverged_fraction) + share * float(failed.mean())
    assert float(distribution.unconverged_fraction) == pytest.approx(
        lost, abs=share * mean_error(failed), rel=0
    )
    square = (1 - share) * float(plain.residual_sigma) ** 2 + share * float(error.square().mean())
    assert float(distribution.residual_sigma) ** 2 == pytest.approx(
        square, abs=share * mean_error(error.square()), rel=0
    )


def test_pulses_of_a_stuck_cell_are_geometric():
    error = torch.full((200_000,), 0.1, dtype=torch.float64)
    pulses, done = stuck_pulses(
        error=error, tolerance=0.043, max_pulses=7, read_noise=0.1, generator=seeded(4)
    )
    rejects = 1 - float(acceptance(error=0.1, tolerance=0.043, read_noise=0.1))
    expected = sum(rejects**pulse for pulse in range(7))
    assert float(pulses.mean()) == pytest.approx(expected, abs=mean_error(pulses), rel=0)
    assert float(done.double().mean()) == pytest.approx(
        1 - rejects**7, abs=mean_error(done.double()), rel=0
    )


def test_shares_of_errors_add_up_for_mixed_designs():
    bits = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    pair = torch.tensor([False, True, True])
    errors, rates = stuck_errors(cell_bits=bits, pair=pair, stuck_on_rate=ON, stuck_off_rate=OFF)
    torch.testing.assert_close(rates.sum(-1), torch.full((3,), ON + OFF, dtype=torch.float64))
    # One bit, offset: half of the cells are where they are stuck.
    assert float(rates[0][errors[0] == 0].sum()) == near((ON + OFF) / 2)
    # A pair of two bits: level 0 in 1/2 + 1/8 of the cells, the highest in 1/8.
    assert float(rates[1][errors[1] == 0].sum()) == near(ON / 8 + OFF * 5 / 8)
    assert float(rates[1][errors[1] == 1].sum()) == near(ON * 5 / 8 + OFF / 8)


@pytest.mark.parametrize("encoding", ["offset", "differential"])
def test_the_engine_counts_the_pulses_in_vain(encoding):
    """By hand: 9.93 pulses of the cells that work, 100 of those that are not where they should."""
    settings = (
        "chip.programming.policy=all",
        f"chip.precision.encoding={encoding}",
        "chip.hierarchy.duplication=none",
    )
    table = make_table(Conv(size=1, inputs=100, outputs=16))

    def programming(*more):
        return price(make_design(*settings, *more, device="rram"), table)[1].programming

    sound, ill = programming(), programming(*RATES)
    at_zero, at_top = (5 / 8, 1 / 8) if encoding == "differential" else (1 / 4, 1 / 4)
    lost = ON * (1 - at_top) + OFF * (1 - at_zero)
    per_cell = float(sound.write_pulses / sound.cells)
    expected = (1 - ON - OFF) * per_cell + lost * 100 + (ON + OFF - lost)
    assert float(ill.write_pulses / ill.cells) == near(expected)
    assert float(ill.residual_sigma) > 2 * float(sound.residual_sigma)
    assert float(ill.time_s) > 1.3 * float(sound.time_s)
