"""Accuracy of many programmed instances: variance components, intervals, paired differences.

A table of accuracies has one row per chip (device-to-device) and one column per run
(cycle-to-cycle: what is written again on the same chip). The model is one-way random effects,
``accuracy[i, j] = mean + chip_i + run_ij`` (Searle, Casella & McCulloch, Variance Components, Wiley
1992, chapter 3): the mean squares between and within chips give the two variances. Instances share
the test images, so the spread is that of programming, not of choosing images, unless each instance
has its own.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.errors import Code, ConfigError

#: Accuracies, 0 to 1.
AccuracyTable = Float[Tensor, "chip run"]

_BISECTIONS = 80  # halves an interval to less than float64 resolves


@dataclass(frozen=True, kw_only=True)
class AccuracyStats:
    """Accuracy over chips and runs; fractions, not per cent; None where it cannot be estimated.

    Attributes:
        mean: over all instances.
        std_chip: device-to-device component; None for a single chip. With one run per chip it
            cannot be told from the run component and is the total.
        std_run: cycle-to-cycle component; None with one run per chip.
        ci95_low: lower end of the 95 % interval of the mean, by Student's t over the chips' means;
            with a single chip over its runs, and then for that chip only. From 0 to 1: see
            :func:`possible`.
        ci95_high: upper end.
        worst: lowest accuracy of any instance.
        chips: number of chips.
        runs: runs per chip.
        images: images per instance.
    """

    mean: float
    std_chip: float | None
    std_run: float | None
    ci95_low: float | None
    ci95_high: float | None
    worst: float
    chips: int
    runs: int
    images: int

    @property
    def half_width(self) -> float:
        """The longer side of the 95 % interval; infinite for a single instance."""
        if self.ci95_low is None or self.ci95_high is None:
            return math.inf
        return max(self.ci95_high - self.mean, self.mean - self.ci95_low)

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the JSON contract of ``archsim evaluate``."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Mean of ``first - second`` over instances that share their random numbers.

    ``std`` is that of the difference between chips (a chip counts with the mean of its runs);
    ``correlation`` tells what pairing gained (None without spread).
    """

    mean: float
    std: float
    ci95_low: float
    ci95_high: float
    correlation: float | None
    chips: int


def student_t_cdf(t: float, degrees: int) -> float:
    """Return ``P(T <= t)`` of Student's t for whole degrees of freedom.

    The finite sums of Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.

    Args:
        t: the quantile.
        degrees: degrees of freedom, at least 1.
    """
    angle = math.atan(abs(t) / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2 == 1
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    within = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return 0.5 + math.copysign(within / 2, t)


def student_t_quantile(probability: float, degrees: int) -> float:
    """Return the t with ``P(T <= t) = probability``, by bisection of the exact distribution.

    Args:
        probability: 0.5 to below 1.
        degrees: degrees of freedom, at least 1.
    """
    low, high = 0.0, 1.0
    while student_t_cdf(high, degrees) < probability:
        high *= 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if student_t_cdf(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def interval95(values: Float[Tensor, " value"]) -> tuple[float, float] | None:
    """Return the 95 % t interval of the mean of independent values; None for fewer than two.

    Args:
        values: independent and alike.
    """
    count = values.numel()
    if count < 2:
        return None
    values = values.double()
    half_width = student_t_quantile(0.975, count - 1) * float(values.std()) / math.sqrt(count)
    mean = float(values.mean())
    return mean - half_width, mean + half_width


def possible(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the part of an interval that an accuracy can have, 0 to 1.

    What lies outside holds no possible mean, so that leaving it out takes nothing from the coverage
    (Mandelkern, Setting confidence intervals for bounded parameters, Statistical Science 17(2),
    2002). The mean of accuracies is inside, so something is always left.

    Args:
        interval: of a mean accuracy; None where there is none.
    """
    return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def accuracy_stats(accuracy: AccuracyTable, *, images: int) -> AccuracyStats:
    """Estimate mean, variance components and interval.

    Args:
        accuracy: fraction of images classified correctly, ``chip run``; at least one of each.
        images: images per instance.

    Raises:
        ConfigError: no instance.
    """
    if accuracy.numel() == 0:
        raise ConfigError(
            f"accuracy of shape {tuple(accuracy.shape)}; at least one chip and run",
            code=Code.EMPTY,
            field="accuracy",
            value=tuple(accuracy.shape),
        )
    table = accuracy.double()
    chips, runs = table.shape
    within = float(table.var(1).mean()) if runs > 1 else None
    between = None
    if chips > 1:
        # E[variance of chip means] = chip variance + run variance / runs
        between = max(0.0, float(table.mean(1).var()) - (within or 0.0) / runs)
    interval = possible(interval95(table.mean(1) if chips > 1 else table[0]))
    low, high = interval or (None, None)
    return AccuracyStats(
        mean=float(table.mean()),
        std_chip=None if between is None else math.sqrt(between),
        std_run=None if within is None else math.sqrt(within),
        ci95_low=low,
        ci95_high=high,
        worst=float(table.min()),
        chips=chips,
        runs=runs,
        images=images,
    )


def paired_difference(
    first: AccuracyTable, second: Float[Tensor, "same_chip same_run"]
) -> PairedDifference:
    """Compare two methods that were evaluated with the same random numbers.

    Args:
        first: accuracies of one method, ``chip run``.
        second: accuracies of the other on the same chips, ``chip run``.

    Raises:
        ConfigError: tables of different shape, or of a single chip.
    """
    if first.shape != second.shape or first.shape[0] < 2:
        raise ConfigError(
            f"tables of shape {tuple(first.shape)} and {tuple(second.shape)}; allowed: equal "
            "shapes with 2 or more chips, evaluated with the same seed",
            code=Code.SHAPE_MISMATCH,
            field="tables",
            value=(tuple(first.shape), tuple(second.shape)),
        )
    means = torch.stack([first.double().mean(1), second.double().mean(1)])
    difference = means[0] - means[1]
    interval = interval95(difference)
    low, high = interval if interval else (-math.inf, math.inf)
    constant = bool((means.std(1) == 0).any())
    return PairedDifference(
        mean=float(difference.mean()),
        std=float(difference.std()),
        ci95_low=low,
        ci95_high=high,
        correlation=None if constant else float(torch.corrcoef(means)[0, 1]),
        chips=means.shape[1],
    )
