"""The gap to the noise-free accuracy against sigma, for every method: the paper's Fig. 3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.errors import Code, DataError
from reports.figures.style import (
    COLOURS,
    check_columns,
    check_suffix,
    new_figure,
    save,
    save_table,
    tidy,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_COLUMNS = ("method", "sigma", "accuracy", "ci95_low", "ci95_high", "ideal_accuracy")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
#: Smallest gap that is drawn, in points: below it a logarithmic axis only shows noise.
_FLOOR_POINTS = 0.02


class Line(NamedTuple):
    """Gap in points against sigma, with the ends of its 95 % interval."""

    method: str
    sigma: tuple[float, ...]
    gap: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def collect_gap(frame: pandas.DataFrame) -> tuple[Line, ...]:
    """Collect the lines.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.

    Raises:
        DataError: a missing column, or no row with a noise-free accuracy.
    """
    check_columns("gap", frame, _COLUMNS)
    if not frame["ideal_accuracy"].notna().any():
        raise DataError(
            "gap: no row has a noise-free accuracy",
            code=Code.EMPTY,
            field="gap",
        )
    lines = []
    for method, own in frame.groupby("method", sort=False):
        rows = own.sort_values("sigma")

        def points(column: str, rows: pandas.DataFrame = rows) -> tuple[float, ...]:
            return tuple(100 * float(v) for v in rows["ideal_accuracy"] - rows[column])

        lines.append(
            Line(
                str(method),
                tuple(float(v) for v in rows["sigma"]),
                points("accuracy"),
                points("ci95_high"),
                points("ci95_low"),
            )
        )
    return tuple(lines)


def draw_gap(lines: tuple[Line, ...]) -> Figure:
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


def save_gap(frame: pandas.DataFrame, path: Path) -> None:
    """Collect, draw and write the figure, and beside it its table as CSV.

    Args:
        frame: of ``archsim.api.evaluate.evaluate``.
        path: PNG, SVG or PDF.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: a table without gaps.
    """
    check_suffix(path)
    save(draw_gap(collect_gap(frame)), path)
    save_table(frame, path.with_suffix(".csv"))
