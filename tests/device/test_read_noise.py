"""Noisy verify reads: the closed form against the sampler, and limits that need no sampler."""

from __future__ import annotations

import math

import pytest
import torch

from archsim.device import pulse_distribution, verify_cells, write_verify_closed_form
from archsim.device.error_chain import incremental_distribution
from archsim.device.redraw import redraw_distribution
from tests.designs import near
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded

CELLS = 200_000
INCREMENTAL = {"step_gain": 0.055, "step_sigma": 0.02}


@pytest.mark.parametrize("noise", [0.005, 0.0335, 0.1])
@pytest.mark.parametrize("tolerance", [0.043, 0.01])
@pytest.mark.parametrize(
    ("model", "share"), [("incremental", 0.0), ("redraw", 0.0), ("redraw", 0.5), ("redraw", 1.0)]
)
def test_closed_form_and_sampler_agree(model, share, tolerance, noise):
    generator = seeded(int(1e4 * noise))
    own = 0.1 * math.sqrt(share) * torch.randn(CELLS, generator=generator, dtype=torch.float64)
    cycle = 0.1 * math.sqrt(1 - share)
    step = INCREMENTAL if model == "incremental" else {}
    cells = verify_cells(
        model=model,
        error=own + cycle * torch.randn(CELLS, generator=generator, dtype=torch.float64),
        sigma=cycle,
        tolerance=tolerance,
        max_pulses=40,
        generator=generator,
        read_noise=noise,
        device_error=own,
        **step,
    )
    stats = write_verify_closed_form(
        model=model,
        sigma=0.1,
        tolerance=tolerance,
        max_pulses=40,
        device_share=share,
        read_noise=noise,
        **step,
    )
    assert float(stats.write_pulses) == pytest.approx(
        float(cells.pulses.mean()), abs=mean_error(cells.pulses), rel=0
    )
    assert float(stats.residual_sigma) == pytest.approx(
        float(cells.error.square().mean().sqrt()), abs=rms_error(cells.error), rel=0
    )
    failed = (~cells.converged).double()
    allowed = max(mean_error(failed), ERRORS / CELLS)
    assert float(stats.unconverged_fraction) == pytest.approx(
        float(failed.mean()), abs=allowed, rel=0
    )


@pytest.mark.parametrize("distribution", ["incremental", "redraw"])
def test_reads_of_little_noise_are_reads_of_none(distribution):
    numbers = {"sigma": 0.1, "tolerance": 0.043, "max_pulses": 30}
    for noise, off in ((1e-4, 2e-3), (1e-6, 3e-5)):
        if distribution == "incremental":
            found = incremental_distribution(**numbers, **INCREMENTAL, read_noise=noise)
            exact = incremental_distribution(**numbers, **INCREMENTAL)
        else:
            found = redraw_distribution(**numbers, device_share=0.5, read_noise=noise)
            exact = redraw_distribution(**numbers, device_share=0.5)
        for mine, other in zip(found, exact, strict=True):
            torch.testing.assert_close(mine, other, rtol=off, atol=off * 1e-2)


def test_a_read_that_sees_nothing_but_noise_accepts_at_random():
    """Pulses are geometric, whatever the error, and no error is better than that of a pulse."""
    distribution = pulse_distribution(
        model="redraw", sigma=0.01, tolerance=3.0, max_pulses=50, device_share=0.3, read_noise=30.0
    )
    rejects = 1 - math.erf(3 / math.hypot(30, 0.01) / math.sqrt(2))
    expected = rejects ** torch.arange(50, dtype=torch.float64)
    torch.testing.assert_close(distribution.survival, expected, rtol=1e-9, atol=0)
    assert float(distribution.residual_sigma) == near(0.01, 1e-6)


def test_designs_with_and_without_noise_share_a_batch():
    noise = torch.tensor([0.0, 0.02, 0.0], dtype=torch.float64)
    numbers = {"model": "incremental", "sigma": 0.1, "tolerance": 0.043, "max_pulses": 30}
    batch = write_verify_closed_form(**numbers, **INCREMENTAL, read_noise=noise)
    for place, value in enumerate(noise.tolist()):
        alone = write_verify_closed_form(**numbers, **INCREMENTAL, read_noise=value)
        assert float(batch.write_pulses[place]) == near(float(alone.write_pulses), 1e-9)
        assert float(batch.residual_sigma[place]) == near(float(alone.residual_sigma), 1e-9)


@pytest.mark.parametrize("model", ["incremental", "redraw"])
def test_gradients_are_finite_at_no_noise_and_no_tolerance(model):
    values = {
        "sigma": torch.tensor([0.1, 0.0, 0.1], dtype=torch.float64),
        "tolerance": torch.tensor([0.043, 0.0, 0.0], dtype=torch.float64),
        "read_noise": torch.tensor([0.0, 0.0, 0.02], dtype=torch.float64),
    }
    for value in values.values():
        value.requires_grad_()
    step = INCREMENTAL if model == "incremental" else {}
    stats = write_verify_closed_form(model=model, max_pulses=6, **values, **step)
    total = stats.write_pulses.sum() + stats.residual_sigma.sum()
    for gradient in torch.autograd.grad(total, list(values.values())):
        assert bool(torch.isfinite(gradient).all())
