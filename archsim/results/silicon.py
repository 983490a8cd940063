"""What a comparison with published chips yields: a factor per macro and quantity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Quantities that are compared, with the unit that people read, in order.
SILICON_METRICS = {"energy": "pJ", "latency": "ns", "area": "mm2"}
#: Classes of macros, in order.
SILICON_CLASSES = ("nvm", "sram", "digital")


@dataclass(frozen=True)
class SiliconPoint:
    """One quantity of one operating point, in SI.

    Attributes:
        measured: as published.
        predicted: by the shipped constants.
        low: end of the interval that holds 90 % of the chips.
        high: the other end.
        left_out: predicted by constants that this macro had no part in, and its interval.
    """

    measured: float
    predicted: float
    low: float
    high: float
    left_out: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class SiliconComparison:
    """One row of the table.

    Attributes:
        line: of the file.
        macro: name.
        klass: nvm, sram or digital; "" if it cannot be priced.
        sensing: how columns are read.
        reason: why it cannot be priced; "" if it can.
        notes: what the reading assumed.
        points: by metric, those that are published.
        missing: what the model lacks where it is far off, by metric.
    """

    line: int
    macro: str
    klass: str
    sensing: str
    reason: str
    notes: tuple[str, ...]
    points: dict[str, SiliconPoint]
    missing: dict[str, str]


@dataclass(frozen=True)
class FactorSummary:
    """Factors max(predicted / measured, measured / predicted), one number per macro.

    Attributes:
        n: macros.
        median_factor: of the factors.
        p90_factor: 90th percentile of the factors, interpolated.
        bias: geometric mean of predicted / measured.
        spread: standard deviation of ln(predicted / measured).
        coverage: share of macros within the interval that is said to hold 90 %.
    """

    n: int
    median_factor: float | None
    p90_factor: float | None
    bias: float | None
    spread: float | None
    coverage: float | None

    @classmethod
    def of(cls, ratios: Sequence[float], covered: Sequence[bool]) -> FactorSummary:
        """Summarise ln(predicted / measured) of macros.

        Args:
            ratios: one number per macro.
            covered: whether the interval holds the measurement.
        """
        import numpy as np

        if not ratios:
            return cls(0, None, None, None, None, None)
        factors = np.exp(np.abs(ratios))
        return cls(
            len(ratios),
            float(np.median(factors)),
            float(np.percentile(factors, 90)),
            math.exp(float(np.mean(ratios))),
            float(np.std(ratios)),
            sum(covered) / len(covered),
        )

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the summary as plain data."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class SiliconValidation:
    """All rows of a table of published macros beside the model.

    Attributes:
        table: its path.
        constants: preset that predicts.
        rows: in order of the file.
        has_left_out: whether macros that the constants were fitted to are predicted without them.
        calibrated: macros of this table that the constants were fitted to.
    """

    table: str
    constants: str
    rows: tuple[SiliconComparison, ...]
    has_left_out: bool
    calibrated: tuple[str, ...]

    @property
    def skipped(self) -> tuple[SiliconComparison, ...]:
        """Rows that cannot be priced."""
        return tuple(row for row in self.rows if row.reason)

    def ratios(self, metric: str, klass: str, *, left_out: bool = False) -> dict[str, float]:
        """Return ln(predicted / measured) per macro: the mean over its operating points.

        Args:
            metric: of :data:`SILICON_METRICS`.
            klass: of :data:`SILICON_CLASSES`.
            left_out: by constants that the macro had no part in.
        """
        return {
            macro: sum(value for value, _ in points) / len(points)
            for macro, points in self._of(metric, klass, left_out).items()
        }

    def summary(self, metric: str, klass: str, *, left_out: bool = False) -> FactorSummary:
        """Summarise one class.

        Args:
            metric: of :data:`SILICON_METRICS`.
            klass: of :data:`SILICON_CLASSES`.
            left_out: by constants that the macro had no part in.
        """
        ratios = self.ratios(metric, klass, left_out=left_out)
        half = {
            macro: sum(width for _, width in points) / len(points)
            for macro, points in self._of(metric, klass, left_out).items()
        }
        covered = [abs(ratio) <= half[macro] for macro, ratio in ratios.items()]
        return FactorSummary.of(list(ratios.values()), covered)

    def _of(self, metric: str, klass: str, left_out: bool) -> dict[str, list[tuple[float, float]]]:
        """ln(predicted / measured) and half width of the interval in ln, by macro."""
        found: dict[str, list[tuple[float, float]]] = {}
        for row in self.rows:
            point = row.points.get(metric)
            if row.klass != klass or point is None:
                continue
            predicted, high = point.predicted, point.high
            if left_out and point.left_out is not None:
                predicted, _, high = point.left_out
            pair = (math.log(predicted / point.measured), math.log(high / predicted))
            found.setdefault(row.macro, []).append(pair)
        return found

    def metrics(self, *, left_out: bool = False) -> dict[str, dict[str, dict[str, Any]]]:
        """Return the summaries by metric and class, as plain data.

        Args:
            left_out: by constants that each macro had no part in.
        """
        return {
            metric: {
                klass: self.summary(metric, klass, left_out=left_out).to_dict()
                for klass in SILICON_CLASSES
            }
            for metric in SILICON_METRICS
        }

    def worst(
        self, count: int = 10
    ) -> tuple[tuple[SiliconComparison, str, SiliconPoint, float], ...]:
        """Return the points that are furthest off: row, metric, point and predicted / measured.

        Args:
            count: how many.
        """
        everything = [
            (row, metric, point, point.predicted / point.measured)
            for row in self.rows
            for metric, point in row.points.items()
        ]
        return tuple(sorted(everything, key=lambda found: -abs(math.log(found[3])))[:count])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim validate --silicon --format json``."""
        return {
            "schema": 1,
            "table": self.table,
            "constants": self.constants,
            "calibrated_on": list(self.calibrated),
            "metrics": self.metrics(),
            "leave_one_out": self.metrics(left_out=True) if self.has_left_out else None,
            "skipped": [
                {"line": row.line, "macro": row.macro, "reason": row.reason} for row in self.skipped
            ],
            "rows": [_plain(row) for row in self.rows],
        }


def _plain(row: SiliconComparison) -> dict[str, Any]:
    return {
        "line": row.line,
        "macro": row.macro,
        "class": row.klass or None,
        "sensing": row.sensing or None,
        "reason": row.reason or None,
        "notes": list(row.notes),
        **{metric: _plain_point(row, metric) for metric in SILICON_METRICS},
    }


def _plain_point(row: SiliconComparison, metric: str) -> dict[str, Any] | None:
    from archsim.units import from_si

    point = row.points.get(metric)
    if point is None:
        return None
    unit = SILICON_METRICS[metric]
    left_out = None if point.left_out is None else from_si(point.left_out[0], unit)
    return {
        f"measured_{unit}": from_si(point.measured, unit),
        f"predicted_{unit}": from_si(point.predicted, unit),
        f"low90_{unit}": from_si(point.low, unit),
        f"high90_{unit}": from_si(point.high, unit),
        f"left_out_{unit}": left_out,
        "ratio": point.predicted / point.measured,
        "missing": row.missing.get(metric),
    }
