"""How far off the totals of a chip of the silicon model can be, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SiliconInterval:
    """A total with the intervals that hold 80 % and 90 % of published chips, in its report unit.

    Attributes:
        name: key of the metric.
        unit: of the value.
        title: for people.
        value: nominal.
        sigma: standard deviation of ln(measured / predicted) of the reads; of a quotient that of
            the product of both factors.
        interval80: low, high.
        interval90: low, high.
    """

    name: str
    unit: str
    title: str
    value: float
    sigma: float
    interval80: tuple[float, float]
    interval90: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "value": self.value,
            "sigma": self.sigma,
            "interval80": list(self.interval80),
            "interval90": list(self.interval90),
        }
