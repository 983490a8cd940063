"""Drift compensation with a factor for each output channel."""

from __future__ import annotations

from torch import Tensor

from tsb.program.compensation.base import Compensation, ratio


class PerColumn(Compensation):
    """The loss of each channel's own sum."""

    name = "column"
    description = "one factor per output channel, from the sum over its own cells"
    needs = "a multiplication of every output, one number per output channel"
    correction = "scale"
    source = "Joshi et al., Nature Communications 11, 2020, by column in place of by layer"

    def factors(self, first: Tensor, later: Tensor) -> Tensor:
        """See :meth:`Compensation.factors`."""
        return ratio(first, later)
