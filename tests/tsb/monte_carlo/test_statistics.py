"""Statistics against published quantiles, a simulation of the model, and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from archsim.errors import ConfigError
from tests.refusals import refused
from tsb.monte_carlo import accuracy_stats, interval95, paired_difference
from tsb.monte_carlo.statistics import student_t_cdf, student_t_quantile


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [  # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 3, 3.182),
        (0.975, 8, 2.306),
        (0.95, 5, 2.015),
        (0.99, 30, 2.457),
        (0.975, 199, 1.972),
    ],
)
def test_student_quantiles_of_the_tables(probability, degrees, expected):
    assert student_t_quantile(probability, degrees) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 10, 51])
def test_student_distribution_is_the_integral_of_its_density(degrees):
    t = torch.linspace(0, 1.7, 20_001, dtype=torch.float64)
    constant = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2))
    density = constant / math.sqrt(degrees * math.pi) * (1 + t**2 / degrees) ** (-(degrees + 1) / 2)
    expected = 0.5 + float(torch.trapezoid(density, t))
    assert student_t_cdf(1.7, degrees) == pytest.approx(expected, abs=1e-8)
    assert student_t_cdf(-1.7, degrees) == pytest.approx(1 - expected, abs=1e-8)


def test_by_hand():
    stats = accuracy_stats(
        torch.tensor([[0.90, 0.92], [0.96, 0.98]], dtype=torch.float64), images=100
    )
    assert stats.mean == pytest.approx(0.94)
    assert stats.std_run == pytest.approx(math.sqrt(0.0002))
    assert stats.std_chip == pytest.approx(math.sqrt(0.0018 - 0.0001))  # chip means 0.91 and 0.97
    assert stats.half_width == pytest.approx(12.7062 * math.sqrt(0.0018 / 2), rel=1e-5)
    assert (stats.worst, stats.chips, stats.runs) == (pytest.approx(0.90), 2, 2)
    assert stats.to_dict()["images"] == 100


def test_intervals_of_accuracies_end_at_100_per_cent_and_stopping_looks_at_the_longer_side():
    stats = accuracy_stats(torch.tensor([[0.95], [0.98]], dtype=torch.float64), images=100)
    assert stats.ci95_high == 1.0  # Student's t of two chips reaches to 1.156
    assert stats.ci95_low == pytest.approx(0.965 - 12.7062 * 0.015, rel=1e-5)
    assert stats.half_width == pytest.approx(12.7062 * 0.015, rel=1e-5)
    none = accuracy_stats(torch.tensor([[0.0], [0.1]], dtype=torch.float64), images=10)
    assert none.ci95_low == 0.0


def test_variance_components_are_found_again():
    generator = torch.Generator().manual_seed(1)
    chip = 0.02 * torch.randn(4000, 1, generator=generator, dtype=torch.float64)
    run = 0.01 * torch.randn(4000, 5, generator=generator, dtype=torch.float64)
    stats = accuracy_stats(0.9 + chip + run, images=1)
    assert stats.std_chip == pytest.approx(0.02, rel=0.04)
    assert stats.std_run == pytest.approx(0.01, rel=0.03)
    assert abs(stats.mean - 0.9) < 3 * stats.half_width


def test_interval_covers_the_mean_as_often_as_it_says():
    generator = torch.Generator().manual_seed(2)
    tables = torch.randn(2000, 6, 1, generator=generator) + torch.randn(
        2000, 6, 3, generator=generator
    )
    hits = 0
    for table in tables:
        stats = accuracy_stats(table, images=1)
        hits += stats.ci95_low <= 0 <= stats.ci95_high
    assert hits / 2000 == pytest.approx(0.95, abs=0.015)  # 3 standard errors


def test_what_cannot_be_estimated_is_none():
    one_chip = accuracy_stats(torch.tensor([[0.9, 0.8, 0.7]]), images=1)
    assert one_chip.std_chip is None
    assert one_chip.std_run == pytest.approx(0.1)
    assert one_chip.ci95_low is not None
    one_run = accuracy_stats(torch.tensor([[0.9], [0.8], [0.7]]), images=1)
    assert one_run.std_run is None
    assert one_run.std_chip == pytest.approx(0.1)
    single = accuracy_stats(torch.tensor([[0.9]]), images=1)
    assert single.ci95_low is None
    assert single.half_width == math.inf
    assert interval95(torch.tensor([0.5])) is None
    with refused(ConfigError, code="empty", field="accuracy", value=(0, 1)):
        accuracy_stats(torch.empty(0, 1), images=1)


def test_pairing_narrows_the_interval():
    generator = torch.Generator().manual_seed(3)
    common = 0.1 * torch.randn(50, 1, generator=generator, dtype=torch.float64)
    own = 0.01 * torch.randn(2, 50, 1, generator=generator, dtype=torch.float64)
    first, second = 0.9 + common + own[0], 0.88 + common + own[1]
    difference = paired_difference(first, second)
    assert difference.ci95_low < 0.02 < difference.ci95_high
    assert difference.std == pytest.approx(0.01 * math.sqrt(2), rel=0.2)
    assert difference.correlation > 0.97
    same = paired_difference(torch.full((3, 1), 0.5), torch.full((3, 1), 0.5))
    assert (same.mean, same.std, same.correlation) == (0.0, 0.0, None)
    shapes = (tuple(first.shape), tuple(second[:3].shape))
    with refused(ConfigError, code="shape-mismatch", field="tables", value=shapes):
        paired_difference(first, second[:3])
