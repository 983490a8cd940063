"""What a comparison with reference runs yields: one error per run, layer and metric."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim.results.reference_metric import REFERENCE_METRICS

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Comparison:
    """One predicted value beside its reference.

    ``error`` is predicted over reference minus one; where the reference is zero it is 0 if the
    prediction is zero too and infinite otherwise.
    """

    run: str
    network: str
    factor: str
    layer: str | None
    metric: str
    predicted: float
    reference: float

    @property
    def error(self) -> float:
        """Signed relative error."""
        if self.reference == 0:
            return 0.0 if self.predicted == 0 else math.inf
        return self.predicted / self.reference - 1


@dataclass(frozen=True)
class ErrorSummary:
    """Absolute relative errors of one metric: median, 90th percentile, worst, number."""

    median: float
    p90: float
    worst: float
    n: int


@dataclass(frozen=True)
class ValidationResult:
    """All comparisons with a folder of reference runs, and what was left out and why."""

    chip: str
    folder: str
    comparisons: tuple[Comparison, ...]
    skipped: tuple[tuple[str, str], ...]
    refusals_agree: int
    refusals: int

    def summary(self, factor: str | None = None) -> dict[str, ErrorSummary]:
        """Summarise per metric, over all runs or those of one factor."""
        chosen: dict[str, list[float]] = {}
        for entry in self.comparisons:
            if factor is None or entry.factor == factor:
                chosen.setdefault(entry.metric, []).append(abs(entry.error))
        names = [metric.name for metric in REFERENCE_METRICS]
        order = {name: index for index, name in enumerate(names)}
        return {
            metric: summarise(chosen[metric])
            for metric in sorted(chosen, key=lambda name: order.get(name, len(order)))
        }

    @property
    def factors(self) -> tuple[str, ...]:
        """The settings that the runs vary, in order of appearance."""
        return tuple(dict.fromkeys(entry.factor for entry in self.comparisons))

    def worst(self, count: int = 10) -> tuple[Comparison, ...]:
        """The chip-level comparisons with the largest errors."""
        chips = [entry for entry in self.comparisons if entry.layer is None]
        return tuple(sorted(chips, key=lambda entry: -abs(entry.error))[:count])

    @property
    def frame(self) -> pandas.DataFrame:
        """All comparisons as a frame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """All comparisons as plain data; an infinite error is None.

        ``layer`` is the name of the layer, None for the whole chip.
        """
        return [
            {
                "run": entry.run,
                "network": entry.network,
                "factor": entry.factor,
                "layer": entry.layer,
                "metric": entry.metric,
                "predicted": entry.predicted,
                "reference": entry.reference,
                "error": entry.error if math.isfinite(entry.error) else None,
            }
            for entry in self.comparisons
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim validate --format json``."""
        return {
            "schema": 1,
            "chip": self.chip,
            "reference": self.folder,
            "metrics": {name: _plain(entry) for name, entry in self.summary().items()},
            "factors": {
                factor: {name: _plain(entry) for name, entry in self.summary(factor).items()}
                for factor in self.factors
            },
            "refusals": {"n": self.refusals, "agree": self.refusals_agree},
            "skipped": [{"run": run, "reason": reason} for run, reason in self.skipped],
            "rows": self.rows(),
        }


def _plain(entry: ErrorSummary) -> dict[str, float | int | None]:
    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "median": finite(entry.median),
        "p90": finite(entry.p90),
        "worst": finite(entry.worst),
        "n": entry.n,
    }


def summarise(errors: Iterable[float]) -> ErrorSummary:
    """Median and 90th percentile (nearest rank) of absolute errors."""
    ordered = sorted(errors)
    if not ordered:
        return ErrorSummary(math.nan, math.nan, math.nan, 0)

    def rank(share: float) -> float:
        return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]

    return ErrorSummary(rank(0.5), rank(0.9), ordered[-1], len(ordered))
