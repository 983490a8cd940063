"""Mean squared error of values."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from archsim.results.task_metric import Better
from tsb.metric.base import VALUES, Parts, TaskMetric, by_item


class MeanSquaredError(TaskMetric):
    """Over all values of all items; in the squared unit of the targets."""

    name = "mse"
    description = "mean squared error over all values, in the squared unit of the targets"
    direction: ClassVar[Better] = "lower"
    unit = ""
    low, high = 0.0, None
    targets = VALUES
    source = "definition"

    def parts(self, outputs: Tensor, targets: Tensor) -> Parts:
        """See :meth:`TaskMetric.parts`."""
        squares = (outputs.double() - targets.double()) ** 2
        counts = torch.ones_like(squares)
        return torch.cat([by_item(each, len(targets)) for each in (squares, counts)], 1)

    def value(self, sums: Tensor) -> float:
        """See :meth:`TaskMetric.value`."""
        return float(sums[0] / sums[1])
