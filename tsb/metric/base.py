"""A metric: parts of every item that are added up, and a value of the sums.

So metrics stream: a batch gives ``item part``, batches add up, and nothing but the sums is kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from archsim.errors import Code, ConfigError
from archsim.results.task_metric import Better, MetricFacts
from tsb.data.dataset import class_axis

#: What targets a metric takes: classes (one or more per item), or real numbers.
CLASSES, VALUES, ANY = "classes", "values", "any"
Parts = Float[Tensor, "item part"]


class TaskMetric(ABC):
    """One metric.

    Attributes:
        name: what the user writes.
        description: one line for lists.
        direction: which end is better.
        unit: of what people are shown.
        factor: from a value to that unit.
        low: smallest possible value.
        high: largest possible value.
        targets: which kind it takes: :data:`CLASSES`, :data:`VALUES` or :data:`ANY`.
        source: of the formula.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    direction: ClassVar[Better]
    unit: ClassVar[str]
    factor: ClassVar[float] = 1.0
    low: ClassVar[float | None]
    high: ClassVar[float | None]
    targets: ClassVar[str]
    source: ClassVar[str]

    @property
    def facts(self) -> MetricFacts:
        """What results carry of it."""
        return MetricFacts(
            name=self.name,
            direction=self.direction,
            unit=self.unit,
            factor=self.factor,
            low=self.low,
            high=self.high,
        )

    def check_fits(self, outputs: Tensor, targets: Tensor) -> None:
        """Check that outputs of a network and targets are what the metric takes.

        Args:
            outputs: of some items.
            targets: of these.

        Raises:
            ConfigError: classes in place of values, or values in place of classes.
        """
        kind = VALUES if targets.is_floating_point() else CLASSES
        if self.targets not in (kind, ANY):
            raise ConfigError.of(
                Code.CONFLICT,
                "metric (--metric)",
                self.name,
                problem=f"takes targets that are {self.targets}, and those of the data are {kind}",
                allowed="a metric of such targets: archsim list task-metrics",
            )

    @abstractmethod
    def parts(
        self, outputs: Shaped[Tensor, "item ..."], targets: Shaped[Tensor, "item ..."]
    ) -> Parts:
        """Return what of each item is added up, float64.

        Args:
            outputs: of a network, ``item ...``.
            targets: of the same items, ``item ...``.
        """

    @abstractmethod
    def value(self, sums: Float[Tensor, " part"]) -> float:
        """Return the metric of all items.

        Args:
            sums: of :meth:`parts` over items, float64.
        """

    def of(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the metric of one batch alone.

        Args:
            outputs: of a network.
            targets: of the same items.
        """
        return self.value(self.parts(outputs, targets).sum(0))


def scores_by_class(
    outputs: Tensor, targets: Tensor
) -> tuple[Float[Tensor, "place class"], Shaped[Tensor, " place"]]:
    """Return the scores of every place of all items, and the classes there.

    Args:
        outputs: ``item class``, ``item *place class`` or ``item class *place``.
        targets: ``item *place``.

    Raises:
        ConfigError: scores that do not fit the targets.
    """
    axis = class_axis(outputs, targets)
    if axis is None:
        raise ConfigError.of(
            Code.SHAPE_MISMATCH,
            "metric (--metric)",
            (tuple(outputs.shape), tuple(targets.shape)),
            problem="outputs and targets",
            allowed="item *place class (or item class *place) and item *place",
        )
    moved = outputs.movedim(axis, -1)
    return moved.reshape(-1, moved.shape[-1]), targets.reshape(-1)


def by_item(values: Shaped[Tensor, ...], items: int) -> Float[Tensor, "item 1"]:
    """Return the sum over the places of each item, float64.

    Args:
        values: numbers or flags of all places, item by item, any shape.
        items: their number.
    """
    return values.to(torch.float64).view(items, -1).sum(1, keepdim=True)
