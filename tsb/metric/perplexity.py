"""Perplexity of a language model."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from archsim.results.task_metric import Better
from tsb.data.own.items import IGNORED
from tsb.metric.base import CLASSES, Parts, TaskMetric, by_item, scores_by_class

#: Largest exponent: beyond, a float64 is infinite.
_MOST = 700.0


class Perplexity(TaskMetric):
    """``exp`` of the mean cross-entropy per token."""

    name = "perplexity"
    description = "exp of the mean cross-entropy per token; 1 is certain, the vocabulary a guess"
    direction: ClassVar[Better] = "lower"
    unit = ""
    low, high = 1.0, None
    targets = CLASSES
    source = "Jelinek et al., J. Acoust. Soc. Am. 62 (S1), 1977, doi:10.1121/1.2016299"

    def parts(self, outputs: Tensor, targets: Tensor) -> Parts:
        """See :meth:`TaskMetric.parts`."""
        scores, classes = scores_by_class(outputs, targets)
        losses = functional.cross_entropy(
            scores.double(), classes, reduction="none", ignore_index=IGNORED
        )
        counts = classes != IGNORED
        return torch.cat([by_item(each, len(targets)) for each in (losses, counts)], 1)

    def value(self, sums: Tensor) -> float:
        """See :meth:`TaskMetric.value`."""
        return math.exp(min(float(sums[0] / sums[1]), _MOST))
