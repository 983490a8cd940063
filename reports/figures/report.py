"""Accuracy against what it costs: EDP, and write pulses, with both intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archsim.errors import DataError
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.figures.axis import FigureAxis, axis_of, plain_ticks
from reports.figures.style import COLOURS, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from archsim.results.report import JointResult

_COLOURS = {"none": COLOURS[0], "common": COLOURS[1], "separate": COLOURS[2]}
_LABELS = {"none": "without a block", "common": "common block", "separate": "separate blocks"}
#: Share of a logarithmic axis that is left free to the right of the dots, for their names.
_ROOM = 0.25
#: Designs whose names stand beside them: more would hide each other.
_MOST_NAMES = 14


class Mark(NamedTuple):
    """A design: its name, placement, costs, accuracy in per cent, and how far its interval goes."""

    label: str
    placement: str
    costs: tuple[float, ...]
    accuracy: float
    below: float
    above: float


class JointInfo(NamedTuple):
    """Designs of one sigma, and the axes of their costs."""

    sigma: float
    axes: tuple[FigureAxis, ...]
    marks: tuple[Mark, ...]


def collect_joint(result: JointResult, sigma: float) -> JointInfo:
    """Collect the designs that have both an accuracy and a cost.

    Args:
        result: the joint result.
        sigma: of the study.

    Raises:
        DataError: there is none.
    """
    metrics = shown_in(Place.REPORT_FIGURE)
    marks = []
    for design in result.at(sigma):
        totals = [design.total(metric.key) for metric in metrics]
        costs = tuple(float(total) for total in totals if total is not None)
        measured = design.measured
        accuracy, low, high = measured.accuracy, measured.ci95_low, measured.ci95_high
        if accuracy is None or len(costs) < len(metrics):
            continue
        marks.append(
            Mark(
                design.label,
                design.placement,
                costs,
                100 * accuracy,
                0.0 if low is None else 100 * (accuracy - low),
                0.0 if high is None else 100 * (high - accuracy),
            )
        )
    if not marks:
        raise DataError(f"joint figure: no design at sigma {sigma:g} has accuracy and cost")
    axes = tuple(
        axis_of(
            metric.key,
            np.asarray([mark.costs[place] for mark in marks]),
            maximise=metric.maximise,
        )
        for place, metric in enumerate(metrics)
    )
    return JointInfo(sigma, axes, tuple(marks))


def draw_joint(info: JointInfo) -> Figure:
    """Draw a panel per cost, designs as numbered dots with a list of their names."""
    figure = new_figure(10.5, 4.6)
    panels = figure.subplots(1, len(info.axes), sharey=True)
    for place, (axes, axis) in enumerate(zip(panels, info.axes, strict=True)):
        _draw_panel(axes, axis, info.marks, place)
    panels[0].set_ylabel("accuracy, %")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False
    )
    figure.suptitle(f"Accuracy against cost, sigma {info.sigma:g}", fontsize=10, x=0.01, ha="left")
    return figure


def _draw_panel(axes: Axes, axis: FigureAxis, marks: tuple[Mark, ...], place: int) -> None:
    for placement in dict.fromkeys(mark.placement for mark in marks):
        alike = [mark for mark in marks if mark.placement == placement]
        axes.errorbar(
            [mark.costs[place] / axis.factor for mark in alike],
            [mark.accuracy for mark in alike],
            yerr=[[mark.below for mark in alike], [mark.above for mark in alike]],
            fmt="o",
            color=_COLOURS[placement],
            markersize=5,
            elinewidth=1,
            label=_LABELS[placement],
        )
    if axis.is_log:
        values = [mark.costs[place] / axis.factor for mark in marks]
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, min(values), max(values))
    if len(marks) <= _MOST_NAMES:
        _name(axes, axis, marks, place)
        if axis.is_log:  # room for the names of the last dots
            low, high = axes.get_xlim()
            axes.set_xlim(low, high * (high / low) ** _ROOM)
    axes.set_xlabel(axis.full_title)
    tidy(axes)


def _name(axes: Axes, axis: FigureAxis, marks: tuple[Mark, ...], place: int) -> None:
    """Write names beside the dots, those at nearly the same place under each other."""
    span = max(mark.accuracy for mark in marks) - min(mark.accuracy for mark in marks)
    used: list[tuple[float, float]] = []
    for mark in sorted(marks, key=lambda each: -each.accuracy):
        x, y = mark.costs[place] / axis.factor, mark.accuracy
        height = y
        while any(abs(height - other) < 0.045 * span and _near(x, at) for at, other in used):
            height -= 0.045 * span
        used.append((x, height))
        axes.annotate(
            mark.label, (x, y), xytext=(x, height), textcoords="data", fontsize=6.5,
            va="center", ha="left", color="#444444",
        ).set_position((x * 1.03 if axis.is_log else x, height))  # fmt: skip


def _near(one: float, other: float) -> bool:
    return max(one, other) < 3 * min(one, other)
