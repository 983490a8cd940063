"""The range whose codes lose least: the smallest mean squared error of the inputs."""

from __future__ import annotations

import torch

from tsb.pretrained.ranges.base import CodesOf, Observed, RangeRule, tried


class SquaredError(RangeRule):
    """What is cut off and what is rounded away together, over the histogram."""

    name = "mse"
    description = "the smallest mean squared error of rounding and cutting off together"
    source = "Sung et al., arXiv 1511.06488, 2015; Wu et al., arXiv 2004.09602, 2020"

    def magnitude(self, observed: Observed, codes_of: CodesOf) -> float:
        """See :meth:`RangeRule.magnitude`; the first of equally good ones, from below."""
        centres, weights = observed.centres, observed.counts
        losses = []
        for _, magnitude in tried(observed):
            step = codes_of(*observed.clipped(magnitude)).step
            kept = centres.clamp_max(magnitude)
            error = torch.round(kept / step) * step - centres
            losses.append(float((weights * error**2).sum()))
        best = min(range(len(losses)), key=losses.__getitem__)
        return tried(observed)[best][1]
