"""Stacked bars: where area, energy and latency of each distinct hardware go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsim.results.breakdown import BROKEN_DOWN
from reports.figures.style import COLOURS, TSB_COLOUR, new_figure
from reports.tables.breakdown import LEAKAGE, REST, Breakdown, Part
from reports.units import unit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_REST_COLOUR = "#b4b8be"
#: Letters of a design's name; more are cut.
_MOST_LETTERS = 26


def draw_breakdown(breakdowns: Sequence[Breakdown], *, layers: bool) -> Figure:
    """Draw a panel per quantity, a bar per distinct hardware, a colour per part.

    Args:
        breakdowns: of :func:`reports.tables.breakdown.breakdowns`.
        layers: layers, not components.
    """
    figure = new_figure(11.0, 1.7 + 0.38 * len(breakdowns))
    panels = figure.subplots(1, len(BROKEN_DOWN), sharey=True)
    for place, (panel, part) in enumerate(zip(panels, BROKEN_DOWN, strict=True)):
        _draw_bars(panel, breakdowns, layers, place)
        panel.set_xlabel(f"{part.title}, {unit_text(part.unit)}")
        for side in ("top", "right", "left"):
            panel.spines[side].set_visible(False)
        panel.grid(axis="x", color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(
        range(len(breakdowns)), [_name(breakdown) for breakdown in breakdowns], fontsize=8
    )
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, fontsize=8, frameon=False)
    return figure


def _draw_bars(panel: Axes, breakdowns: Sequence[Breakdown], layers: bool, place: int) -> None:
    parts = [breakdown.layers if layers else breakdown.components for breakdown in breakdowns]
    names = {part.name: part for group in parts for part in group}
    ordered = sorted(names, key=lambda name: name in (LEAKAGE, REST))
    left = [0.0] * len(breakdowns)
    for order, name in enumerate(ordered):
        values = [_value(group, name, place) for group in parts]
        rest = name in (LEAKAGE, REST)
        panel.barh(
            range(len(breakdowns)),
            values,
            left=left,
            height=0.66,
            color=_REST_COLOUR if rest else COLOURS[order % len(COLOURS)],
            hatch="///" if names[name].shared_block else ("xx" if order >= len(COLOURS) else None),
            edgecolor=TSB_COLOUR if names[name].shared_block else "#ffffff",
            linewidth=0.4,
            label=name,
        )
        left = [one + other for one, other in zip(left, values, strict=True)]


def _value(parts: Sequence[Part], name: str, place: int) -> float:
    return sum(part.values[place] for part in parts if part.name == name)


def _name(breakdown: Breakdown) -> str:
    first, more = breakdown.labels[0], len(breakdown.labels) - 1
    short = first if len(first) <= _MOST_LETTERS else f"{first[: _MOST_LETTERS - 1]}…"
    return f"{short} and {more} more" if more else short
