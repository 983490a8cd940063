"""Accuracy and cost against the size of the shared block, or the bits of a cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import DataError
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.size_curves import SIZES, CurvePoint, SizeCurves
from reports.figures.axis import FigureAxis, axis_of, plain_ticks
from reports.figures.style import COLOURS, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLACEMENTS = {"none": "no block", "common": "common block", "separate": "separate blocks"}
_STYLES = ("-", "--", ":", "-.")
_MARKERS = {"none": "o", "common": "s", "separate": "D"}
_WORDS = {
    "tsb.channels": ("channel", "channels"),
    "chip.precision.bits_per_cell": ("bit per cell", "bits per cell"),
}
#: Lines in one panel before a figure says nothing any more.
_MOST_LINES = 24


class SizeLine(NamedTuple):
    """One line: placement, the other size, and its points along the axis.

    ``sizes`` is empty for designs without this size: they are a level, the same everywhere.
    """

    design: str
    other: str
    sizes: tuple[int, ...]
    points: tuple[CurvePoint, ...]

    @property
    def label(self) -> str:
        """Placement and the other size."""
        name = _PLACEMENTS.get(self.design, self.design)
        return f"{name}, {self.other}" if self.other else name


class SizeInfo(NamedTuple):
    """The lines along one axis, and of the panels after the accuracy metrics and axes."""

    path: str
    has_accuracy: bool
    lines: tuple[SizeLine, ...]
    keys: tuple[str, ...]
    axes: tuple[FigureAxis, ...]


def collect_size_curves(curves: SizeCurves, path: str) -> SizeInfo:
    """Collect the lines along one size.

    Args:
        curves: of a sweep.
        path: which of its axes.

    Raises:
        DataError: the sweep does not vary it, or there would be too many lines.
    """
    if path not in curves.axes:
        raise DataError(f"size curves: {path}; allowed: {', '.join(curves.axes)}")
    others = [name for name in curves.axes if name != path]
    points_of: dict[tuple[str, str], list[CurvePoint]] = {}
    for point in curves.points:
        other = ", ".join(_said(name, point.sizes[name]) for name in others if point.sizes[name])
        points_of.setdefault((point.design, other), []).append(point)
    if len(points_of) > _MOST_LINES:
        raise DataError(f"size curves: {len(points_of)} lines; allowed: at most {_MOST_LINES}")
    lines = []
    for (design, other), points in points_of.items():
        ordered = sorted(points, key=lambda point: point.sizes[path] or 0)
        sizes = tuple(size for point in ordered if (size := point.sizes[path]) is not None)
        lines.append(SizeLine(design, other, sizes, tuple(ordered)))
    metrics = [metric for metric in shown_in(Place.CURVES_FIGURE) if metric in curves.metrics]
    axes = tuple(
        axis_of(
            metric.key,
            np.asarray([point.values[metric.key] for point in curves.points]),
            maximise=metric.maximise,
        )
        for metric in metrics
    )
    keys = tuple(metric.key for metric in metrics)
    return SizeInfo(path, curves.has_accuracy, tuple(lines), keys, axes)


def _said(path: str, size: int | None) -> str:
    """Return a size in words: 1 channel, 2 bits per cell."""
    one, many = _WORDS[path]
    return f"{size} {one if size == 1 else many}"


def draw_size_curves(info: SizeInfo) -> Figure:
    """Draw a panel for the accuracy, if there is one, and one for each cost."""
    figure = new_figure(9.0, 7.4 if info.has_accuracy else 4.0)
    count = len(info.axes) + info.has_accuracy
    shape = (2, math.ceil(count / 2)) if info.has_accuracy else (1, count)
    places = list(np.asarray(figure.subplots(*shape)).flat)
    panels = places[:count]
    for spare in places[count:]:
        spare.remove()
    if info.has_accuracy:
        _draw_accuracy(panels[0], info)
    costs = panels[int(info.has_accuracy) :]
    for panel, key, axis in zip(costs, info.keys, info.axes, strict=True):
        _draw_cost(panel, info, key, axis)
    for panel in panels:
        panel.set_xscale("log", base=2)
        sizes = sorted({size for line in info.lines for size in line.sizes})
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.xaxis.minorticks_off()
        panel.set_xlabel(SIZES[info.path])
        tidy(panel)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def _draw_accuracy(panel: Axes, info: SizeInfo) -> None:
    for line, look in zip(info.lines, _looks(info), strict=True):
        means = np.asarray([_number(point.accuracy) for point in line.points])
        _draw_line(panel, line, look, means)
        if line.sizes:
            ends = [[_number(point.low), _number(point.high)] for point in line.points]
            low, high = np.asarray(ends).T
            panel.errorbar(
                line.sizes,
                means,
                yerr=[means - low, high - means],
                fmt="none",
                ecolor=look.colour,
                elinewidth=0.8,
                alpha=0.6,
            )
    panel.set_ylabel("accuracy, % (more is better)")


def _draw_cost(panel: Axes, info: SizeInfo, key: str, axis: FigureAxis) -> None:
    drawn: list[float] = []
    for line, look in zip(info.lines, _looks(info), strict=True):
        values = np.asarray([point.values[key] / axis.factor for point in line.points])
        _draw_line(panel, line, look, values)
        drawn += values.tolist()
    panel.set_ylabel(axis.full_title)
    if axis.is_log:
        panel.set_yscale("log")
        plain_ticks(panel.yaxis, min(drawn), max(drawn))


def _draw_line(panel: Axes, line: SizeLine, look: _Look, values: NDArray[np.float64]) -> None:
    """Draw a line along the axis, or a level for designs that do not have the size."""
    if not line.sizes:
        for value in values:
            panel.axhline(value, color=look.colour, linestyle=look.style, linewidth=1)
        panel.plot([], [], color=look.colour, linestyle=look.style, linewidth=1, label=line.label)
        return
    panel.plot(
        line.sizes,
        values,
        color=look.colour,
        linestyle=look.style,
        marker=_MARKERS.get(line.design, "o"),
        markersize=4,
        linewidth=1.2,
        label=line.label,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


class _Look(NamedTuple):
    colour: str
    style: str


def _looks(info: SizeInfo) -> list[_Look]:
    """Return colours by placement, styles by the other size."""
    designs = list(dict.fromkeys(line.design for line in info.lines))
    others = list(dict.fromkeys(line.other for line in info.lines if line.other)) or [""]
    return [
        _Look(
            COLOURS[designs.index(line.design) % len(COLOURS)],
            _STYLES[others.index(line.other or others[0]) % len(_STYLES)],
        )
        for line in info.lines
    ]
