"""Column sums of each layer and slice with the converter's range, and the loss by wires."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from archsim.results.reading import LayerReading, ReadResult, SliceReading, WireReading
from reports.figures.style import COLOURS, check_suffix, new_figure, save, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Layers of one figure: of more, those with the fewest effective bits.
MOST_LAYERS = 12
#: Codes up to which each has a tick of its own.
_MOST_TICKS = 64
_RANGE, _SUMS, _CLIPPED = "#dfe9f3", COLOURS[0], COLOURS[5]


class ReadInfo(NamedTuple):
    """What is drawn: layers in order of the network, how many there are, and a title."""

    layers: tuple[LayerReading, ...]
    of: int
    title: str


def collect_reading(result: ReadResult) -> ReadInfo:
    """Collect the layers of a figure.

    Args:
        result: of ``archsim.read``.
    """
    kept = sorted(range(len(result.layers)), key=lambda index: _bits(result.layers[index]))
    chosen = tuple(result.layers[index] for index in sorted(kept[:MOST_LAYERS]))
    adc = result.resolved.chip.adc
    title = (
        f"{result.network} on {result.resolved.chip.name}: column sums and converters of "
        f"{adc.bits} bits, range {adc.range}; accuracy {100 * result.exact:.1f} % read exactly, "
        f"{100 * result.off:.1f} % with the read path off"
    )
    if len(chosen) < len(result.layers):
        title += f"\n{len(chosen)} of {len(result.layers)} layers: those of the fewest bits"
    return ReadInfo(chosen, len(result.layers), title)


def _bits(layer: LayerReading) -> float:
    known = [one.effective_bits for one in layer.slices if one.effective_bits is not None]
    return min(known, default=float("inf"))


def draw_reading(info: ReadInfo) -> Figure:
    """Draw a row per layer: a panel per slice, the most significant first, and one of wires."""
    wires = any(layer.wires is not None for layer in info.layers)
    most = max(len(layer.slices) for layer in info.layers)
    columns = most + wires
    figure = new_figure(2.6 + 2.5 * columns, 1.1 + 2.0 * len(info.layers))
    panels = figure.subplots(len(info.layers), columns, squeeze=False)
    for row, layer in zip(panels, info.layers, strict=True):
        for spare in row[len(layer.slices) : most]:
            spare.remove()
        for axes, one in zip(row, reversed(layer.slices), strict=False):
            _draw_slice(axes, one)
        row[0].set_ylabel(f"{_short(layer.layer)}\nsums, %", fontsize=8)
        if wires:
            _draw_wires(figure, row[-1], layer.wires)
    for axes in panels[-1]:
        if axes.get_xlabel() == "":
            axes.set_xlabel("column sum, levels", fontsize=8)
    figure.suptitle(info.title, fontsize=9)
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"...{name[-20:]}"


def _draw_slice(axes: Axes, one: SliceReading) -> None:
    edges, total = np.asarray(one.edges), max(1, one.sums)
    share = 100 * np.asarray(one.counts) / total
    middles = (edges[:-1] + edges[1:]) / 2
    colours = [_SUMS] * len(middles)
    if one.low is not None and one.high is not None and one.step is not None:
        axes.axvspan(one.low, one.high, color=_RANGE, zorder=0)
        half = one.step / 2
        inside = (middles >= one.low - half) & (middles <= one.high + half)
        colours = [_SUMS if each else _CLIPPED for each in inside]
        if one.codes is not None and one.codes <= _MOST_TICKS:
            levels = np.linspace(one.low, one.high, one.codes)
            floor = axes.get_xaxis_transform()  # at the bottom of the panel, whatever its scale
            axes.plot(
                levels, np.zeros(one.codes), "|", color="#333333", ms=7, mew=0.8, transform=floor
            )
    axes.bar(middles, share, width=np.diff(edges), color=colours, linewidth=0)
    axes.set_yscale("log")
    axes.set_ylim(bottom=min(1e-2, float(share[share > 0].min())) / 2)
    axes.tick_params(labelsize=7)
    axes.set_title(_said(one), fontsize=7, loc="left")
    tidy(axes, grid="y")


def _said(one: SliceReading) -> str:
    if one.codes is None:
        return f"slice {one.index}: no converter"
    bits = "exact" if one.effective_bits is None else f"{one.effective_bits:.1f} bits"
    return (
        f"slice {one.index}: {bits}, {one.codes_used} of {one.codes} codes,\n"
        f"clipped {100 * one.clip_rate:.2g} %"
    )


def _draw_wires(figure: Figure, axes: Axes, wires: WireReading | None) -> None:
    if wires is None:
        axes.remove()
        return
    places = 100 * np.array(wires.places, dtype=float)
    image = axes.imshow(places, aspect="auto", cmap="viridis", vmin=0.0)
    bar = figure.colorbar(image, ax=axes)
    bar.ax.tick_params(labelsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_ylabel("rows, the far end first", fontsize=7)
    axes.set_xlabel("columns", fontsize=7)
    axes.set_title(
        f"lost by wires, %:\nmean {100 * wires.mean:.2g}, worst {100 * wires.worst:.2g}",
        fontsize=7,
        loc="left",
    )


def save_reading(result: ReadResult, path: Path) -> None:
    """Collect, draw and write the figure.

    Args:
        result: of ``archsim.read``.
        path: of the figure.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
        DataError: it cannot be written.
    """
    check_suffix(path)
    save(draw_reading(collect_reading(result)), path)
