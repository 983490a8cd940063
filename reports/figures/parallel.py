"""Parallel coordinates: what the designs on the front have in common."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError, DataError
from archsim.results.columns import Objective, find_column, is_parameter, numbers_of, title_of
from archsim.results.levels import Levels, levels_of
from archsim.units import short_number
from reports.figures.axis import FigureAxis, axis_of, plain_ticks
from reports.figures.style import COLOURS, check_suffix, new_figure, save

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Lines through one level are fanned out over this share of the distance between levels.
_FAN = 0.5
#: Number of lines above which they are drawn as pixels in vector formats.
_MOST_LINES = 2000
_TICKS = 5
#: Letters of a line of the title.
_TITLE_LETTERS = 110
#: Level of designs that do not have a parameter.
_MISSING = "-"


class Spine(NamedTuple):
    """One vertical axis: heights of the designs, 0 to 1, ``(f,)``, and texts at heights."""

    title: str
    heights: NDArray[np.float64]
    ticks: tuple[tuple[float, str], ...]


class ParallelInfo(NamedTuple):
    """Spines from left to right, each line's colour as a share of its axis, the knee's line.

    ``alike``: parameters that vary in the table but not on the front, with their value.
    """

    spines: tuple[Spine, ...]
    colours: NDArray[np.float64]
    colour_axis: FigureAxis
    colour_range: tuple[float, float]
    knee: int | None
    designs: int
    alike: tuple[str, ...]


def collect_parallel(
    frame: pandas.DataFrame,
    *,
    objectives: Sequence[Objective],
    front: NDArray[np.bool_],
    knee: int | None = None,
    parameters: Sequence[str] | None = None,
) -> ParallelInfo:
    """Collect the designs of a front; lines are coloured by the first objective.

    Args:
        frame: a row per design, ``n`` rows.
        objectives: results to show, one or more.
        front: rows on the front, ``(n,)``; an objective may not be NaN there.
        knee: row of its knee.
        parameters: to show; None for all that vary on the front.

    Raises:
        ConfigError: no objective, or a column that does not exist or holds no numbers.
        DataError: an empty front, or one with designs that were not evaluated.
    """
    if not objectives:
        raise ConfigError(
            "objectives: none; allowed: one or more",
            code=Code.EMPTY,
            field="objectives",
            allowed="one or more",
        )
    rows = np.flatnonzero(front)
    if not rows.size:
        raise DataError(
            "parallel coordinates: no design on the front",
            code=Code.EMPTY,
            field="front",
        )
    results = [numbers_of(frame, objective.column)[rows] for objective in objectives]
    if not all(np.isfinite(values).all() for values in results):
        raise DataError(
            "parallel coordinates: a design on the front was not evaluated",
            code=Code.NOT_FINITE,
            field="front",
        )
    axes = [
        axis_of(objective.column, values, maximise=objective.maximise)
        for objective, values in zip(objectives, results, strict=True)
    ]
    shares, ends, _ = _heights(results[0] / axes[0].factor, axes[0])
    varying = _varying(frame)
    names = _varying(frame.iloc[rows]) if parameters is None else parameters
    alike = [name for name in varying if name not in names] if parameters is None else []
    columns = [find_column(name, frame.columns).column for name in names]
    spines = [_of_parameter(frame[column], rows, shares) for column in columns]
    for axis, values in zip(axes, results, strict=True):
        heights, _, ticks = _heights(values / axis.factor, axis)
        arrow = "\u2191" if axis.maximise else "\u2193"
        spines.append(Spine(f"{axis.title}\n{arrow} is better", heights, ticks))
    return ParallelInfo(
        spines=tuple(spines),
        colours=shares,
        colour_axis=axes[0],
        colour_range=ends,
        knee=_line_of(knee, rows),
        designs=len(rows),
        alike=tuple(f"{title_of(name)} {_only(frame[name].iloc[rows[0]])}" for name in alike),
    )


def _only(value: object) -> str:
    if value is None or value != value:
        return _MISSING
    return short_number(float(value), digits=6) if isinstance(value, int | float) else str(value)


def _line_of(knee: int | None, rows: NDArray[np.int64]) -> int | None:
    if knee is None:
        return None
    places = np.flatnonzero(rows == knee)
    if not places.size:
        raise ConfigError(
            f"knee = {knee}; allowed: a row on the front",
            code=Code.OUT_OF_RANGE,
            field="knee",
            value=knee,
            allowed="a row on the front",
        )
    return int(places[0])


def _varying(frame: pandas.DataFrame) -> list[str]:
    names = [str(name) for name in frame.columns if is_parameter(str(name))]
    return [name for name in names if frame[name].nunique(dropna=False) > 1]


def _of_parameter(
    column: pandas.Series, rows: NDArray[np.int64], order: NDArray[np.float64]
) -> Spine:
    """Place designs at their levels, all of the table; a number with many values on a scale."""
    name = str(column.name)
    levels = levels_of(column)
    if levels.is_cut:
        values = numbers_of(column.to_frame(), name)
        axis = axis_of(name, values)
        heights, _, ticks = _heights(values[rows] / axis.factor, axis, values / axis.factor)
        return Spine(_two_lines(axis.title), heights, ticks)
    codes = levels.codes[rows]
    if (levels.codes < 0).any():
        levels = levels._replace(names=(_MISSING, *levels.names))
        codes = codes + 1
    return _of_levels(_two_lines(title_of(name)), levels, codes, order)


def _two_lines(title: str) -> str:
    return title.replace(" ", "\n", 1)


def _of_levels(
    title: str, levels: Levels, codes: NDArray[np.int64], order: NDArray[np.float64]
) -> Spine:
    count = len(levels.names)
    heights = (np.arange(count) + 0.5) / count
    places = np.full(len(codes), np.nan)
    for code in range(count):
        members = np.flatnonzero(codes == code)
        # Fanned out by colour, so that lines through one level do not hide each other.
        ranks = np.argsort(np.argsort(order[members], kind="stable"), kind="stable")
        spread = (ranks + 0.5) / max(len(members), 1) - 0.5
        places[members] = heights[code] + _FAN / count * spread
    return Spine(title, places, tuple(zip(heights.tolist(), levels.names, strict=True)))


def _heights(
    values: NDArray[np.float64], axis: FigureAxis, whole: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], tuple[float, float], tuple[tuple[float, str], ...]]:
    """Return heights from 0 to 1, the ends, and ticks, over the range of the whole."""
    whole = values if whole is None else whole
    low, high = float(np.nanmin(whole)), float(np.nanmax(whole))
    if low == high:
        return np.full(len(values), 0.5), (low, high), ((0.5, short_number(low)),)
    shares = np.linspace(0, 1, _TICKS)
    if axis.is_log:
        heights = np.log(values / low) / np.log(high / low)
        marks = low * (high / low) ** shares
    else:
        heights = (values - low) / (high - low)
        marks = low + (high - low) * shares
    texts = (short_number(mark, digits=3) for mark in marks.tolist())
    return heights, (low, high), tuple(zip(shares.tolist(), texts, strict=True))


def draw_parallel(info: ParallelInfo) -> Figure:
    """Draw a line per design; the knee's is thick."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    count = len(info.spines)
    figure = new_figure(1.6 + 1.15 * count, 4.8)
    axes = figure.add_subplot()
    paths = np.stack([spine.heights for spine in info.spines], axis=1)
    places = np.broadcast_to(np.arange(count, dtype=np.float64), paths.shape)
    # Without the light end, which is hard to see on white.
    colour_map = ListedColormap(colormaps["viridis"](np.linspace(0, 0.9, 256)))
    # The best on top.
    order = np.argsort(info.colours if info.colour_axis.maximise else -info.colours, kind="stable")
    lines = LineCollection(
        list(np.stack([places, paths], axis=2)[order]),
        colors=colour_map(info.colours[order]),
        linewidths=0.8,
        alpha=min(0.9, max(0.15, 60 / len(paths))),
        rasterized=len(paths) > _MOST_LINES,
    )
    axes.add_collection(lines)
    if info.knee is not None:
        axes.plot(places[0], paths[info.knee], color=COLOURS[5], linewidth=2.4, label="knee")
        figure.legend(loc="outside upper right", fontsize=9, frameon=False)
    _draw_spines(axes, info.spines)
    low, high = info.colour_range
    norm = LogNorm(low, high) if info.colour_axis.is_log else Normalize(low, high)
    scale = ScalarMappable(norm, colour_map)
    bar = figure.colorbar(scale, ax=axes, label=info.colour_axis.full_title, pad=0.02)
    if info.colour_axis.is_log:
        plain_ticks(bar.ax.yaxis, low, high)
    title = f"{info.designs:,} designs on the Pareto front"
    if info.alike:
        title = textwrap.fill(f"{title}; all of them: {', '.join(info.alike)}", _TITLE_LETTERS)
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return figure


def _draw_spines(axes: Axes, spines: tuple[Spine, ...]) -> None:
    for at, spine in enumerate(spines):
        axes.axvline(at, color="#444444", linewidth=0.8, zorder=3)
        for height, text in spine.ticks:
            axes.annotate(
                text,
                (at, height),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                zorder=4,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
            )
    axes.set_xticks(range(len(spines)), [spine.title for spine in spines], fontsize=8)
    axes.set_yticks([])
    axes.set_xlim(-0.15, len(spines) - 0.6)
    axes.set_ylim(-0.03, 1.03)
    axes.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def save_parallel(info: ParallelInfo, path: Path) -> None:
    """Draw and write the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_parallel(info), path)
