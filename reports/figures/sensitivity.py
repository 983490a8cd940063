"""The sensitivity chart: the ten parameters that move the EDP most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.sensitivity import Elasticity
from reports.figures.style import COLOURS, check_suffix, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Parameters that are drawn.
_MOST = 10


class SensitivityInfo(NamedTuple):
    """Parameters, largest effect first, names of the metrics, and elasticities per metric."""

    parameters: tuple[str, ...]
    names: tuple[str, ...]
    elasticities: dict[str, tuple[float, ...]]


def collect_sensitivity(entries: Sequence[Elasticity], most: int = _MOST) -> SensitivityInfo:
    """Collect the parameters with the largest effect on the first metric, the EDP."""
    metrics = shown_in(Place.SENSITIVITY_FIGURE)
    first = metrics[0].stem
    top = sorted(entries, key=lambda entry: -abs(entry.values.get(first, 0.0)))[:most]
    labels = tuple(
        entry.path
        if entry.stepped_to is None
        else f"{entry.path} ({entry.value:g} to {entry.stepped_to:g})"
        for entry in top
    )
    return SensitivityInfo(
        labels,
        tuple(metric.name for metric in metrics),
        {
            metric.stem: tuple(entry.values.get(metric.stem, 0.0) for entry in top)
            for metric in metrics
        },
    )


def draw_sensitivity(info: SensitivityInfo) -> Figure:
    """Draw grouped horizontal bars, one group per parameter."""
    count = len(info.parameters)
    figure = new_figure(9.0, 1.4 + 0.55 * max(count, 1))
    axes = figure.add_subplot()
    height = 0.8 / len(info.names)
    for index, elasticities in enumerate(info.elasticities.values()):
        places = [row - 0.4 + (index + 0.5) * height for row in range(count)]
        axes.barh(
            places,
            elasticities,
            height=height * 0.92,
            color=COLOURS[index % len(COLOURS)],
            label=info.names[index],
        )
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_yticks(range(count), info.parameters, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("elasticity: % change of the metric per % change of the parameter")
    axes.set_title("What moves energy, time and area", fontsize=10, loc="left")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return figure


def save_sensitivity(entries: Sequence[Elasticity], path: Path) -> None:
    """Collect, draw and write the chart.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_sensitivity(collect_sensitivity(entries)), path)
