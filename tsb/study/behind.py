"""How far a method lies behind another on the validation images, and what of that may be chance.

Both see the same images, and in one run the same chips. Accuracies of chips on images are a table
with crossed rows and columns; the variance of its mean is near that of the rows' means over the
number of rows plus that of the columns' means over the number of columns (Owen, The pigeonhole
bootstrap, Annals of Applied Statistics 1, 2007): what the single entries scatter is counted in
both, so the interval is rather too wide than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from archsim.results.report import Behind
from tsb.monte_carlo.statistics import student_t_quantile
from tsb.study.seed_result import SeedResult


def behind(
    better: Sequence[SeedResult], other: Sequence[SeedResult], *, same_chips: bool
) -> Behind | None:
    """Compare two methods on the validation images.

    With ``d_i`` the difference on image i (mean over chips), ``d_k`` that of chip k (mean over
    images), S seeds of C chips and n images, the half-width is the root of the sum of squares of
    ``t * sqrt(sum_s var_k(d_k) / C) / S`` and ``t * sqrt(var_i(d_i) / n)``; ``var_i`` is what
    other images would change, the binomial part, lessened by what both methods get right or wrong
    together. With a single chip the first part is unknown and left out.

    Args:
        better: results of the method to compare with, one per seed.
        other: results of the method behind it.
        same_chips: whether chip k of a seed is the same for both: else their variances add.

    Returns:
        None where a result is of an older version, or the images are not the same.
    """
    images = _by_image(better), _by_image(other)
    chips = _by_seed(better), _by_seed(other)
    if images[0] is None or images[1] is None or chips[0] is None or chips[1] is None:
        return None
    if images[0].shape != images[1].shape or images[0].numel() < 2:
        return None
    difference = images[0] - images[1]
    count = difference.numel()
    paired = same_chips and [seed.shape for seed in chips[0]] == [seed.shape for seed in chips[1]]
    groups = (
        [[one - two for one, two in zip(chips[0], chips[1], strict=True)]]
        if paired
        else [chips[0], chips[1]]
    )
    of_images = student_t_quantile(0.975, count - 1) * math.sqrt(float(difference.var()) / count)
    return Behind(
        mean=float(difference.mean()),
        half_width=math.hypot(of_images, *(_half_width_of_chips(group) for group in groups)),
        images=count,
        chips=sum(len(seed) for seed in chips[1]),
    )


def _by_image(results: Sequence[SeedResult]) -> Tensor | None:
    """Return the share of all chips that get each image right; None if unlike or not recorded."""
    counts, chips = [], 0
    for result in results:
        if result.validation_right is None or result.validation_by_chip is None:
            return None
        counts.append(torch.tensor(result.validation_right, dtype=torch.float64))
        chips += len(result.validation_by_chip)
    if len({count.shape for count in counts}) != 1:
        return None
    return torch.stack(counts).sum(0) / chips


def _by_seed(results: Sequence[SeedResult]) -> list[Tensor] | None:
    """Return the accuracy of every chip of each seed; None where it was not recorded."""
    seeds = []
    for result in results:
        if result.validation_by_chip is None:
            return None
        seeds.append(torch.tensor(result.validation_by_chip, dtype=torch.float64))
    return seeds


def _half_width_of_chips(seeds: Sequence[Tensor]) -> float:
    """Return the half-width over chips of these backbones; 0 where there is one chip each."""
    degrees = sum(len(chips) - 1 for chips in seeds)
    if degrees < 1 or any(len(chips) < 2 for chips in seeds):
        return 0.0
    variance = sum(float(chips.var()) / len(chips) for chips in seeds) / len(seeds) ** 2
    return student_t_quantile(0.975, degrees) * math.sqrt(variance)
