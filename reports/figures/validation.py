"""Predicted against reference values, one panel per metric, log-log."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.results.reference_metric import CHIP_METRICS
from archsim.results.validation import ValidationResult
from reports.figures.style import COLOURS, check_suffix, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS_PER_ROW = 5


class PanelInfo(NamedTuple):
    """One metric: reference and predicted values per network, and the errors."""

    metric: str
    unit: str
    points: dict[str, tuple[tuple[float, float], ...]]
    median_pct: float
    p90_pct: float


class ValidationInfo(NamedTuple):
    """All panels."""

    title: str
    panels: tuple[PanelInfo, ...]


def collect_validation(result: ValidationResult) -> ValidationInfo:
    """Collect the positive pairs of every chip-level metric."""
    summary = result.summary()
    panels = []
    for metric in CHIP_METRICS:
        if metric.name not in summary:
            continue
        points: dict[str, list[tuple[float, float]]] = {}
        for entry in result.comparisons:
            if entry.metric == metric.name and min(entry.reference, entry.predicted) > 0:
                pair = (entry.reference, entry.predicted)
                points.setdefault(entry.network, []).append(pair)
        panels.append(
            PanelInfo(
                metric=metric.name,
                unit=metric.unit,
                points={name: tuple(pairs) for name, pairs in points.items()},
                median_pct=100 * summary[metric.name].median,
                p90_pct=100 * summary[metric.name].p90,
            )
        )
    return ValidationInfo(f"{result.chip} against {result.folder}", tuple(panels))


def draw_validation(info: ValidationInfo) -> Figure:
    """Draw the panels with the line of equality."""
    count = len(info.panels)
    across = min(_PANELS_PER_ROW, max(count, 1))
    down = max(math.ceil(count / across), 1)
    figure = new_figure(2.9 * across, 2.8 * down + 0.5)
    figure.suptitle(info.title, fontsize=11)
    networks = list(dict.fromkeys(name for panel in info.panels for name in panel.points))
    for index, panel in enumerate(info.panels):
        axes = figure.add_subplot(down, across, index + 1)
        everything = [value for pairs in panel.points.values() for pair in pairs for value in pair]
        for name, pairs in panel.points.items():
            colour = COLOURS[networks.index(name) % len(COLOURS)]
            reference, predicted = zip(*pairs, strict=True)
            axes.scatter(reference, predicted, s=14, color=colour, alpha=0.7, label=name, lw=0)
        if everything:
            ends = (min(everything) * 0.7, max(everything) * 1.4)
            axes.plot(ends, ends, color="#444444", linewidth=0.8, zorder=0)
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.set_title(
            f"{panel.metric.replace('_', ' ')} ({panel.unit})\n"
            f"median {panel.median_pct:.2g} %, 90 % within {panel.p90_pct:.2g} %",
            fontsize=8,
        )
        axes.tick_params(labelsize=7)
        if index == 0:
            axes.legend(fontsize=7, frameon=False)
            axes.set_xlabel("reference", fontsize=8)
            axes.set_ylabel("predicted", fontsize=8)
    return figure


def save_validation(result: ValidationResult, path: Path) -> None:
    """Collect, draw and write the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_validation(collect_validation(result)), path)
