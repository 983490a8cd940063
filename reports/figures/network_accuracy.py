"""The metric of a trained network at every stage: as trained, rounded, on chips, repaired."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.results.network_accuracy import STAGES, NetworkAccuracy
from reports.figures.style import COLOURS, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class StageDot(NamedTuple):
    """One stage in the unit that people are shown: mean, interval, and each chip."""

    label: str
    mean: float
    interval: tuple[float, float] | None
    chips: tuple[float, ...]


class StagePanel(NamedTuple):
    """All stages, worst end of the axis first, and what the axis is called."""

    title: str
    axis: str
    higher_is_better: bool
    dots: tuple[StageDot, ...]


def collect_stages(result: NetworkAccuracy) -> StagePanel:
    """Collect the stages of a result.

    Args:
        result: of ``archsim.evaluate_network``.
    """
    shown = result.metric.shown
    dots = []
    for stage in result.stages:
        ends = None
        if stage.ci95_low is not None and stage.ci95_high is not None:
            ends = (shown(stage.ci95_low), shown(stage.ci95_high))
        chips = tuple(shown(value) for value in stage.by_chip)
        dots.append(StageDot(STAGES[stage.stage], shown(stage.mean), ends, chips))
    return StagePanel(
        f"{result.network} on {result.data}",
        result.metric.title,
        result.metric.direction == "higher",
        tuple(dots),
    )


def draw_stages(panel: StagePanel) -> Figure:
    """Draw a row per stage: a dot for the mean, a bar for its interval, a tick for each chip."""
    figure = new_figure(6.4, 1.4 + 0.4 * len(panel.dots))
    axes = figure.subplots()
    for place, dot in enumerate(panel.dots):
        if dot.interval is not None:
            axes.hlines(place, *dot.interval, color=COLOURS[0], alpha=0.6, linewidth=4.0)
        if dot.chips:
            axes.plot(dot.chips, [place] * len(dot.chips), "|", color="#444444", markersize=9)
        axes.plot([dot.mean], [place], "o", color=COLOURS[0], markersize=5)
    axes.axvline(panel.dots[0].mean, color="#444444", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(panel.dots)), [dot.label for dot in panel.dots], fontsize=9)
    axes.invert_yaxis()
    if not panel.higher_is_better:
        axes.invert_xaxis()  # better is to the right in all figures
    axes.set_xlabel(panel.axis)
    axes.set_title(panel.title, fontsize=10, loc="left")
    tidy(axes, grid="x")
    return figure


def save_stages(result: NetworkAccuracy, path: Path) -> None:
    """Collect, draw and write the figure.

    Args:
        result: of ``archsim.evaluate_network``.
        path: PNG, SVG or PDF.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_stages(collect_stages(result)), path)
