"""What tables, figures and comparisons know of a task's metric: its unit and better end."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

#: Which end is better.
Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True)
class MetricFacts:
    """A metric as results carry it.

    Attributes:
        name: as it is asked for.
        direction: which end is better.
        unit: of what people are shown; "" for none.
        factor: from a value to what people are shown: 100 for fractions in per cent.
        low: smallest possible value; None for none.
        high: largest possible value; None for none.
    """

    name: str
    direction: Better
    unit: str = ""
    factor: float = 1.0
    low: float | None = None
    high: float | None = None

    def is_better(self, first: float, second: float) -> bool:
        """Whether a first value is better than a second; one that is not a number never is.

        Args:
            first: in the metric's own unit.
            second: likewise.
        """
        if math.isnan(first) or math.isnan(second):
            return math.isnan(second) and not math.isnan(first)
        return first > second if self.direction == "higher" else first < second

    def lost(self, ideal: float, real: float) -> float:
        """Return how much worse a value is than an ideal one; below 0 where it is better.

        Args:
            ideal: in the metric's own unit.
            real: likewise.
        """
        return ideal - real if self.direction == "higher" else real - ideal

    def possible(self, interval: tuple[float, float] | None) -> tuple[float, float] | None:
        """Return the part of an interval of a mean that values can have.

        Args:
            interval: None for none.
        """
        if interval is None:
            return None
        low = interval[0] if self.low is None else max(interval[0], self.low)
        return low, interval[1] if self.high is None else min(interval[1], self.high)

    def shown(self, value: float) -> float:
        """Return a value in the unit that people are shown.

        Args:
            value: in the metric's own unit.
        """
        return self.factor * value

    @property
    def title(self) -> str:
        """Name, unit and better end, for a column or an axis."""
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.name}{unit} ({self.direction} is better)"

    def to_dict(self) -> dict[str, Any]:
        """Return all facts by name."""
        return asdict(self)
