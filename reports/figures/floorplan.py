"""The floorplan: which layer has which tiles, and how full they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.plan import Placement
from archsim.results import MapResult
from reports.style import COLOURS, TSB_COLOUR, check_suffix, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Up to this many tiles, PEs are drawn inside them.
_DRAW_PES_UP_TO = 80
#: Layers listed in the legend before the rest is summed up.
_LEGEND_ROWS = 30


class TileInfo(NamedTuple):
    """One tile: grid place, layer, fill and the fill of its PEs (row-major)."""

    row: int
    col: int
    layer: int
    utilisation: float
    pe_grid: tuple[int, int]
    pe_utilisation: tuple[float, ...]


class FloorplanInfo(NamedTuple):
    """What the figure shows."""

    title: str
    grid: tuple[int, int]
    names: tuple[str, ...]
    is_tsb: tuple[bool, ...]
    tiles: tuple[TileInfo, ...]


def collect_floorplan(result: MapResult, placement: Placement) -> FloorplanInfo:
    """Collect tiles and their fill from a placement."""
    import numpy as np

    columns, cells = placement.columns, placement.cells
    utilisation = [tile.utilisation for tile in placement.tiles]
    wide = max((grid[1] for grid in placement.tile_pes), default=1)
    high = max((grid[0] for grid in placement.tile_pes), default=1)
    flat = (columns["tile"] * high + columns["pe_row"]) * wide + columns["pe_col"]
    in_pe = np.bincount(flat, weights=cells, minlength=len(placement.tile_layer) * high * wide)
    in_pe = in_pe.reshape(len(placement.tile_layer), high, wide)
    tiles = []
    for index, layer in enumerate(placement.tile_layer):
        rows, cols = placement.tile_pes[index]
        capacity = max(placement.tile_cells[index] / (rows * cols), 1.0)
        tiles.append(
            TileInfo(
                row=index // placement.grid_cols,
                col=index % placement.grid_cols,
                layer=layer,
                utilisation=utilisation[index],
                pe_grid=(rows, cols),
                pe_utilisation=tuple((in_pe[index, :rows, :cols] / capacity).ravel().tolist()),
            )
        )
    totals = result.totals
    share = totals["utilisation"]
    title = (
        f"{result.network} on {result.resolved.chip.name}, shared block: {result.design}\n"
        f"{len(tiles)} tiles, {totals['subarrays']} subarrays, "
        f"{100 * float(share or 0):.0f} % of the cells hold weights, "
        f"{float(totals['area_mm2'] or 0):.3g} mm2"
    )
    return FloorplanInfo(
        title=title,
        grid=(placement.grid_rows, placement.grid_cols),
        names=placement.names,
        is_tsb=tuple(kind == "tsb" for kind in placement.kinds),
        tiles=tuple(tiles),
    )


def draw_floorplan(info: FloorplanInfo) -> Figure:
    """Draw tiles on the chip's grid, coloured by layer, shaded by fill, TSB tiles hatched."""
    rows, cols = info.grid
    figure = new_figure(min(4.5 + 0.75 * cols, 15.0), min(2.2 + 0.7 * rows, 13.0))
    axes = figure.add_subplot()
    order = list(dict.fromkeys(tile.layer for tile in info.tiles))
    for tile in info.tiles:
        _draw_tile(axes, info, tile, order.index(tile.layer))
    axes.set_xlim(-0.05, cols + 0.05)
    axes.set_ylim(rows + 0.05, -0.05)
    axes.set_aspect("equal")
    axes.set_xticks([col + 0.5 for col in range(cols)], [str(col) for col in range(cols)])
    axes.set_yticks([row + 0.5 for row in range(rows)], [str(row) for row in range(rows)])
    axes.tick_params(length=0, labelsize=8)
    axes.set_xlabel("tile column")
    axes.set_ylabel("tile row")
    axes.set_title(info.title, fontsize=10, loc="left")
    _legend(axes, info, order)
    return figure


def _colour(info: FloorplanInfo, layer: int, position: int) -> str:
    return TSB_COLOUR if info.is_tsb[layer] else COLOURS[position % len(COLOURS)]


def _draw_tile(axes: Axes, info: FloorplanInfo, tile: TileInfo, position: int) -> None:
    from matplotlib.patches import Rectangle

    colour = _colour(info, tile.layer, position)
    is_tsb = info.is_tsb[tile.layer]
    margin = 0.04
    left, top, side = tile.col + margin, tile.row + margin, 1 - 2 * margin
    detailed = len(info.tiles) <= _DRAW_PES_UP_TO
    if detailed:
        high, wide = tile.pe_grid
        for index, fill in enumerate(tile.pe_utilisation):
            pe_row, pe_col = divmod(index, wide)
            axes.add_patch(
                Rectangle(
                    (left + pe_col * side / wide, top + pe_row * side / high),
                    side / wide,
                    side / high,
                    facecolor=colour,
                    alpha=0.08 + 0.82 * min(fill, 1.0),
                    edgecolor="none",
                )
            )
        for step in range(1, wide):
            axes.plot([left + step * side / wide] * 2, [top, top + side], color="white", lw=0.8)
        for step in range(1, high):
            axes.plot([left, left + side], [top + step * side / high] * 2, color="white", lw=0.8)
    axes.add_patch(
        Rectangle(
            (left, top),
            side,
            side,
            facecolor="none" if detailed else colour,
            alpha=None if detailed else 0.15 + 0.75 * min(tile.utilisation, 1.0),
            edgecolor=colour,
            hatch="////" if is_tsb else None,
            linewidth=2.0 if is_tsb else 1.0,
        )
    )


def _legend(axes: Axes, info: FloorplanInfo, order: list[int]) -> None:
    from matplotlib.patches import Patch

    handles = []
    for position, layer in enumerate(order[:_LEGEND_ROWS]):
        count = sum(tile.layer == layer for tile in info.tiles)
        handles.append(
            Patch(
                facecolor=_colour(info, layer, position),
                alpha=0.85,
                hatch="////" if info.is_tsb[layer] else None,
                edgecolor="white" if info.is_tsb[layer] else "none",
                label=f"{info.names[layer]}: {count} tile" + ("s" if count > 1 else ""),
            )
        )
    if len(order) > _LEGEND_ROWS:
        handles.append(Patch(alpha=0, label=f"and {len(order) - _LEGEND_ROWS} more layers"))
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize=7, frameon=False
    )


def save_floorplan(result: MapResult, placement: Placement, path: Path) -> None:
    """Collect, draw and write the floorplan of a mapped network.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_floorplan(collect_floorplan(result, placement)), path)
