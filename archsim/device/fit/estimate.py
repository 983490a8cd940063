"""Numbers of a device from sums of its measurements, and their intervals.

Levels: a one-way analysis of variance with cells as groups. With SSW within and SSB between cells,
a cells, N writes and n0 = (N - sum n_i^2 / N) / (a - 1), the variance of one write is
``MSW + (MSB - MSW) / n0``, of which the second part belongs to the cell (Searle, Casella &
McCulloch, Variance Components, 1992, section 3.6). Read noise, from repeated reads of one point, is
taken out of the first.

Drift: ``g = g_0 (t / t_0)^-nu`` per write, by least squares of ln g over ln t. The spread of nu is
that between writes less what read noise makes of it.

Write-verify: ``e' = (1 - gain) e + N(0, step_sigma^2)`` by least squares through the origin, read
noise taken out of both sides; the tolerance lies between the largest error at which a cell was left
and the smallest at which it was pulsed on.

Intervals: delete-a-group jackknife over blocks of cells, with Student's t (Wolter, Introduction to
Variance Estimation, 2007, chapter 4); rates: Wilson's (JASA 22, 1927).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from archsim.device.fit.fitted import Estimate
from archsim.device.fit.scan import Scan
from archsim.device.fit.sums import BlockTotals, Sums

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """All numbers of one set of sums; NaN for what they do not tell."""

    mean: Array
    sigma: Array
    device_share: float
    read_noise: float
    nu: float
    nu_sigma: float
    gain: float
    step_sigma: float
    drift_residual: float
    drift_expected: float
    pulses: float

    def flat(self) -> Array:
        """Return them in one row."""
        return np.concatenate([np.atleast_1d(value) for value in vars(self).values()])

    @classmethod
    def of_flat(cls, row: Array, levels: int) -> Numbers:
        """Return them from :meth:`flat`.

        Args:
            row: of that.
            levels: how many.
        """
        names = list(cls.__dataclass_fields__)
        rest = dict(zip(names[2:], map(float, row[2 * levels :]), strict=True))
        return cls(mean=row[:levels], sigma=row[levels : 2 * levels], **rest)


def numbers_of(totals: BlockTotals, scan: Scan) -> Numbers:
    """Return what sums tell.

    Args:
        totals: of all blocks, or of all but one.
        scan: of the first pass.
    """
    each, level = totals.numbers, totals.level
    read_noise = _root(_ratio(each["read_square"], each["read_dof"]))
    if math.isnan(read_noise):  # else what drift leaves is the noise of its reads
        read_noise = _root(_ratio(each["drift_rss"], each["drift_square"]))
    of_read = np.nan_to_num(read_noise) ** 2
    writes, devices = level["writes"], level["devices"]
    between = level["between"] - np.where(writes > 0, level["error"] ** 2, 0) / _safe(writes)
    repeats, spread = writes - devices, devices - 1
    within = np.where(repeats > 0, level["within"] / _safe(repeats), np.nan)
    among = np.where(spread > 0, between / _safe(spread), np.nan)
    n0 = (writes - level["writes2"] / _safe(writes)) / _safe(spread)
    own = np.where(repeats > 0, ((among - within) / _safe(n0)).clip(0.0), 0.0)
    cycle = np.where(repeats > 0, within, among) - of_read * _ratio(
        each["landed_reads"], each["landed"]
    )
    cycle = cycle.clip(0.0)
    known = (repeats > 0) & np.isfinite(cycle)
    positions = np.linspace(0.0, 1.0, len(writes))
    nu = _ratio(each["drift_nu"], each["drift_count"])
    nu_variance = _ratio(
        each["drift_nu2"] - each["drift_count"] * np.nan_to_num(nu) ** 2, each["drift_count"] - 1
    ) - of_read * _ratio(each["drift_noise"], each["drift_count"])
    gain, step = _step(each, of_read)
    return Numbers(
        mean=np.where(writes > 0, positions + level["error"] / _safe(writes), np.nan),
        sigma=np.sqrt(own + cycle),
        device_share=_ratio(float(own[known].sum()), float((own + cycle)[known].sum())),
        read_noise=read_noise,
        nu=nu,
        nu_sigma=_root(nu_variance),
        gain=gain,
        step_sigma=step,
        drift_residual=_root(_ratio(each["drift_rss"], each["drift_dof"])),
        drift_expected=_root(of_read * _ratio(each["drift_square"], each["drift_dof"])),
        pulses=_ratio(each["pulses"], each["cycles"]),
    )


def _step(each: dict[str, float], of_read: float) -> tuple[float, float]:
    count = each["pairs"]
    if not count:
        return math.nan, math.nan
    before = each["pair_xx"] - count * of_read
    keep = _ratio(each["pair_xy"], before)
    left = (each["pair_yy"] - 2 * keep * each["pair_xy"] + keep**2 * each["pair_xx"]) / count
    return 1 - keep, _root(left - (1 + keep**2) * of_read)


def intervals(sums: Sums, scan: Scan) -> tuple[Numbers, Numbers, Numbers]:
    """Return the numbers, and the ends of their 95 % intervals.

    Args:
        sums: by block.
        scan: of the first pass.
    """
    blocks = np.flatnonzero(sums.used)
    best = numbers_of(sums.without(None), scan).flat()
    others = np.stack([numbers_of(sums.without(int(block)), scan).flat() for block in blocks])
    count, levels = len(blocks), len(scan.targets)
    square = (count - 1) / count * ((others - others.mean(0)) ** 2).sum(0)
    half = stats.t.ppf(0.975, count - 1) * np.sqrt(square)
    return tuple(  # type: ignore[return-value]
        Numbers.of_flat(row, levels) for row in (best, best - half, best + half)
    )


def rate(key: str, events: float, count: float) -> Estimate:
    """Return how often something is the case, with Wilson's interval.

    Args:
        key: of the device file.
        events: how often it was.
        count: of how many cells; 0 where none could be judged.
    """
    if not count:
        reason = "no cell was asked for levels at least half of the range apart"
        return Estimate(key, None, None, None, "1", 0, "cells", reason)
    share, z2 = events / count, stats.norm.ppf(0.975) ** 2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    ends = max(centre - half, 0.0) if events else 0.0, min(centre + half, 1.0)
    return Estimate(key, share, *ends, "1", int(count), "cells")


def _safe(count: Array) -> Array:
    return np.where(count > 0, count, 1.0)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _root(square: float) -> float:
    return math.sqrt(max(square, 0.0)) if math.isfinite(square) else math.nan
