"""Devices of two spreads, at the ends and in the middle: distributions against sampled cells."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from archsim.device import (
    PulseDistribution,
    WeightMixture,
    WriteVerifyStats,
    level_sigmas,
    middle_level_share,
    mix_cells,
    profile_sigma,
    profile_sigmas,
    pulse_distribution,
    verify_cells,
)
from archsim.device.variation import NEFT_MIDDLE_SHARE
from tests.designs import near
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded

#: Weights in a row, cells per weight, rows.
WEIGHTS, CELLS, ROWS = 8, 4, 4000
SHARE = torch.tensor(NEFT_MIDDLE_SHARE, dtype=torch.float64)
INCREMENTAL = {
    "model": "incremental", "tolerance": 0.043, "max_pulses": 100, "step_gain": 0.055,
    "step_sigma": 0.02,
}  # fmt: skip
LOOPS = {
    "incremental": (INCREMENTAL, 0.0),
    "redraw": ({"model": "redraw", "tolerance": 0.06, "max_pulses": 30}, 0.0),
    "half": ({"model": "redraw", "tolerance": 0.06, "max_pulses": 30}, 0.5),
    "fixed": ({"model": "redraw", "tolerance": 0.12, "max_pulses": 4}, 1.0),
}


def distributions(name: str, factor: float) -> tuple[PulseDistribution, PulseDistribution]:
    """Distributions of the ends and of the middle."""
    loop, share = LOOPS[name]
    outer, middle = (
        pulse_distribution(sigma=sigma, device_share=share, **loop)
        for sigma in profile_sigmas(sigma=0.1, factor=factor)
    )
    return outer, middle


def sampled(name: str, factor: float, middle: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pulses, errors and success of cells that are in the middle or not."""
    loop, share = LOOPS[name]
    generator = seeded(seed)
    sigma = torch.where(middle, *profile_sigmas(sigma=0.1, factor=factor)[::-1])
    own, first = (
        torch.randn(middle.shape, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    own, cycle = sigma * math.sqrt(share) * own, sigma * math.sqrt(1 - share)
    done = verify_cells(
        error=own + cycle * first,
        sigma=cycle,
        generator=generator,
        device_error=own if loop["model"] == "redraw" else None,
        **loop,
    )
    return done.pulses, done.error, done.converged


def agree(stats: WriteVerifyStats, pulses: Tensor, error: Tensor, converged: Tensor) -> None:
    """Averages within five standard errors of independent cells."""
    rare = float(stats.unconverged_fraction)
    assert float(stats.write_pulses) == pytest.approx(
        float(pulses.mean()), abs=mean_error(pulses), rel=1e-4
    )
    assert float(stats.residual_sigma) == pytest.approx(
        float(error.square().mean().sqrt()), abs=rms_error(error), rel=1e-3
    )
    spread = ERRORS * math.sqrt(rare * (1 - rare) / pulses.numel())
    assert float((~converged).double().mean()) == pytest.approx(rare, abs=spread + 2e-5, rel=0)


@pytest.mark.parametrize("factor", [2.0, 6.0])
@pytest.mark.parametrize("name", LOOPS)
def test_weights_in_the_middle_against_sampled_rows(name: str, factor: float) -> None:
    """All cells of a weight are of its kind; a row waits for the slowest of the chosen weights."""
    distribution = WeightMixture(*distributions(name, factor), SHARE)
    generator = seeded(1)
    middle = torch.rand(ROWS, WEIGHTS, 1, generator=generator) < NEFT_MIDDLE_SHARE
    # One cell of each weight is independent of all others.
    pulses, error, converged = sampled(name, factor, middle.expand(-1, -1, CELLS), seed=2)
    agree(distribution.stats(), *(values[..., 0] for values in (pulses, error, converged)))
    for fraction in (1.0, 0.2):
        chosen = torch.rand(ROWS, WEIGHTS, generator=generator) < fraction
        slowest = torch.where(chosen, pulses.amax(-1), 0.0).amax(-1)
        expected = distribution.slowest_of_chosen(
            weights=WEIGHTS, fraction=fraction, cells_per_weight=CELLS
        )
        assert float(expected) == pytest.approx(
            float(slowest.mean()), abs=mean_error(slowest), rel=1e-4
        )


@pytest.mark.parametrize("name", LOOPS)
def test_cells_in_the_middle_against_sampled_rows(name: str) -> None:
    """Every cell is of a kind of its own."""
    distribution = mix_cells(*distributions(name, 4.0), 0.5)
    middle = torch.rand(ROWS, WEIGHTS * CELLS, generator=seeded(3)) < 0.5
    pulses, error, converged = sampled(name, 4.0, middle, seed=4)
    agree(distribution.stats(), pulses, error, converged)
    slowest = pulses.amax(-1)
    assert float(distribution.slowest_of(WEIGHTS * CELLS)) == pytest.approx(
        float(slowest.mean()), abs=mean_error(slowest), rel=1e-4
    )


@pytest.mark.parametrize("name", LOOPS)
def test_kinds_that_are_alike_are_one(name: str) -> None:
    outer, middle = distributions(name, 1.0)
    mixture = WeightMixture(outer, middle, SHARE)
    for field in ("write_pulses", "verify_reads", "residual_sigma", "unconverged_fraction"):
        assert float(getattr(mixture.stats(), field)) == near(
            float(getattr(outer.stats(), field)), rel=1e-12
        )
    whole = mixture.slowest_of_chosen(weights=32, fraction=1.0, cells_per_weight=4)
    assert float(whole) == near(float(outer.slowest_of(128)), rel=1e-12)
    for share, distribution in ((0.0, outer), (1.0, middle)):
        alone = WeightMixture(outer, middle, torch.tensor(share, dtype=torch.float64))
        assert float(alone.stats().write_pulses) == near(float(distribution.stats().write_pulses))


def test_a_law_per_layer_broadcasts() -> None:
    mixture = WeightMixture(*distributions("redraw", 4.0), SHARE).per_layer()
    weights = torch.tensor([1.0, 8.0, 32.0])
    rows = mixture.slowest_of_chosen(weights=weights, fraction=0.5, cells_per_weight=4)
    for count, found in zip(weights.tolist(), rows.tolist(), strict=True):
        alone = WeightMixture(*distributions("redraw", 4.0), SHARE)
        expected = alone.slowest_of_chosen(weights=count, fraction=0.5, cells_per_weight=4)
        assert found == near(float(expected), rel=1e-12)


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0, 6.0])
def test_the_two_spreads_keep_the_mean_variance(factor: float) -> None:
    outer, middle = profile_sigmas(sigma=0.1, factor=factor)
    assert float(middle / outer) == near(factor)
    assert float(0.4 * middle**2 + 0.6 * outer**2) == near(0.01)
    places = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    expected = [float(outer)] * 2 + [float(middle)] + [float(outer)] * 2
    assert profile_sigma(position=places, sigma=0.1, factor=factor).tolist() == near(expected)


def test_share_of_middle_levels_is_that_of_the_levels() -> None:
    for bits in range(1, 6):
        spread = level_sigmas(sigma=0.1, level_count=1 << bits, factor=4.0)
        share = float((spread > spread[0]).double().mean())
        assert float(middle_level_share(bits)) == share
    assert middle_level_share(torch.tensor([1.0, 2.0, 3.0])).tolist() == [0, 0.5, 0.5]


def test_gradients_match_finite_differences() -> None:
    values = torch.tensor([0.1, 3.0, 0.3], dtype=torch.float64, requires_grad=True)

    def outputs(parameters: Tensor) -> Tensor:
        sigmas = profile_sigmas(sigma=parameters[0], factor=parameters[1])
        outer, middle = (
            pulse_distribution(
                model="redraw", sigma=sigma, tolerance=0.05, max_pulses=9, device_share=0.4
            )
            for sigma in sigmas
        )
        distribution = WeightMixture(outer, middle, parameters[2])
        stats = distribution.stats()
        row = distribution.slowest_of_chosen(weights=8.0, fraction=0.3, cells_per_weight=4.0)
        return torch.stack([stats.write_pulses, stats.residual_sigma, row])

    assert torch.autograd.gradcheck(outputs, values, eps=1e-6, atol=1e-4, rtol=1e-4)
