"""The floorplan: which layer has which tiles, and how full they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archsim.plan import Placement
from archsim.results.mapped import MapResult
from reports.figures.style import COLOURS, TSB_COLOUR, check_suffix, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Up to this many subarrays on the chip, used or not, each is drawn with the cells that it holds.
_DRAW_SUBARRAYS_UP_TO = 1500
#: Up to this many tiles, PEs are drawn inside them.
_DRAW_PES_UP_TO = 90
#: Up to this many tiles, each has the number of its layer on it.
_NUMBER_UP_TO = 400
#: Layers listed in the legend before the rest is summed up.
_LEGEND_ROWS = 40
#: Free space around a tile, as a share of its place on the grid.
_MARGIN = 0.04
#: Width that the title needs, inches.
_TITLE_IN = 4.6
_HATCH = "////"


class ArrayInfo(NamedTuple):
    """One subarray in use: its place in the tile (over all PEs) and the part of it in use."""

    row: int
    col: int
    rows_share: float
    cols_share: float


class TileInfo(NamedTuple):
    """One tile: grid place, layer, fill, the fill of its PEs (row-major) and its subarrays.

    Tiles with a PE per kernel position may have no PE at the end of the last row: None.
    ``array_grid`` counts subarrays in a PE.
    """

    row: int
    col: int
    layer: int
    utilisation: float
    pe_grid: tuple[int, int]
    pe_utilisation: tuple[float | None, ...]
    array_grid: tuple[int, int]
    arrays: tuple[ArrayInfo, ...]


class FloorplanInfo(NamedTuple):
    """What the figure shows; ``owners[i]`` is the layer whose tiles layer ``i`` uses, or -1."""

    title: str
    grid: tuple[int, int]
    names: tuple[str, ...]
    is_tsb: tuple[bool, ...]
    owners: tuple[int, ...]
    tiles: tuple[TileInfo, ...]

    @property
    def subarrays(self) -> int:
        """Subarrays on the chip, used or not."""
        return sum(
            tile.array_grid[0]
            * tile.array_grid[1]
            * sum(pe is not None for pe in tile.pe_utilisation)
            for tile in self.tiles
        )


def collect_floorplan(result: MapResult, placement: Placement) -> FloorplanInfo:
    """Collect tiles and their fill from a placement."""
    arrays: list[list[ArrayInfo]] = [[] for _ in placement.tile_layer]
    in_pe: dict[tuple[int, int, int], int] = {}
    for entry in placement:
        high, wide = placement.tile_arrays[entry.tile]
        arrays[entry.tile].append(
            ArrayInfo(
                row=entry.pe_row * high + entry.array_row,
                col=entry.pe_col * wide + entry.array_col,
                rows_share=entry.rows_used / placement.array_rows,
                cols_share=entry.cols_used / placement.array_cols,
            )
        )
        pe = (entry.tile, entry.pe_row, entry.pe_col)
        in_pe[pe] = in_pe.get(pe, 0) + entry.cells_used
    tiles = []
    for tile in placement.tiles:
        rows, cols = tile.pe_grid
        pe_cells = (
            tile.array_grid[0] * placement.array_rows * tile.array_grid[1] * placement.array_cols
        )
        fill: list[float | None] = [
            in_pe.get((tile.index, row, col), 0) / pe_cells
            for row in range(rows)
            for col in range(cols)
        ]
        there = tile.cells // pe_cells
        fill[there:] = [None] * (rows * cols - there)
        tiles.append(
            TileInfo(
                row=tile.grid_row,
                col=tile.grid_col,
                layer=tile.layer,
                utilisation=tile.utilisation,
                pe_grid=tile.pe_grid,
                pe_utilisation=tuple(fill),
                array_grid=tile.array_grid,
                arrays=tuple(arrays[tile.index]),
            )
        )
    return FloorplanInfo(
        title=_title(result, placement),
        grid=(placement.grid_rows, placement.grid_cols),
        names=placement.names,
        is_tsb=tuple(kind == "tsb" for kind in placement.kinds),
        owners=placement.owners,
        tiles=tuple(tiles),
    )


def _title(result: MapResult, placement: Placement) -> str:
    """Network, chip and design; then what the placement itself counts."""
    capacity = sum(placement.tile_cells)
    there = capacity // (placement.array_rows * placement.array_cols)
    share = 100 * float(placement.cells.sum()) / max(capacity, 1)
    area = result.totals["area_mm2"]
    return (
        f"{result.network} on {result.resolved.chip.name}, shared block: {result.design}\n"
        f"{len(placement.tile_layer)} tiles"
        + ("" if area is None else f", {area:.3g} mm²")
        + f"\nin use: {len(placement)} of {there} subarrays "
        f"({placement.array_rows} x {placement.array_cols}), {share:.0f} % of the cells"
    )


def draw_floorplan(info: FloorplanInfo) -> Figure:
    """Draw tiles on the chip's grid, coloured by layer, shaded by fill, TSB tiles hatched.

    With few subarrays each is drawn, its cells in use to scale; colours repeat on large networks,
    so each tile also has the number of its layer.
    """
    rows, cols = info.grid
    order = list(dict.fromkeys(tile.layer for tile in info.tiles))
    listed = min(len(order) + _borrowers(info), _LEGEND_ROWS + 1)
    side = max(0.62, min(2.2, 8.5 / max(rows, cols)))
    longest = max((len(name) for name in info.names), default=0)
    chip, legend = max(cols * side + 0.6, _TITLE_IN), 1.3 + 0.065 * max(longest, 9)
    figure = new_figure(chip + legend, max(rows * side, 0.18 * listed) + 1.45)
    axes = figure.add_subplot()
    for tile in info.tiles:
        _draw_tile(axes, info, tile, order.index(tile.layer))
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)
    axes.set_aspect("equal", anchor="NW")
    axes.set_xticks([col + 0.5 for col in range(cols)], [str(col) for col in range(cols)])
    axes.set_yticks([row + 0.5 for row in range(rows)], [str(row) for row in range(rows)])
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_color("#888888")
    axes.set_xlabel("tile column", fontsize=9)
    axes.set_ylabel("tile row", fontsize=9)
    figure.suptitle(info.title, fontsize=10, x=0.01, ha="left")
    _legend(figure, info, order)
    return figure


def _borrowers(info: FloorplanInfo) -> int:
    return sum(owner not in (-1, layer) for layer, owner in enumerate(info.owners))


def _colour(info: FloorplanInfo, layer: int, position: int) -> str:
    return TSB_COLOUR if info.is_tsb[layer] else COLOURS[position % len(COLOURS)]


def _shade(info: FloorplanInfo, layer: int, fill: float) -> float:
    """Opacity; lighter for the shared block, so that its hatching can be seen."""
    return 0.06 + (0.34 if info.is_tsb[layer] else 0.84) * min(fill, 1.0)


def _draw_tile(axes: Axes, info: FloorplanInfo, tile: TileInfo, position: int) -> None:
    from matplotlib.patches import Rectangle

    colour = _colour(info, tile.layer, position)
    is_tsb = info.is_tsb[tile.layer]
    left, top, side = tile.col + _MARGIN, tile.row + _MARGIN, 1 - 2 * _MARGIN
    if info.subarrays <= _DRAW_SUBARRAYS_UP_TO:
        _draw_arrays(axes, tile, colour, (left, top, side))
    elif len(info.tiles) <= _DRAW_PES_UP_TO:
        _draw_pes(axes, info, tile, colour, (left, top, side))
    else:
        opacity = _shade(info, tile.layer, tile.utilisation)
        axes.add_patch(
            Rectangle((left, top), side, side, facecolor=colour, alpha=opacity, edgecolor="none")
        )
    if is_tsb:
        axes.add_patch(
            Rectangle(
                (left, top),
                side,
                side,
                fill=False,
                hatch=_HATCH,
                edgecolor=colour,
                lw=0,
                alpha=0.3,
            )
        )
    axes.add_patch(
        Rectangle(
            (left, top),
            side,
            side,
            fill=False,
            edgecolor=colour,
            lw=2.2 if is_tsb else 1.2,
            zorder=4,
        )
    )
    if len(info.tiles) <= _NUMBER_UP_TO:
        _number(axes, tile, position + 1)


def _number(axes: Axes, tile: TileInfo, number: int) -> None:
    axes.text(
        tile.col + 0.5,
        tile.row + 0.5,
        str(number),
        ha="center",
        va="center",
        fontsize=9,
        zorder=5,
        bbox={
            "boxstyle": "round,pad=0.15",
            "facecolor": "white",
            "edgecolor": "none",
            "alpha": 0.85,
        },
    )


def _draw_pes(
    axes: Axes, info: FloorplanInfo, tile: TileInfo, colour: str, place: tuple[float, float, float]
) -> None:
    from matplotlib.patches import Rectangle

    left, top, side = place
    high, wide = tile.pe_grid
    for index, fill in enumerate(tile.pe_utilisation):
        if fill is None:
            continue
        row, col = divmod(index, wide)
        axes.add_patch(
            Rectangle(
                (left + col * side / wide, top + row * side / high),
                side / wide,
                side / high,
                facecolor=(colour, _shade(info, tile.layer, fill)),
                edgecolor="white",
                lw=0.8,
            )
        )


def _draw_arrays(
    axes: Axes, tile: TileInfo, colour: str, place: tuple[float, float, float]
) -> None:
    """Subarrays as boxes, the cells in use to scale in their corners, PEs with a gap between."""
    from matplotlib.patches import Rectangle

    left, top, side = place
    pe_high, pe_wide = side / tile.pe_grid[0], side / tile.pe_grid[1]
    high, wide = tile.array_grid
    gap = 0.06
    box_high, box_wide = pe_high * (1 - gap) / high, pe_wide * (1 - gap) / wide

    def corner(row: int, col: int) -> tuple[float, float]:
        return (
            left + pe_wide * (col // wide + gap / 2) + box_wide * (col % wide),
            top + pe_high * (row // high + gap / 2) + box_high * (row % high),
        )

    for index, fill in enumerate(tile.pe_utilisation):
        pe_row, pe_col = divmod(index, tile.pe_grid[1])
        for row in range(pe_row * high, (pe_row + 1) * high if fill is not None else 0):
            for col in range(pe_col * wide, (pe_col + 1) * wide):
                at = corner(row, col)
                axes.add_patch(
                    Rectangle(at, box_wide, box_high, fill=False, edgecolor="#b0b0b0", lw=0.5)
                )
    for array in tile.arrays:
        axes.add_patch(
            Rectangle(
                corner(array.row, array.col),
                box_wide * array.cols_share,
                box_high * array.rows_share,
                facecolor=colour,
                edgecolor="none",
                zorder=3,
            )
        )


def _legend(figure: Figure, info: FloorplanInfo, order: list[int]) -> None:
    from matplotlib.patches import Patch

    handles = []
    for position, layer in enumerate(order[:_LEGEND_ROWS]):
        count = sum(tile.layer == layer for tile in info.tiles)
        is_tsb = info.is_tsb[layer]
        handles.append(
            Patch(
                facecolor=(_colour(info, layer, position), 0.3 if is_tsb else 0.85),
                hatch=_HATCH if is_tsb else None,
                edgecolor=TSB_COLOUR if is_tsb else "none",
                label=f"{position + 1}  {info.names[layer]}: {count} tile" + "s" * (count > 1),
            )
        )
    borrowed = [
        f"{info.names[layer]}: uses {order.index(owner) + 1}"
        for layer, owner in enumerate(info.owners)
        if owner not in (-1, layer)
    ]
    room = max(_LEGEND_ROWS - len(handles), 0)
    handles += [Patch(alpha=0, label=f"    {text}") for text in borrowed[:room]]
    more = len(order) + len(borrowed) - len(handles)
    if more > 0:
        handles.append(Patch(alpha=0, label=f"    and {more} more layers"))
    legend = figure.legend(
        handles=handles,
        loc="outside right upper",
        fontsize=7.5,
        frameon=False,
        title=_reading_aid(info),
        title_fontsize=7.5,
        alignment="left",
    )
    legend.get_title().set_color("#555555")


def _reading_aid(info: FloorplanInfo) -> str:
    if info.subarrays <= _DRAW_SUBARRAYS_UP_TO:
        return "boxes: subarrays;\ncoloured: cells in use, to scale"
    if len(info.tiles) <= _DRAW_PES_UP_TO:
        return "fields: PEs;\nshade: share of cells in use"
    return "shade: share of cells in use"


def save_floorplan(result: MapResult, placement: Placement, path: Path) -> None:
    """Collect, draw and write the floorplan of a mapped network.

    Raises:
        ConfigError: a wrong ending or a place that cannot be written to.
    """
    check_suffix(path)
    save(draw_floorplan(collect_floorplan(result, placement)), path)
