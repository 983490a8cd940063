"""The gap to the noise-free accuracy against sigma, for every method: the paper's Fig. 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.errors import Code, DataError
from archsim.results.method_row import MethodRow, finite, frame_of
from reports.figures.style import COLOURS, check_suffix, new_figure, save, save_table, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
#: Smallest gap that is drawn, in points: below it a logarithmic axis only shows noise.
_FLOOR_POINTS = 0.02


class GapLine(NamedTuple):
    """Gap in points against sigma, with the ends of its 95 % interval."""

    method: str
    sigma: tuple[float, ...]
    gap: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def collect_gap(rows: Sequence[MethodRow]) -> tuple[GapLine, ...]:
    """Collect the lines.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.

    Raises:
        DataError: no row with a noise-free accuracy.
    """
    if all(finite(row.ideal_accuracy) is None for row in rows):
        raise DataError(
            f"gap: {len(rows)} rows, none with a noise-free accuracy",
            code=Code.EMPTY,
            field="gap",
        )
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        along = sorted((row for row in rows if row.method == method), key=lambda row: row.sigma)
        lines.append(
            GapLine(
                method,
                tuple(row.sigma for row in along),
                tuple(_points_below(row.ideal_accuracy, row.accuracy) for row in along),
                tuple(_points_below(row.ideal_accuracy, row.ci95_high) for row in along),
                tuple(_points_below(row.ideal_accuracy, row.ci95_low) for row in along),
            )
        )
    return tuple(lines)


def _points_below(ideal: float | None, accuracy: float | None) -> float:
    """Return how far an accuracy is below the noise-free one, in points; NaN without one."""
    ends = finite(ideal), finite(accuracy)
    return math.nan if ends[0] is None or ends[1] is None else 100 * (ends[0] - ends[1])


def draw_gap(lines: tuple[GapLine, ...]) -> Figure:
    """Draw gap against sigma, both logarithmic; the lower, the better."""
    from matplotlib.ticker import LogLocator

    figure = new_figure(9.0, 5.2)
    axes = figure.subplots()
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        gap = [max(value, _FLOOR_POINTS) for value in line.gap]
        low = [max(value, _FLOOR_POINTS) for value in line.low]
        high = [max(value, _FLOOR_POINTS) for value in line.high]
        axes.fill_between(line.sigma, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            line.sigma,
            gap,
            color=colour,
            marker=_MARKERS[index % len(_MARKERS)],
            linestyle="-" if index < len(COLOURS) else "--",
            markersize=4,
            linewidth=1.3,
            label=line.method,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    sigmas = sorted({value for line in lines for value in line.sigma})
    axes.set_xticks(sigmas, [f"{value:g}" for value in sigmas])
    axes.minorticks_off()
    axes.set_xlabel("sigma of one pulse, relative to the range g_on - g_off")
    axes.set_ylabel("gap to the noise-free network, points")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    tidy(axes)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def save_gap(rows: Sequence[MethodRow], path: Path) -> None:
    """Collect, draw and write the figure, and beside it its table as CSV.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
        path: PNG, SVG or PDF.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: a table without gaps.
    """
    check_suffix(path)
    save(draw_gap(collect_gap(rows)), path)
    save_table(frame_of(rows), path.with_suffix(".csv"))
