"""The noise of a difference on validation images: by hand, and against a simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from tsb.study.behind import behind
from tsb.study.seed_result import SeedResult

#: A result of before chips and images were recorded one by one.
OLDER = SeedResult(
    method="any",
    sigma=0.1,
    seed=0,
    accuracy=((0.9,),),
    validation_accuracy=0.9,
    images=100,
    weights=1,
    extra_weights=0,
    written_weights=0,
    verified_weights=0,
    digital_parameters=0,
    copied_weights=0,
    tune_macs=0,
)


def row(right: torch.Tensor) -> SeedResult:
    """The result of a table of right answers, chip by image."""
    return replace(
        OLDER,
        validation_by_chip=tuple(right.double().mean(1).tolist()),
        validation_right=tuple(right.sum(0).tolist()),
    )


def test_by_hand_with_chips_that_are_alike() -> None:
    """Two chips, four images; one image of four differs, on both chips: only images scatter."""
    better = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0]])
    other = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0]])
    found = behind([row(better)], [row(other)], same_chips=True)
    assert found is not None
    assert found.mean == pytest.approx(0.25, abs=0)
    # variance of (0, 0, 1, 0) is 1/4; Student's t with 3 degrees of freedom: 3.182446
    assert found.half_width == pytest.approx(3.182446 * math.sqrt(0.25 / 4), rel=1e-6, abs=0)
    assert (found.images, found.chips) == (4, 2)


def test_images_that_both_get_wrong_are_no_noise() -> None:
    same = torch.tensor([[1, 0, 0, 1], [1, 0, 1, 0]])
    found = behind([row(same)], [row(same)], same_chips=True)
    assert found is not None
    assert (found.mean, found.half_width) == (0.0, 0.0)


def test_other_chips_add_their_own_scatter() -> None:
    generator = torch.Generator().manual_seed(0)
    tables = [torch.rand(8, 100, generator=generator) < share for share in (0.9, 0.6)]
    # The same good and bad chips in both methods: their difference does not scatter with chips.
    tables[1] = tables[0] & tables[1]
    paired = behind([row(tables[0])], [row(tables[1])], same_chips=True)
    apart = behind([row(tables[0])], [row(tables[1])], same_chips=False)
    assert paired is not None
    assert apart is not None
    assert apart.half_width > paired.half_width
    assert apart.mean == paired.mean


def test_older_results_and_other_images_say_nothing() -> None:
    own = row(torch.tensor([[1, 1, 0]]))
    assert behind([own], [OLDER], same_chips=True) is None
    for field in ("validation_by_chip", "validation_right"):
        assert behind([own], [replace(own, **{field: None})], same_chips=True) is None
    assert behind([own], [row(torch.tensor([[1, 1]]))], same_chips=True) is None


def test_interval_covers_the_truth() -> None:
    """Images of different difficulty, chips of different quality, equal methods: at most 5 % miss.

    The difference is 0. 300 tries: the chance of more than 30 misses at 5 % is below 1e-4; more
    than none are expected.
    """
    generator = torch.Generator().manual_seed(1)
    missed = 0
    tries = 300
    for _ in range(tries):
        difficulty = torch.rand(200, generator=generator) * 0.3
        quality = torch.rand(8, 1, generator=generator) * 0.1
        draws = [torch.rand(8, 200, generator=generator) > difficulty + quality for _ in range(2)]
        found = behind([row(draws[0])], [row(draws[1])], same_chips=True)
        assert found is not None
        missed += abs(found.mean) > found.half_width
    assert missed <= 30


#: Two seeds, of two and of three chips; rows are chips, columns images.
BETTER = [[[1, 1, 1, 1], [1, 1, 1, 0]], [[1, 1, 1, 1]] * 3]
OTHER = [[[1, 1, 0, 0], [1, 1, 1, 0]], [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0]]]


def test_several_seeds_by_hand() -> None:
    """Seeds have chips of their own: their variances are averaged, and each costs a degree."""
    better, other = ([row(torch.tensor(seed)) for seed in seeds] for seeds in (BETTER, OTHER))
    # Of five chips 0, 0, 2 and 4 differ in an image: mean 3/10, variance
    # (9 + 9 + 1 + 25) / 100 / 3 = 11/75. Three degrees of freedom: t is 3.182446.
    of_images = 11 / 75 / 4
    # Chips differ by 1/2 and 0: variance 1/8; by 1/4, 1/4 and 1/2: variance 1/48. The mean of two
    # seeds has (1/8 / 2 + 1/48 / 3) / 2^2, of 1 + 2 degrees of freedom.
    of_chips = (1 / 16 + 1 / 144) / 4
    paired = behind(better, other, same_chips=True)
    assert paired is not None
    assert paired.mean == pytest.approx(0.3, rel=1e-12, abs=0)
    expected = 3.182446 * math.sqrt(of_images + of_chips)
    assert paired.half_width == pytest.approx(expected, rel=1e-6, abs=0)
    assert (paired.images, paired.chips) == (4, 5)
    # Other chips: 1 and 3/4 (1/32), three times 1; 1/2 and 3/4 (1/32), 3/4, 3/4 and 1/2 (1/48).
    of_chips = (1 / 64 + 0) / 4 + (1 / 64 + 1 / 144) / 4
    apart = behind(better, other, same_chips=False)
    assert apart is not None
    expected = 3.182446 * math.sqrt(of_images + of_chips)
    assert apart.half_width == pytest.approx(expected, rel=1e-6, abs=0)


def test_degrees_of_freedom_of_images_and_of_chips() -> None:
    """Three images and two seeds of two chips: t has two degrees of freedom in both, 4.302653."""
    better = [row(torch.tensor([[1, 1, 1], [1, 1, 0]])), row(torch.tensor([[1, 1, 1], [1, 1, 1]]))]
    other = [row(torch.tensor([[1, 0, 0], [1, 1, 0]])), row(torch.tensor([[1, 1, 0], [1, 1, 1]]))]
    found = behind(better, other, same_chips=True)
    assert found is not None
    # Images: 0, 1/4 and 2/4, variance 1/16. Chips: 2/3 and 0 (2/9), 1/3 and 0 (1/18).
    of_images, of_chips = 1 / 16 / 3, (2 / 9 / 2 + 1 / 18 / 2) / 4
    expected = 4.302653 * math.sqrt(of_images + of_chips)
    assert found.half_width == pytest.approx(expected, rel=1e-6, abs=0)


def test_a_seed_of_one_chip_says_nothing_of_chips() -> None:
    """Then only images count, t of three degrees of freedom."""
    better = [row(torch.tensor(BETTER[0])), row(torch.tensor([[1, 1, 1, 1]]))]
    other = [row(torch.tensor(OTHER[0])), row(torch.tensor([[1, 1, 1, 0]]))]
    found = behind(better, other, same_chips=True)
    assert found is not None
    # 0, 0, 1/3 and 2/3: mean 1/4, variance (2 (1/4)^2 + (1/12)^2 + (5/12)^2) / 3 = 11/108.
    expected = 3.182446 * math.sqrt(11 / 108 / 4)
    assert found.half_width == pytest.approx(expected, rel=1e-6, abs=0)
