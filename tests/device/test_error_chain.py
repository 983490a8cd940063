from __future__ import annotations

import math

import pytest
import torch

from archsim.device.error_chain import incremental_distribution

# sigma, tolerance, max_pulses, step_gain, step_sigma
NOISY = [
    (0.1, 0.043, 100, 0.055, 0.02),
    (0.1, 0.042, 100, 0.06, 0.015),
    (0.1, 0.04, 30, 0.3, 0.01),
    (0.1, 0.05, 20, 0.5, 0.005),
    (0.1, 0.03, 100, 0.0, 0.02),
    (0.1, 0.01, 100, 0.05, 0.01),
    (0.1, 0.2, 10, 0.5, 0.02),
    (0.002, 0.1, 100, 0.06, 0.015),
    (0.002, 0.03, 100, 0.06, 0.015),
    (0.1, 0.03, 100, 1.8, 0.005),
    (0.3, 0.03, 100, 0.2, 0.02),
]
NOISELESS = [
    (0.1, 0.04, 30, 0.3, 0.0),
    (0.1, 0.02, 50, 0.1, 0.0),
    (0.1, 0.04, 100, 0.06, 0.0),
    (0.1, 0.03, 5, 0.05, 0.0),
]


def distribution(sigma, tolerance, max_pulses, step_gain, step_sigma, refine=1):
    return incremental_distribution(
        sigma=sigma,
        tolerance=tolerance,
        max_pulses=max_pulses,
        step_gain=step_gain,
        step_sigma=step_sigma,
        refine=refine,
    )


@pytest.mark.parametrize("case", NOISY)
def test_documented_accuracy_against_a_fine_grid(case):
    survival, variance, outside = distribution(*case)
    fine_survival, fine_variance, fine_outside = distribution(*case, refine=8)
    assert float(survival.sum()) == pytest.approx(float(fine_survival.sum()), rel=2e-5)
    assert float(variance.sqrt()) == pytest.approx(float(fine_variance.sqrt()), rel=1e-3)
    assert float(outside) == pytest.approx(float(fine_outside), abs=2e-5)


@pytest.mark.parametrize("case", NOISELESS)
def test_documented_accuracy_without_step_noise(case):
    """Without step noise |e_1| decides: e_k = (1 - gain)^(k-1) e_1 until it is small enough."""
    sigma, tolerance, max_pulses, step_gain, _ = case
    first = torch.linspace(0, 8 * sigma, 2_000_001, dtype=torch.float64)
    density = torch.exp(-((first / sigma) ** 2) / 2) * math.sqrt(2 / math.pi) / sigma
    needed = 1 + torch.ceil(torch.log(tolerance / first) / math.log(1 - step_gain)).clamp_min(0)
    pulses = needed.clamp_max(max_pulses)
    last = first * (1 - step_gain) ** (pulses - 1)
    survival, variance, outside = distribution(*case)
    exact = [
        torch.trapezoid(density * values, first).item()
        for values in (pulses, last**2, (last > tolerance).double())
    ]
    assert float(survival.sum()) == pytest.approx(exact[0], rel=3e-3)
    assert float(variance.sqrt()) == pytest.approx(math.sqrt(exact[1]), rel=3e-3)
    assert float(outside) == pytest.approx(exact[2], abs=3e-3)


@pytest.mark.parametrize("case", NOISY + NOISELESS)
def test_survival_starts_at_one_and_falls(case):
    survival, _, outside = distribution(*case)
    assert survival.shape == (case[2],)
    assert float(survival[0]) == 1
    assert bool((survival.diff() <= 1e-9).all())
    assert 0 <= float(outside) <= float(survival[-1]) + 1e-9


def test_first_pulse_is_exact():
    survival, _, _ = distribution(0.1, 0.043, 2, 0.055, 0.02)
    assert float(survival[1]) == pytest.approx(math.erfc(0.43 / math.sqrt(2)), rel=1e-12)


def test_overshoot_is_the_mirror_of_undershoot():
    below, above = distribution(0.1, 0.03, 20, 0.8, 0.01), distribution(0.1, 0.03, 20, 1.2, 0.01)
    for first, second in zip(below, above, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-14)
