from __future__ import annotations

import pytest
import torch

from archsim.device import sample_write_verify, verify_cells, write_verify_closed_form
from tests.device.monte_carlo import mean_error, rms_error, seeded

STEP = {"step_gain": 0.3, "step_sigma": 0.01}


def by_loop(error, *, sigma, tolerance, max_pulses, gain, step_sigma, pull, normal):
    """One cell, as the text describes it."""
    pulses = 1
    while abs(error) > tolerance and pulses < max_pulses:
        error = error + gain * (pull - error) + step_sigma * normal
        pulses += 1
    return error, pulses


@pytest.mark.parametrize("model", ["incremental", "redraw"])
def test_without_noise_it_is_a_plain_loop(model):
    """Every cell has its own first error, device error and tolerance; nothing is random."""
    first = torch.linspace(-0.5, 0.5, 301, dtype=torch.float64)
    device_error = torch.linspace(0.3, -0.3, 301, dtype=torch.float64)
    tolerance = torch.linspace(0.0, 0.1, 301, dtype=torch.float64)
    cells = verify_cells(
        model=model,
        error=first,
        sigma=0.0,
        tolerance=tolerance,
        max_pulses=19,
        generator=seeded(),
        step_gain=0.3,
        step_sigma=0.0,
        device_error=device_error,
    )
    for i in range(301):
        error, pulses = by_loop(
            float(first[i]),
            sigma=0.0,
            tolerance=float(tolerance[i]),
            max_pulses=19,
            gain=0.3 if model == "incremental" else 1.0,
            step_sigma=0.0,
            pull=0.0 if model == "incremental" else float(device_error[i]),
            normal=0.0,
        )
        assert float(cells.error[i]) == pytest.approx(error, abs=1e-15)
        assert int(cells.pulses[i]) == pulses
        assert bool(cells.converged[i]) == (abs(error) <= float(tolerance[i]))


@pytest.mark.parametrize("max_pulses", [1, 2, 8, 9, 16, 17, 40])
def test_the_limit_counts_the_first_pulse(max_pulses):
    cells = sample_write_verify(
        model="redraw",
        shape=(1000,),
        sigma=0.1,
        tolerance=1e-9,
        max_pulses=max_pulses,
        generator=seeded(),
    )
    assert bool((cells.pulses == max_pulses).all())
    assert not bool(cells.converged.any())


def test_cells_that_are_not_verified_keep_their_first_error():
    first = 0.1 * torch.randn(50, 40, generator=seeded(1), dtype=torch.float64)
    verified = torch.rand(50, 40, generator=seeded(2)) < 0.5
    cells = verify_cells(
        model="incremental",
        error=first,
        sigma=0.1,
        tolerance=0.02,
        max_pulses=200,
        generator=seeded(3),
        verified=verified,
        **STEP,
    )
    assert torch.equal(cells.error[~verified], first[~verified])
    assert bool((cells.pulses[~verified] == 1).all())
    assert bool((cells.error[verified].abs() <= 0.02).all())
    assert torch.equal(cells.pulses[verified] > 1, first[verified].abs() > 0.02)
    assert torch.equal(first, 0.1 * torch.randn(50, 40, generator=seeded(1), dtype=torch.float64))


@pytest.mark.parametrize("model", ["incremental", "redraw"])
def test_sigmas_of_single_cells_are_kept_apart(model):
    sigma = torch.tensor([0.05, 0.2], dtype=torch.float64).expand(100_000, 2)
    case = {"model": model, "tolerance": 0.03, "max_pulses": 25, **STEP}
    cells = sample_write_verify(shape=(100_000, 2), sigma=sigma, generator=seeded(5), **case)
    closed = write_verify_closed_form(sigma=sigma[0], **case)
    for kind in range(2):
        pulses, error = cells.pulses[:, kind], cells.error[:, kind]
        allowed = mean_error(pulses) + 1e-4
        assert abs(float(pulses.mean() - closed.write_pulses[kind])) <= allowed
        rms = float(error.square().mean().sqrt())
        expected = float(closed.residual_sigma[kind])
        assert abs(rms - expected) <= rms_error(error) + 1e-3 * expected
