"""Mean intersection over union of a segmentation."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from archsim.results.task_metric import Better
from tsb.data.own.items import IGNORED
from tsb.metric.base import CLASSES, Parts, TaskMetric, scores_by_class


class MeanIou(TaskMetric):
    """Mean over classes of places in both, over places in either, all items pooled.

    Classes that neither the targets nor the network name anywhere are left out of the mean.
    """

    name = "mean-iou"
    description = "intersection over union of each class over all items, the mean of classes"
    direction: ClassVar[Better] = "higher"
    unit = "%"
    factor = 100.0
    low, high = 0.0, 1.0
    targets = CLASSES
    source = "Everingham et al., PASCAL VOC, IJCV 111, 2015, doi:10.1007/s11263-014-0733-5"

    def parts(self, outputs: Tensor, targets: Tensor) -> Parts:
        """See :meth:`TaskMetric.parts`: intersections, then unions, of each class."""
        scores, classes = scores_by_class(outputs, targets)
        count, items = scores.shape[-1], len(targets)
        counts = (classes != IGNORED).view(items, -1, 1)
        found, there = (
            functional.one_hot(each.clamp_min(0), count).view(items, -1, count).bool() & counts
            for each in (scores.argmax(-1), classes)
        )
        return torch.cat([(found & there).sum(1), (found | there).sum(1)], 1).double()

    def value(self, sums: Tensor) -> float:
        """See :meth:`TaskMetric.value`."""
        both, either = sums.chunk(2)
        return float((both[either > 0] / either[either > 0]).mean())
