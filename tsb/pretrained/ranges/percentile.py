"""A percentile of the magnitudes."""

from __future__ import annotations

import torch

from archsim.util.checks import number
from tsb.pretrained.ranges.base import BINS, CodesOf, Observed, RangeRule

#: Per cent of the magnitudes, where nobody says: that of the source for 8 bits.
DEFAULT_PERCENTILE = 99.99


class Percentile(RangeRule):
    """All but the largest magnitudes have a code."""

    name = "percentile"
    description = "a percentile of the magnitudes (--percentile, 99.99), to a bin of 1/2048"
    source = "Wu et al., arXiv 2004.09602, 2020, section 3.4"

    def __init__(self, percentile: int | float = DEFAULT_PERCENTILE) -> None:
        """Check the percentile.

        Args:
            percentile: per cent of the magnitudes that the range holds, above 0, at most 100.

        Raises:
            ConfigError: another number.
        """
        self.percentile = number("percentile (--percentile)", percentile, 1.0, 100.0)

    def magnitude(self, observed: Observed, codes_of: CodesOf) -> float:
        """See :meth:`RangeRule.magnitude`: the upper end of the bin of the percentile."""
        del codes_of
        held = observed.counts.cumsum(0)
        wanted = held[-1] * self.percentile / 100
        place = int(torch.searchsorted(held, wanted - wanted * 1e-12))
        return observed.largest * min(place + 1, BINS) / BINS
