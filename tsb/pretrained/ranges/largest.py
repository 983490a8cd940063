"""The largest magnitude that occurs: nothing is cut off."""

from __future__ import annotations

from tsb.pretrained.ranges.base import CodesOf, Observed, RangeRule


class Largest(RangeRule):
    """Everything in the calibration items has a code."""

    name = "max"
    description = "the largest magnitude: nothing is cut off"
    source = "Krishnamoorthi, arXiv 1806.08342, 2018, section 3.1"

    def magnitude(self, observed: Observed, codes_of: CodesOf) -> float:
        """See :meth:`RangeRule.magnitude`."""
        del codes_of
        return observed.largest
