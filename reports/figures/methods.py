"""Accuracy of every method at every sigma, with both intervals and what was published."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.errors import DataError
from archsim.results.method_row import MethodRow, finite, frame_of
from reports.figures.style import COLOURS, check_suffix, new_figure, save, save_table, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Dot(NamedTuple):
    """Accuracy of a method in per cent, its intervals over chips and over backbones, published."""

    method: str
    accuracy: float
    chips: tuple[float, float] | None
    backbones: tuple[float, float] | None
    published: float | None


class Panel(NamedTuple):
    """Methods at one sigma, and the noise-free accuracy in per cent."""

    sigma: float
    ideal: float | None
    dots: tuple[Dot, ...]


def collect_methods(rows: Sequence[MethodRow]) -> tuple[Panel, ...]:
    """Collect a panel for each sigma.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.

    Raises:
        DataError: no row with an accuracy.
    """
    measured = [row for row in rows if finite(row.accuracy) is not None]
    if not measured:
        raise DataError(f"methods: {len(rows)} rows, none with an accuracy")
    panels = []
    for sigma in sorted({row.sigma for row in measured}):
        same = [row for row in measured if row.sigma == sigma]
        ideal = [known for row in same if (known := finite(row.ideal_accuracy)) is not None]
        mean = sum(ideal) / len(ideal) if ideal else None
        panels.append(Panel(sigma, _per_cent(mean), tuple(_dot(row) for row in same)))
    return tuple(panels)


def _dot(row: MethodRow) -> Dot:
    return Dot(
        row.method,
        100 * (row.accuracy or 0.0),
        _ends(row.ci95_low, row.ci95_high),
        _ends(row.ci95_backbone_low, row.ci95_backbone_high),
        _per_cent(row.published_accuracy),
    )


def _per_cent(fraction: float | None) -> float | None:
    known = finite(fraction)
    return None if known is None else 100 * known


def _ends(low: float | None, high: float | None) -> tuple[float, float] | None:
    ends = _per_cent(low), _per_cent(high)
    return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])


def draw_methods(panels: tuple[Panel, ...]) -> Figure:
    """Draw a row of dots per method, a panel per sigma; the thick bar is of chips."""
    count = max(len(panel.dots) for panel in panels)
    figure = new_figure(3.0 + 3.4 * len(panels), 1.6 + 0.26 * count)
    columns = figure.subplots(1, len(panels), squeeze=False, sharey="row")[0]
    for axes, panel in zip(columns, panels, strict=True):
        _draw_panel(axes, panel)
    names = [dot.method for dot in max(panels, key=lambda panel: len(panel.dots)).dots]
    columns[0].set_yticks(range(len(names)), names, fontsize=8)
    columns[0].invert_yaxis()
    handles, labels = columns[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    places = range(len(panel.dots))
    for bars, width, label in (
        ([dot.backbones for dot in panel.dots], 1.0, "95 % over backbones"),
        ([dot.chips for dot in panel.dots], 4.0, "95 % over chips of these"),
    ):
        here = [(place, ends) for place, ends in zip(places, bars, strict=True) if ends]
        axes.hlines(
            [place for place, _ in here],
            [ends[0] for _, ends in here],
            [ends[1] for _, ends in here],
            color=COLOURS[0],
            alpha=0.6,
            linewidth=width,
            label=label,
        )
    axes.plot([dot.accuracy for dot in panel.dots], places, "o", color=COLOURS[0], markersize=4)
    published = [(dot.published, at) for at, dot in enumerate(panel.dots) if dot.published]
    if published:
        values, heights = zip(*published, strict=True)
        axes.plot(values, heights, "x", color="#444444", markersize=5, label="published")
    if panel.ideal is not None:
        axes.axvline(panel.ideal, color="#444444", linewidth=0.8, linestyle=":", label="noise-free")
    # Over two backbones Student's interval may span everything: the dots and chips set the range.
    shown = [dot.accuracy for dot in panel.dots]
    shown += [end for dot in panel.dots if dot.chips for end in dot.chips]
    shown += [panel.ideal] if panel.ideal is not None else []
    margin = 0.08 * (max(shown) - min(shown)) + 0.05
    axes.set_xlim(min(shown) - margin, max(shown) + margin)
    axes.set_title(f"sigma {panel.sigma:g}", fontsize=10, loc="left")
    axes.set_xlabel("accuracy, %")
    tidy(axes, grid="x")


def save_methods(rows: Sequence[MethodRow], path: Path) -> None:
    """Collect, draw and write the figure, and beside it its table as CSV.

    Args:
        rows: of ``archsim.api.evaluate.evaluated_rows``.
        path: PNG, SVG or PDF.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: a table without accuracies.
    """
    check_suffix(path)
    save(draw_methods(collect_methods(rows)), path)
    save_table(frame_of(rows), path.with_suffix(".csv"))
