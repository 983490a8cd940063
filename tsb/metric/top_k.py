"""Share of the places whose class is among the k that the network finds most likely."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from archsim.errors import Code, ConfigError
from archsim.results.task_metric import Better
from tsb.data.own.items import IGNORED
from tsb.metric.base import CLASSES, Parts, TaskMetric, by_item, scores_by_class


class _TopK(TaskMetric):
    """Places that are right, over all places that count."""

    direction: ClassVar[Better] = "higher"
    unit = "%"
    factor = 100.0
    low, high = 0.0, 1.0
    targets = CLASSES
    source = "Russakovsky et al., ImageNet Challenge, IJCV 115, 2015, section 4"
    k = 1

    def check_fits(self, outputs: Tensor, targets: Tensor) -> None:
        """See :meth:`TaskMetric.check_fits`; k classes are needed."""
        super().check_fits(outputs, targets)
        classes = scores_by_class(outputs, targets)[0].shape[-1]
        if classes <= self.k:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "metric (--metric)",
                self.name,
                problem=f"of a network with {classes} classes is always 1",
                allowed="top-1, or more classes",
            )

    def parts(self, outputs: Tensor, targets: Tensor) -> Parts:
        """See :meth:`TaskMetric.parts`; of equal scores the first class counts."""
        scores, classes = scores_by_class(outputs, targets)
        counts = classes != IGNORED
        if self.k == 1:
            right = scores.argmax(-1) == classes
        else:
            right = (scores.topk(self.k, -1).indices == classes.unsqueeze(-1)).any(-1)
        items = len(targets)
        return torch.cat([by_item(right & counts, items), by_item(counts, items)], 1)

    def value(self, sums: Tensor) -> float:
        """See :meth:`TaskMetric.value`."""
        return float(sums[0] / sums[1])


class Top1(_TopK):
    """The most likely class is the right one."""

    name = "top-1"
    description = "the class with the highest score is right; of tokens and maps, per place"


class Top5(_TopK):
    """The right class is among the five most likely."""

    name = "top-5"
    description = "the right class is among the five with the highest scores"
    k = 5
