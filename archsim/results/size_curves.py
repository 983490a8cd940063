"""Accuracy and cost against the size of the shared block and the bits of a cell: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim.results.metric import Metric, Place
from archsim.results.metrics import shown_in

#: Axes that curves run along: path of the setting, and its name.
SIZES = {
    "tsb.channels": "channels of the shared block",
    "chip.precision.bits_per_cell": "bits per cell",
}


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One design of a sweep.

    Attributes:
        point: its number in the sweep.
        design: placement of the shared block: none, common or separate.
        sizes: of :data:`SIZES` that the sweep varies; None where the design has none.
        accuracy: mean in per cent, None where nothing was measured.
        low: lower end of its 95 % interval.
        high: upper end.
        values: of metrics by their key, in report units: those of ``Place.CURVES`` that the sweep
            has.
        command: that maps it by itself.
        sigma: that the accuracy is measured at; None where nothing was measured.
    """

    point: int
    design: str
    sizes: dict[str, int | None]
    accuracy: float | None
    low: float | None
    high: float | None
    values: dict[str, float]
    command: str
    sigma: float | None = None


@dataclass(frozen=True, kw_only=True)
class SizeCurves:
    """The curves of a sweep.

    Attributes:
        name: of the sweep.
        folder: of its results.
        networks: that it is of.
        devices: that its points have, as settings name them.
        axes: of :data:`SIZES` that it varies.
        points: feasible ones.
        note: what network, chip and study they are of, and what was left out.
        sweep: the sweep itself, as its YAML file says it.
    """

    name: str
    folder: str
    networks: tuple[str, ...]
    devices: tuple[str, ...]
    axes: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    note: str
    sweep: dict[str, Any]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What can be drawn along the axes: rows of an older archsim may lack a metric."""
        return tuple(
            metric
            for metric in shown_in(Place.CURVES)
            if all(metric.key in point.values for point in self.points)
        )

    @property
    def has_accuracy(self) -> bool:
        """Whether any point was measured."""
        return any(point.accuracy is not None for point in self.points)

    @property
    def at_sigma(self) -> str:
        """At which sigma accuracies are, e.g. ``at sigma 0.1``; "" where nobody knows."""
        known = {point.sigma for point in self.points if point.sigma is not None}
        listed = " and ".join(f"{sigma:g}" for sigma in sorted(known))
        return f"at sigma {listed}" if listed else ""

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per point."""
        return [
            {
                "sweep": self.name,
                "point": point.point,
                "design": point.design,
                **point.sizes,
                "sigma": point.sigma,
                "accuracy_pct": point.accuracy,
                "ci95_low_pct": point.low,
                "ci95_high_pct": point.high,
                **point.values,
                "command": point.command,
            }
            for point in self.points
        ]
