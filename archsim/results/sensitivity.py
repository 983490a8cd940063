"""Results of sensitivity and uncertainty analysis, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.results.metric import Place
from archsim.results.metrics import shown_in


@dataclass(frozen=True)
class Elasticity:
    """d ln(metric) / d ln(parameter) of one parameter.

    Attributes:
        path: configuration path; technology constants carry their SI unit.
        kind: ``continuous`` (autograd) or ``integer`` (one step to ``stepped_to``).
        value: value at the design, SI.
        stepped_to: next value of a whole number, else None.
        values: elasticity per metric, by its key without the unit; a metric that does not depend
            on it is missing.
    """

    path: str
    kind: str
    value: float
    stepped_to: float | None
    values: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "parameter": self.path,
            "kind": self.kind,
            "value": self.value,
            "stepped_to": self.stepped_to,
            **{
                metric.stem: self.values.get(metric.stem, 0.0)
                for metric in shown_in(Place.SENSITIVITY)
            },
        }


@dataclass(frozen=True)
class Interval:
    """What the uncertainty of the constants makes of one total, in its report unit.

    Attributes:
        name: key of the metric.
        nominal: with every constant at its value.
        low: 5th percentile of the draws, or the nominal value if that is below; None: not known.
        median: of the draws.
        high: 95th percentile, or the nominal value if that is above.
        because: why there is no interval.
    """

    name: str
    nominal: float
    low: float | None
    median: float | None
    high: float | None
    because: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        numbers = {
            "nominal": self.nominal,
            "p05": self.low,
            "median": self.median,
            "p95": self.high,
        }
        return numbers if self.because is None else {**numbers, "because": self.because}
