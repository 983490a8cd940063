"""Figure: the silicon model against published chips, one panel per quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archsim.results.silicon import SILICON_CLASSES, SILICON_METRICS, SiliconValidation
from archsim.units import from_si
from reports.figures.style import COLOURS, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Factor of the band around equality.
_BAND = 3.0
_TITLES = {"energy": "energy per invocation", "latency": "time per invocation", "area": "bank area"}


@dataclass(frozen=True)
class SiliconPanel:
    """Points of one quantity by class: measured, predicted, low and high end."""

    metric: str
    points: dict[str, tuple[tuple[float, float, float, float], ...]]
    labels: dict[str, str]


@dataclass(frozen=True)
class SiliconInfo:
    """What the scorecard shows."""

    title: str
    panels: tuple[SiliconPanel, ...]


def collect_silicon(result: SiliconValidation) -> SiliconInfo:
    """Collect predictions, with macros left out of the fit where that is known.

    Args:
        result: of the comparison.
    """
    panels = []
    for metric, unit in SILICON_METRICS.items():
        points: dict[str, list[tuple[float, float, float, float]]] = {}
        for row in result.rows:
            point = row.points.get(metric)
            if point is None:
                continue
            three = point.left_out or (point.predicted, point.low, point.high)
            ends = [from_si(value, unit) for value in (point.measured, *three)]
            points.setdefault(row.klass, []).append((ends[0], ends[1], ends[2], ends[3]))
        labels = {}
        for klass in SILICON_CLASSES:
            found = result.summary(metric, klass, left_out=result.has_left_out)
            if found.n:
                labels[klass] = f"{klass} ({found.n}): median x{found.median_factor:.2f}"
        ordered = {name: tuple(points[name]) for name in SILICON_CLASSES if name in points}
        panels.append(SiliconPanel(metric, ordered, labels))
    apart = result.has_left_out and result.calibrated
    how = "each macro left out of the fit" if apart else f"constants {result.constants}"
    return SiliconInfo(f"Published macros, predicted against measured; {how}", tuple(panels))


def draw_silicon(info: SiliconInfo) -> Figure:
    """Draw a panel per quantity with equality, a band of a factor of three, and 90 % intervals.

    Args:
        info: of :func:`collect_silicon`.
    """
    figure = new_figure(4.1 * len(info.panels), 4.3)
    figure.suptitle(info.title, fontsize=11)
    for index, panel in enumerate(info.panels):
        axes = figure.add_subplot(1, len(info.panels), index + 1)
        tidy(axes)
        unit = SILICON_METRICS[panel.metric]
        values = [value for mine in panel.points.values() for p in mine for value in p[:2]]
        if values:
            ends = (min(values) / 2, max(values) * 2)
            axes.plot(ends, ends, color="#444444", linewidth=0.9, zorder=1)
            axes.fill_between(
                ends,
                [e / _BAND for e in ends],
                [e * _BAND for e in ends],
                color="#eeeeee",
                zorder=0,
            )
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlim(*ends)
            axes.set_ylim(ends[0] / math.sqrt(_BAND), ends[1] * math.sqrt(_BAND))
        for place, (klass, points) in enumerate(panel.points.items()):
            measured, predicted, low, high = zip(*points, strict=True)
            below = [p - e for p, e in zip(predicted, low, strict=True)]
            above = [e - p for p, e in zip(predicted, high, strict=True)]
            axes.errorbar(
                measured,
                predicted,
                yerr=(below, above),
                fmt="os^"[place % 3],
                color=COLOURS[(0, 1, 2)[place % 3]],
                markersize=4.5,
                linewidth=0,
                elinewidth=0.5,
                alpha=0.85,
                label=panel.labels.get(klass, klass),
            )
        axes.set_title(f"{_TITLES[panel.metric]}, {unit}", fontsize=9)
        axes.set_xlabel(f"measured, {unit}", fontsize=8)
        axes.set_ylabel(f"predicted, {unit}", fontsize=8)
        axes.tick_params(labelsize=7)
        if panel.points:
            axes.legend(fontsize=7, frameon=False, loc="upper left")
    return figure


def save_silicon(result: SiliconValidation, path: Path) -> None:
    """Collect, draw and write the figure.

    Args:
        result: of the comparison.
        path: of the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_silicon(collect_silicon(result)), path)
