"""Global drift compensation: one factor for all outputs of a layer."""

from __future__ import annotations

from torch import Tensor

from tsb.program.compensation.base import Compensation, ratio


class PerLayer(Compensation):
    """The loss of the layer's sum over all its columns."""

    name = "layer"
    description = "one factor per layer, from the sum over its columns"
    needs = "a multiplication of every output, one number per layer"
    correction = "layer-scale"
    source = "Joshi et al., Nature Communications 11, 2020, doi:10.1038/s41467-020-16108-9"

    def factors(self, first: Tensor, later: Tensor) -> Tensor:
        """See :meth:`Compensation.factors`."""
        return ratio(first.sum(), later.sum()).expand(len(first))
