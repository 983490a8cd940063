"""All designs over two results, with the Pareto front and its knee."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError, DataError
from archsim.results.columns import Objective, feasible_rows, find_column, numbers_of, title_of
from archsim.results.levels import Levels, levels_of
from reports.figures.axis import FigureAxis, axis_of, plain_ticks
from reports.figures.style import COLOURS, check_suffix, level_colours, new_figure, save, tidy

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: A cloud of more points is drawn as counts per hexagon, or thinned where points have colours.
MOST_POINTS = 5000
#: Hexagons across, and cells across and up of which each shows a level once.
_HEXAGONS = 70
_CELLS = (260, 170)
#: Spreads consecutive rows evenly, so that no level is always drawn last (golden ratio).
_SPREAD = (5**0.5 - 1) / 2


class ParetoInfo(NamedTuple):
    """Points in the units of the axes: the cloud ``(n, 2)`` and the front ``(f, 2)`` by its x.

    ``cloud_levels`` and ``front_levels`` index ``levels`` where points are coloured, and are empty
    otherwise. ``is_line``: the front is one of these two results, not of more.
    """

    x: FigureAxis
    y: FigureAxis
    cloud: NDArray[np.float64]
    front: NDArray[np.float64]
    knee: tuple[float, float] | None
    is_line: bool
    parameter: str
    levels: tuple[str, ...]
    is_ordered: bool
    cloud_levels: NDArray[np.int64]
    front_levels: NDArray[np.int64]
    designs: int
    infeasible: int
    not_evaluated: int


def collect_pareto(
    frame: pandas.DataFrame,
    *,
    x: Objective,
    y: Objective,
    front: NDArray[np.bool_],
    knee: int | None = None,
    colour_by: str | None = None,
) -> ParetoInfo:
    """Collect the feasible and evaluated designs.

    Args:
        frame: a row per design, ``n`` rows.
        x: result of the horizontal axis.
        y: result of the vertical axis.
        front: rows on the front, ``(n,)``, of these or of more objectives.
        knee: row of its knee.
        colour_by: parameter whose levels have colours.

    Raises:
        ConfigError: a column that does not exist, that holds no numbers, or with more levels than
            there are colours.
        DataError: no feasible and evaluated design.
    """
    points = np.stack([numbers_of(frame, x.column), numbers_of(frame, y.column)], axis=1)
    feasible = feasible_rows(frame)
    evaluated = np.isfinite(points).all(axis=1)
    shown = feasible & evaluated
    if not shown.any():
        raise DataError(
            f"Pareto figure: none of {len(frame)} designs is feasible and evaluated",
            code=Code.EMPTY,
            field="Pareto figure",
            value=len(frame),
        )
    axes = tuple(
        axis_of(each.column, points[shown, at], maximise=each.maximise)
        for at, each in enumerate((x, y))
    )
    points /= [axis.factor for axis in axes]
    name, levels = _colours(frame, colour_by)
    rest = np.flatnonzero(shown & ~front)
    best = np.flatnonzero(shown & front)
    best = best[np.lexsort((points[best, 1], points[best, 0]))]
    if knee is not None and not shown[knee]:
        raise ConfigError(
            f"knee = {knee}; allowed: a row that is feasible and evaluated",
            code=Code.OUT_OF_RANGE,
            field="knee",
            value=knee,
            allowed="a row that is feasible and evaluated",
        )
    return ParetoInfo(
        x=axes[0],
        y=axes[1],
        cloud=points[rest],
        front=points[best],
        knee=None if knee is None else (float(points[knee, 0]), float(points[knee, 1])),
        is_line=_is_line(points[best], x.maximise == y.maximise),
        parameter=name,
        levels=levels.names,
        is_ordered=bool(levels.values),
        cloud_levels=levels.codes[rest] if name else levels.codes,
        front_levels=levels.codes[best] if name else levels.codes,
        designs=len(frame),
        infeasible=int((~feasible).sum()),
        not_evaluated=int((feasible & ~evaluated).sum()),
    )


def _colours(frame: pandas.DataFrame, parameter: str | None) -> tuple[str, Levels]:
    """Return the name and the levels of the parameter that has colours; empty for none."""
    if parameter is None:
        return "", Levels(np.zeros(0, dtype=np.int64), (), (), False)
    column = find_column(parameter, frame.columns).column
    levels = levels_of(frame[column])
    if len(levels.names) > len(COLOURS) and not levels.values:
        raise ConfigError(
            f"colour '{column}': {len(levels.names)} values; allowed: at most {len(COLOURS)}",
            code=Code.OUT_OF_RANGE,
            field=column,
            value=len(levels.names),
            allowed=f"at most {len(COLOURS)}",
        )
    return title_of(column), levels


def _is_line(front: NDArray[np.float64], falls: bool) -> bool:
    """Say whether a front, sorted by x, goes down (or up) all the way."""
    steps = np.diff(front, axis=0)
    steps = steps[(steps != 0).any(axis=1)]
    return bool(((steps[:, 0] > 0) & ((steps[:, 1] < 0) == falls) & (steps[:, 1] != 0)).all())


def thin(info: ParetoInfo) -> NDArray[np.int64]:
    """Return the rows of a coloured cloud that are drawn: one per level and cell of the picture."""
    if len(info.cloud) <= MOST_POINTS:
        kept = np.arange(len(info.cloud))
    else:
        key = info.cloud_levels.copy()
        for values, axis, cells in zip(info.cloud.T, (info.x, info.y), _CELLS, strict=True):
            places = np.log(values) if axis.is_log else values
            span = float(np.ptp(places)) or 1.0
            key = key * (cells + 1) + ((places - places.min()) / span * cells).astype(np.int64)
        kept = np.unique(key, return_index=True)[1]
    return kept[np.argsort(np.arange(len(kept)) * _SPREAD % 1.0)]


def draw_pareto(info: ParetoInfo) -> Figure:
    """Draw the cloud (as counts where it is large), the front, and the knee."""
    figure = new_figure(7.6 if info.levels else 7.0, 4.8)
    axes = figure.add_subplot()
    axes.set_xlabel(info.x.full_title)
    axes.set_ylabel(info.y.full_title)
    axes.set_xscale("log" if info.x.is_log else "linear")
    axes.set_yscale("log" if info.y.is_log else "linear")
    if info.levels:
        _draw_levels(figure, axes, info)
    elif len(info.cloud):
        _draw_cloud(figure, axes, info)
    _draw_front(axes, info)
    if info.x.is_log:
        plain_ticks(axes.xaxis, *axes.get_xlim())
    if info.y.is_log:
        plain_ticks(axes.yaxis, *axes.get_ylim())
    tidy(axes)
    title = f"Pareto front: {len(info.front):,} of {info.designs:,} designs"
    if not info.is_line:
        title += " (in more results than these two)"
    if info.infeasible or info.not_evaluated:
        title += f"\nwithout {info.infeasible:,} infeasible, {info.not_evaluated:,} not evaluated"
    axes.set_title(title, fontsize=10, loc="left")
    return figure


def _draw_cloud(figure: Figure, axes: Axes, info: ParetoInfo) -> None:
    x, y = info.cloud.T
    if len(info.cloud) <= MOST_POINTS:
        axes.scatter(x, y, s=7, color="#aaaaaa", linewidths=0, label="dominated", rasterized=True)
        return
    cells = axes.hexbin(
        x,
        y,
        gridsize=(_HEXAGONS, _HEXAGONS * 2 // 5),
        bins="log",
        mincnt=1,
        xscale="log" if info.x.is_log else "linear",
        yscale="log" if info.y.is_log else "linear",
        cmap="Greys",
        vmin=0.3,
        linewidths=0.1,
    )
    bar = figure.colorbar(cells, ax=axes, label="dominated designs per hexagon", pad=0.01)
    bar.ax.set_ylim(bottom=1)


def _draw_levels(figure: Figure, axes: Axes, info: ParetoInfo) -> None:
    colours = level_colours(len(info.levels), ordered=info.is_ordered)
    kept = thin(info)
    kept = kept[info.cloud_levels[kept] >= 0]
    shades = [colours[code] for code in info.cloud_levels[kept]]
    x, y = info.cloud[kept].T
    axes.scatter(x, y, s=5, c=shades, linewidths=0, alpha=0.55, rasterized=True)
    has_level = info.front_levels >= 0
    shades = [colours[code] for code in info.front_levels[has_level]]
    x, y = info.front[has_level].T
    axes.scatter(x, y, s=30, c=shades, edgecolors="#222222", lw=0.8, zorder=4)
    for name, colour in zip(info.levels, colours, strict=True):
        axes.scatter([], [], s=30, color=colour, label=name)
    figure.legend(
        loc="outside right upper", fontsize=8, frameon=False, title=info.parameter, title_fontsize=9
    )


def _draw_front(axes: Axes, info: ParetoInfo) -> None:
    x, y = info.front.T
    if info.is_line:
        # Between two designs of the front, what can be had is the worse of the two in x.
        axes.step(
            x,
            y,
            where="pre" if info.x.maximise else "post",
            color=COLOURS[0],
            linewidth=1.2,
            zorder=3,
        )
    if not info.levels:
        many = len(x) > MOST_POINTS
        size = 3 if many else 18
        axes.scatter(x, y, s=size, color=COLOURS[0], lw=0, zorder=4, rasterized=many)
    if info.knee is not None:
        _draw_knee(axes, info, info.knee)


def _draw_knee(axes: Axes, info: ParetoInfo, knee: tuple[float, float]) -> None:
    """Mark the knee, with its values on the side where there is room."""
    x, y = knee
    axes.plot(x, y, "*", color=COLOURS[5], zorder=5, markeredgecolor="white", markersize=16)
    axes.autoscale_view()
    right, up = axes.transAxes.inverted().transform(axes.transData.transform(knee)) < 0.5
    axes.annotate(
        f"knee: {info.x.text(x)}, {info.y.text(y)}",
        knee,
        xytext=(12 if right else -12, 12 if up else -12),
        textcoords="offset points",
        ha="left" if right else "right",
        va="bottom" if up else "top",
        fontsize=9,
        zorder=6,
        bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.8},
    )


def save_pareto(info: ParetoInfo, path: Path) -> None:
    """Draw and write the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_pareto(info), path)
