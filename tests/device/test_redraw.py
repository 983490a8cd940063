"""Redraw about an error that belongs to the cell: against the sampler, sums and limits."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from archsim.device import (
    ProgrammedCells,
    pulse_distribution,
    verify_cells,
    write_verify_closed_form,
)
from archsim.device.redraw import redraw_distribution
from tests.designs import near
from tests.device.monte_carlo import ERRORS, mean_error, rms_error, seeded

CELLS = 100_000
SHARES = (0.0, 0.3, 0.5, 1.0)
#: sigma, tolerance, max_pulses: looser, about as wide and tighter than the spread.
LOOPS = [(0.35, 0.5, 4), (0.1, 0.1, 30), (0.1, 0.043, 100), (0.2, 0.02, 12), (0.05, 0.1, 1)]


def sampled(
    sigma: float, tolerance: float, limit: int, share: float, shape: tuple[int, ...], seed: int
) -> ProgrammedCells:
    """Cells with an error of their own, pulse by pulse."""
    generator = seeded(seed)
    cycle = sigma * math.sqrt(1 - share)
    own = sigma * math.sqrt(share) * torch.randn(shape, generator=generator, dtype=torch.float64)
    first = torch.randn(shape, generator=generator, dtype=torch.float64)
    return verify_cells(
        model="redraw",
        error=own + cycle * first,
        sigma=cycle,
        tolerance=tolerance,
        max_pulses=limit,
        generator=generator,
        device_error=own,
    )


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("loop", LOOPS)
def test_closed_form_agrees_with_the_sampler(loop: tuple[float, float, int], share: float) -> None:
    sigma, tolerance, limit = loop
    cells = sampled(*loop, share, (CELLS,), seed=1)
    closed = write_verify_closed_form(
        model="redraw", sigma=sigma, tolerance=tolerance, max_pulses=limit, device_share=share
    )
    rare = float(closed.unconverged_fraction)
    allowed = {
        "write_pulses": mean_error(cells.pulses),
        "verify_reads": mean_error(cells.pulses),
        "residual_sigma": rms_error(cells.error),
        "unconverged_fraction": ERRORS * math.sqrt(rare * (1 - rare) / CELLS),
    }
    for name, error in allowed.items():
        difference = abs(float(getattr(closed, name)) - float(getattr(cells.stats(), name)))
        assert difference <= error + 1e-9, name


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("loop", LOOPS[:3])
def test_slowest_of_a_row_agrees_with_the_sampler(
    loop: tuple[float, float, int], share: float
) -> None:
    sigma, tolerance, limit = loop
    distribution = pulse_distribution(
        model="redraw", sigma=sigma, tolerance=tolerance, max_pulses=limit, device_share=share
    )
    rows = sampled(*loop, share, (CELLS // 16, 16), seed=2).pulses
    # Standard error by the distribution itself: a sample may miss rare values.
    # E[X^2] = sum (2k+1) S(k).
    expected = float(distribution.slowest_of(16))
    above = 1 - (1 - distribution.survival) ** 16
    variance = float(((2 * torch.arange(limit) + 1) * above).sum()) - expected**2
    error = ERRORS * math.sqrt(variance / len(rows))
    assert float(rows.amax(-1).mean()) == pytest.approx(expected, abs=error, rel=0)
    # Weights of four cells, each chosen with probability 0.3.
    chosen = torch.rand(CELLS // 16, 4, generator=seeded(3)) < 0.3
    slowest = torch.where(chosen, rows.view(-1, 4, 4).amax(-1), 0.0).amax(-1)
    assert float(
        distribution.slowest_of_chosen(weights=4, fraction=0.3, cells_per_weight=4)
    ) == pytest.approx(float(slowest.mean()), abs=mean_error(slowest), rel=0)


@pytest.mark.parametrize("loop", LOOPS)
def test_without_an_own_error_it_is_the_cut_off_geometric_distribution(
    loop: tuple[float, float, int],
) -> None:
    """Mean pulses (1 - q^n) / (1 - q), and the variance of a truncated normal."""
    sigma, tolerance, limit = loop
    z = tolerance / sigma
    q, edge = math.erfc(z / math.sqrt(2)), 2 * z * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    inside = 1 - edge / (1 - q)
    variance = (1 - q**limit) * inside + q**limit + edge * q ** (limit - 1)
    for share in (0.0, 1e-13):
        stats = write_verify_closed_form(
            model="redraw", sigma=sigma, tolerance=tolerance, max_pulses=limit, device_share=share
        )
        assert float(stats.write_pulses) == near((1 - q**limit) / (1 - q), rel=1e-11)
        assert float(stats.unconverged_fraction) == near(q**limit, rel=1e-10)
        assert float(stats.residual_sigma) == near(sigma * math.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("loop", LOOPS)
def test_where_nothing_is_new_a_cell_that_fails_once_fails_always(
    loop: tuple[float, float, int],
) -> None:
    sigma, tolerance, limit = loop
    fails = math.erfc(tolerance / sigma / math.sqrt(2))
    for share in (1.0, 1 - 1e-13):
        survival, variance, outside = redraw_distribution(
            sigma=sigma, tolerance=tolerance, max_pulses=limit, device_share=share
        )
        assert survival.tolist() == near([1.0] + [fails] * (limit - 1), rel=2e-6)
        assert float(outside) == near(fails, rel=2e-6)
        assert float(variance) == near(sigma**2, rel=1e-9)


def fine_sum(
    sigma: float, tolerance: float, limit: int, share: float
) -> tuple[Tensor, float, float]:
    """The averages over the device error as a trapezoid sum of 100 000 points."""
    device, cycle = sigma * math.sqrt(share), sigma * math.sqrt(1 - share)
    d = torch.linspace(-9, 9, 100_001, dtype=torch.float64) * device
    weight = torch.exp(-((d / device) ** 2) / 2)
    weight /= weight.sum()
    normal = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    high, low = (tolerance - d) / cycle, (-tolerance - d) / cycle
    hits = normal.cdf(high) - normal.cdf(low)
    density = [torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) for x in (high, low)]
    own = hits - high * density[0] + low * density[1]
    accepted = d**2 * hits + 2 * d * cycle * (density[1] - density[0]) + cycle**2 * own
    powers = torch.stack([(1 - hits) ** k for k in range(limit + 1)])
    left = d**2 + cycle**2 - accepted
    variance = powers[:limit].sum(0) * accepted + powers[limit - 1] * left
    over_cells = powers @ weight
    return over_cells[:limit], float(variance @ weight), float(over_cells[limit])


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("ratio", [0.03, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("limit", [1, 4, 60])
def test_average_is_that_of_a_fine_sum(share: float, ratio: float, limit: int) -> None:
    found = redraw_distribution(
        sigma=0.2, tolerance=0.2 * ratio, max_pulses=limit, device_share=share
    )
    survival, variance, outside = fine_sum(0.2, 0.2 * ratio, limit, share)
    torch.testing.assert_close(found[0], survival, atol=1e-6, rtol=0.0)
    assert float(found[1]) == near(variance, rel=1e-5)
    assert float(found[2]) == pytest.approx(outside, abs=1e-6, rel=0)


def test_row_of_a_batch_equals_the_scalar_call() -> None:
    sigma = torch.linspace(0.05, 0.4, 4, dtype=torch.float64)[:, None]
    share = torch.tensor([0.0, 0.2, 0.9, 1.0], dtype=torch.float64)
    limit = torch.tensor([3.0, 1, 9, 5])
    batch = pulse_distribution(
        model="redraw", sigma=sigma, tolerance=0.1, max_pulses=limit, device_share=share
    )
    assert batch.survival.shape == (4, 4, 9)
    for i, j in itertools.product(range(4), range(4)):
        alone = pulse_distribution(
            model="redraw", sigma=sigma[i, 0], tolerance=0.1, max_pulses=limit[j],
            device_share=share[j],
        )  # fmt: skip
        for name in ("residual_sigma", "unconverged_fraction"):
            assert float(getattr(batch, name)[i, j]) == near(float(getattr(alone, name)), 1e-9)
        assert float(batch.survival[i, j].sum()) == near(float(alone.survival.sum()), 1e-9)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_gradients_match_finite_differences(share: float) -> None:
    values = torch.tensor([0.1, 0.07, share], dtype=torch.float64, requires_grad=True)

    def outputs(parameters: Tensor) -> Tensor:
        distribution = pulse_distribution(
            model="redraw", sigma=parameters[0], tolerance=parameters[1], max_pulses=12,
            device_share=parameters[2],
        )  # fmt: skip
        stats = distribution.stats()
        averages = [stats.write_pulses, stats.residual_sigma, stats.unconverged_fraction]
        return torch.stack([*averages, distribution.slowest_of(64.0)])

    assert torch.autograd.gradcheck(outputs, values, eps=1e-6, atol=1e-4, rtol=1e-4)


def test_extremes_stay_finite_with_finite_gradients() -> None:
    grid = itertools.product((0.0, 1e-300, 0.1), (0.0, 1e-12, 0.04, 1e6), (0.0, 1e-9, 0.5, 1.0))
    columns = zip(*grid, strict=True)
    sigma, tolerance, share = (torch.tensor(c, dtype=torch.float64) for c in columns)
    leaves = [sigma, tolerance, share]
    for leaf in leaves:
        leaf.requires_grad_()
    distribution = pulse_distribution(
        model="redraw", sigma=sigma, tolerance=tolerance, max_pulses=6, device_share=share
    )
    stats = distribution.stats()
    total = (
        stats.write_pulses.sum() + stats.residual_sigma.sum() + distribution.slowest_of(128).sum()
    )
    total = total + stats.unconverged_fraction.sum()
    assert bool(torch.isfinite(total))
    for gradient in torch.autograd.grad(total, leaves):
        assert bool(torch.isfinite(gradient).all())
    assert bool(((stats.write_pulses >= 1 - 1e-12) & (stats.write_pulses <= 6 + 1e-9)).all())
    quiet = sigma == 0
    assert stats.write_pulses[quiet].tolist() == [1.0] * int(quiet.sum())


def test_a_larger_share_takes_more_pulses_and_leaves_more_outside() -> None:
    share = torch.linspace(0, 1, 21, dtype=torch.float64)
    stats = write_verify_closed_form(
        model="redraw", sigma=0.35, tolerance=0.5, max_pulses=4, device_share=share
    )
    assert bool((stats.write_pulses.diff() > 0).all())
    assert bool((stats.unconverged_fraction.diff() > 0).all())
    assert bool((stats.residual_sigma.diff() > 0).all())
