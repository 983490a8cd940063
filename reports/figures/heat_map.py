"""A result over two parameters: best or mean of all designs that share both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError, DataError
from archsim.results.columns import (
    Objective,
    feasible_rows,
    find_column,
    is_parameter,
    numbers_of,
    title_of,
)
from archsim.results.levels import Levels, levels_of
from archsim.units import short_number
from archsim.util.checks import one_of
from reports.figures.axis import FigureAxis, axis_of, plain_ticks
from reports.figures.style import check_suffix, new_figure, save

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Level of designs that do not have the parameter: its condition does not hold.
MISSING = "does not apply"
STATISTICS = ("best", "mean")
#: What is in a cell: no design at all, none feasible, none evaluated, or a value.
ABSENT, INFEASIBLE, NOT_EVALUATED, VALUE = range(4)
#: Texts in the cells up to this many levels, and darker than this share of the range in white.
_MOST_TEXTS = 14
_DARK = 0.5
#: Names of levels longer than this are turned.
_LONG_NAME = 8
_MOST_LEVELS = 60


class HeatMapInfo(NamedTuple):
    """Values in the unit of the axis and states, ``(levels of y, levels of x)``."""

    x: str
    y: str
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]
    axis: FigureAxis
    statistic: str
    values: NDArray[np.float64]
    states: NDArray[np.int64]


def collect_heat_map(
    frame: pandas.DataFrame,
    *,
    x: str,
    y: str,
    result: Objective,
    statistic: Literal["best", "mean"] = "best",
) -> HeatMapInfo:
    """Collect the best or the mean result at each pair of levels.

    Args:
        frame: a row per design.
        x: parameter of the columns.
        y: parameter of the rows.
        result: what is shown, and whether the best is the largest.
        statistic: ``best``, or ``mean`` (geometric where the axis is logarithmic).

    Raises:
        ConfigError: a column that does not exist, a result that is no number, twice the same
            parameter, too many levels, or an unknown statistic.
        DataError: no design.
    """
    one_of("statistic", statistic, STATISTICS)
    columns = [find_column(name, frame.columns).column for name in (x, y)]
    for name, column in zip((x, y), columns, strict=True):
        if not is_parameter(column):
            raise ConfigError(
                f"heat map: '{name}' is no parameter; allowed: two parameters",
                code=Code.UNKNOWN_NAME,
                field="heat map",
                value=name,
            )
    if columns[0] == columns[1]:
        raise ConfigError(
            f"heat map: x = y = {columns[0]}; allowed: two parameters",
            code=Code.GIVEN_TWICE,
            field="heat map",
            value=columns[0],
            allowed="two parameters",
        )
    if frame.empty:
        raise DataError(
            "heat map: no design",
            code=Code.EMPTY,
            field="heat map",
        )
    across, up = (_with_missing(levels_of(frame[column])) for column in columns)
    for column, levels in zip(columns, (across, up), strict=True):
        if not 0 < len(levels.names) <= _MOST_LEVELS:
            raise ConfigError(
                f"heat map: '{column}' has {len(levels.names)} values; allowed: 1 to "
                f"{_MOST_LEVELS}",
                code=Code.OUT_OF_RANGE,
                field=column,
                value=len(levels.names),
                allowed=f"1 to {_MOST_LEVELS}",
            )
    values = numbers_of(frame, result.column)
    feasible = feasible_rows(frame)
    evaluated = feasible & np.isfinite(values)
    axis = axis_of(result.column, values[evaluated], maximise=result.maximise)
    shape = (len(up.names), len(across.names))
    cell = np.where((across.codes < 0) | (up.codes < 0), -1, up.codes * shape[1] + across.codes)

    def count(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(cell[rows & (cell >= 0)], minlength=shape[0] * shape[1])

    states = sum((count(rows) > 0).astype(np.int64) for rows in (cell >= 0, feasible, evaluated))
    used = evaluated & (cell >= 0)
    table = _statistic(cell[used], values[used] / axis.factor, shape, axis, statistic)
    return HeatMapInfo(
        x=title_of(columns[0]),
        y=title_of(columns[1]),
        x_names=across.names,
        y_names=up.names,
        axis=axis,
        statistic=statistic,
        values=table.reshape(shape),
        states=np.asarray(states).reshape(shape),
    )


def _with_missing(levels: Levels) -> Levels:
    """Give designs that do not have a parameter a level of their own, the last."""
    missing = levels.codes < 0
    if not missing.any():
        return levels
    codes = np.where(missing, len(levels.names), levels.codes)
    return levels._replace(codes=codes, names=(*levels.names, MISSING))


def _statistic(
    cell: NDArray[np.int64],
    values: NDArray[np.float64],
    shape: tuple[int, int],
    axis: FigureAxis,
    statistic: str,
) -> NDArray[np.float64]:
    """Best or mean of the values of each cell; NaN where there is none."""
    size = shape[0] * shape[1]
    if statistic == "mean":
        counts = np.bincount(cell, minlength=size)
        sums = np.bincount(cell, np.log(values) if axis.is_log else values, minlength=size)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return np.exp(means) if axis.is_log else means
    best = np.full(size, np.nan)
    (np.fmax if axis.maximise else np.fmin).at(best, cell, values)
    return best


def draw_heat_map(info: HeatMapInfo) -> Figure:
    """Draw the map: hatched where nothing is feasible, grey where nothing was evaluated."""
    from matplotlib.colors import LogNorm, Normalize

    height, width = info.values.shape
    has_texts = max(width, height) <= _MOST_TEXTS
    across, up = (0.75, 0.5) if has_texts else (0.22, 0.22)
    figure = new_figure(2.9 + max(across * width, 2.2), 1.5 + max(up * height, 1.5))
    axes = figure.add_subplot()
    known = info.values[info.states == VALUE]
    low, high = (float(known.min()), float(known.max())) if known.size else (1.0, 1.0)
    spans = high > low
    is_log = info.axis.is_log and spans
    norm = LogNorm(low, high) if is_log else Normalize(low, high if spans else low + abs(low) + 1)
    # Dark is good, whichever end that is.
    colour_map = "viridis" if not info.axis.maximise else "viridis_r"
    image = axes.imshow(info.values, origin="lower", aspect="auto", cmap=colour_map, norm=norm)
    _draw_states(figure, axes, info)
    if has_texts:
        for row, column in np.argwhere(info.states == VALUE).tolist():
            value = float(info.values[row, column])
            share = float(norm(value))
            dark = (share < _DARK) != bool(info.axis.maximise)
            colour = "white" if dark else "black"
            text = short_number(value, digits=3)
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    turned = max(len(name) for name in info.x_names) > _LONG_NAME
    axes.set_xticks(range(width), info.x_names, fontsize=8)
    if turned:
        for label in axes.get_xticklabels():
            label.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(height), info.y_names, fontsize=8)
    axes.set_xlabel(info.x)
    axes.set_ylabel(info.y)
    of = "best of all designs" if info.statistic == "best" else "mean of all designs"
    axes.set_title(f"{info.axis.title}: {of} in a cell", fontsize=10, loc="left")
    if known.size and spans:
        bar = figure.colorbar(image, ax=axes, label=info.axis.full_title, pad=0.02)
        if is_log:
            plain_ticks(bar.ax.yaxis, low, high)
    return figure


def _draw_states(figure: Figure, axes: Axes, info: HeatMapInfo) -> None:
    from matplotlib.patches import Patch, Rectangle

    looks = (
        (INFEASIBLE, "no feasible design", "white", "////"),
        (NOT_EVALUATED, "not evaluated", "#d9d9d9", ".."),
        (ABSENT, "no design", "white", None),
    )
    legend = []
    for state, name, face, hatch in looks:
        places = np.argwhere(info.states == state)
        for row, column in places.tolist():
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fc=face, ec="#999999", hatch=hatch, lw=0))
        if len(places):
            legend.append(Patch(fc=face, ec="#999999", hatch=hatch, label=name))
    if legend:
        figure.legend(
            handles=legend,
            loc="outside lower left",
            ncols=len(legend),
            fontsize=8,
            frameon=False,
        )


def save_heat_map(info: HeatMapInfo, path: Path) -> None:
    """Draw and write the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_heat_map(info), path)
