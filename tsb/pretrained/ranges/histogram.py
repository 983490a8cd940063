"""The range whose rounded histogram tells least apart from the real one (entropy calibration)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tsb.pretrained.ranges.base import BINS, CodesOf, Observed, RangeRule, tried


class Histogram(RangeRule):
    """Least Kullback-Leibler divergence of the histogram, what is cut off in its last bin."""

    name = "histogram"
    description = "the least Kullback-Leibler divergence of the rounded histogram (entropy)"
    source = "Migacz, 8-bit Inference with TensorRT, GTC 2017"

    def magnitude(self, observed: Observed, codes_of: CodesOf) -> float:
        """See :meth:`RangeRule.magnitude`; all where there are as many codes as bins."""
        found = [(math.inf, observed.largest)]
        for bins, magnitude in tried(observed):
            codes = codes_of(*observed.clipped(magnitude))
            levels = round(magnitude / codes.step)
            if levels < bins < BINS:
                found.append((divergence(observed.counts, bins, levels), magnitude))
        found.append((divergence(observed.counts, BINS, min(BINS, levels)), observed.largest))
        return min(found)[1]


def divergence(counts: Float[Tensor, " bin"], bins: int, levels: int) -> float:
    """Return how far a histogram is from the one that levels can tell, nat.

    Args:
        counts: of magnitudes.
        bins: that the range holds; the rest is counted in the last of them.
        levels: that the bins of the range are merged into; each spreads its count evenly over its
            bins that are not empty.
    """
    real = counts[:bins].clone()
    merged_into = torch.arange(bins) * levels // bins
    sums = torch.zeros(levels, dtype=counts.dtype).index_add_(0, merged_into, real)
    used = torch.zeros(levels, dtype=counts.dtype).index_add_(
        0, merged_into, (real > 0).to(counts.dtype)
    )
    rounded = torch.where(real > 0, (sums / used.clamp_min(1))[merged_into], 0.0)
    real[-1] += counts[bins:].sum()
    if float(rounded.sum()) == 0 or (real[-1] > 0 and rounded[-1] == 0):
        return math.inf  # what is cut off has no place
    real, rounded = real / real.sum(), rounded / rounded.sum()
    there = real > 0
    return float((real[there] * (real[there] / rounded[there]).log()).sum())
