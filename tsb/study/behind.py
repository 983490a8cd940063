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
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tsb.monte_carlo.statistics import student_t_quantile

#: What the results of a method must hold, besides the accuracy itself.
NEEDED = ("validation_by_chip", "validation_right")


class Behind(NamedTuple):
    """A difference of validation accuracies, fractions.

    Attributes:
        mean: better minus worse.
        half_width: of the 95 % interval of the difference.
        images: validation images that it rests on.
        chips: of one method.
    """

    mean: float
    half_width: float
    images: int
    chips: int


def behind(
    better: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]], *, same_chips: bool
) -> Behind | None:
    """Compare two methods on the validation images.

    With ``d_i`` the difference on image i (mean over chips), ``d_k`` that of chip k (mean over
    images), S seeds of C chips and n images, the half-width is the root of the sum of squares of
    ``t * sqrt(sum_s var_k(d_k) / C) / S`` and ``t * sqrt(var_i(d_i) / n)``; ``var_i`` is what
    other images would change, the binomial part, lessened by what both methods get right or wrong
    together. With a single chip the first part is unknown and left out.

    Args:
        better: results of the method to compare with, one per seed (``tsb.study.method_rows``).
        other: results of the method behind it.
        same_chips: whether chip k of a seed is the same for both: else their variances add.

    Returns:
        None where a result is of an older version, or the images are not the same.
    """
    if any(row.get(key) is None for row in (*better, *other) for key in NEEDED):
        return None
    images = _by_image(better), _by_image(other)
    if images[0] is None or images[1] is None or images[0].shape != images[1].shape:
        return None
    difference = images[0] - images[1]
    count = difference.numel()
    if count < 2:
        return None
    chips = _by_seed(better), _by_seed(other)
    paired = same_chips and [own.shape for own in chips[0]] == [own.shape for own in chips[1]]
    groups = (
        [[one - two for one, two in zip(*chips, strict=True)]] if paired else [chips[0], chips[1]]
    )
    reach = student_t_quantile(0.975, count - 1) * math.sqrt(float(difference.var()) / count)
    width = math.hypot(reach, *(_reach_of_chips(group) for group in groups))
    return Behind(float(difference.mean()), width, count, sum(len(own) for own in chips[1]))


def _by_image(rows: Sequence[dict[str, Any]]) -> Tensor | None:
    """Return the share of all chips that get each image right; None for unlike images."""
    counts = [torch.tensor(row["validation_right"], dtype=torch.float64) for row in rows]
    if len({own.shape for own in counts}) != 1:
        return None
    return torch.stack(counts).sum(0) / sum(len(row["validation_by_chip"]) for row in rows)


def _by_seed(rows: Sequence[dict[str, Any]]) -> list[Tensor]:
    return [torch.tensor(row["validation_by_chip"], dtype=torch.float64) for row in rows]


def _reach_of_chips(seeds: Sequence[Tensor]) -> float:
    """Return the half-width over chips of these backbones; 0 where there is one chip each."""
    degrees = sum(len(own) - 1 for own in seeds)
    if degrees < 1 or any(len(own) < 2 for own in seeds):
        return 0.0
    variance = sum(float(own.var()) / len(own) for own in seeds) / len(seeds) ** 2
    return student_t_quantile(0.975, degrees) * math.sqrt(variance)
