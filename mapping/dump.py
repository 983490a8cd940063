"""A mapping as text that can be read, compared and stored: one fact per line, always the same.

:func:`dump_plan` writes the counts of one design; :func:`dump_placement` where everything is.
Whole numbers are written as such and shares with four decimals, so that the text depends neither
on the machine nor on the order of a sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archsim.arch.design import DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.errors import Code, MappingError
from archsim.plan import MappingPlan, PlacedSubarray, PlacedTile, Placement

_Cells = Sequence[str]


def dump_plan(*, design: DesignBatch, plan: MappingPlan) -> str:
    """Return the counts of one design as text.

    Args:
        design: shape ``()``.
        plan: counts of the same design, ``layer``.

    Raises:
        MappingError: a batch of designs.
    """
    if design.batch_shape or plan.layers.rows.dim() != 1:
        raise MappingError(
            f"text of a batch of shape {tuple(design.batch_shape)}; allowed: one design",
            code=Code.SHAPE_MISMATCH,
            field="design",
            value=tuple(design.batch_shape),
            allowed="one design",
        )
    floor = plan.floorplan
    matrix = (float(floor.pes_per_side) ** 2, float(floor.pe_side), float(floor.tile_side))
    lines = [
        f"plan: design {PLACEMENTS[int(design.placement)]}",
        f"subarray: {_n(design.rows)} rows x {_n(design.cols)} columns, "
        f"{_n(design.columns_per_weight)} columns per weight",
        f"kernel tiles: {_n(floor.kernel_tiles)}, each {_n(floor.kernel_pes)} PEs of "
        f"{_n(floor.kernel_side)} cells a side"
        if float(floor.kernel_tiles)
        else "kernel tiles: 0",
        f"matrix tiles: {_n(floor.matrix_tiles)}, each {_n(matrix[0])} PEs of {_n(matrix[1])} "
        f"cells a side, {_n(matrix[2])} together"
        if float(floor.matrix_tiles)
        else "matrix tiles: 0",
        f"grid: {_n(floor.grid_rows)} x {_n(floor.grid_cols)}",
        "",
    ]
    lines += _table(_PLAN_HEAD, [_plan_row(plan, index) for index in range(len(plan.names))])
    lines += ["", _sums(plan)]
    lines += [f"infeasible: {bound.describe()}" for bound in plan.constraints if bound.violated]
    return "\n".join(lines) + "\n"


def dump_placement(placement: Placement, *, subarrays: bool = True) -> str:
    """Return a placement as text: layers, tiles and, unless left out, every subarray.

    Args:
        placement: of one design.
        subarrays: list each subarray below its tile.
    """
    tiles = placement.tiles
    lines = [
        f"placement: design {placement.design}",
        f"grid: {placement.grid_rows} x {placement.grid_cols}, {len(tiles)} tiles, "
        f"{len(placement)} subarrays in use, each {placement.array_rows} x {placement.array_cols}",
        "",
    ]
    lines += _table(_LAYER_HEAD, _layer_rows(placement, tiles))
    lines.append("")
    table = _table(_TILE_HEAD, [_tile_row(tile) for tile in tiles])
    if not subarrays:
        return "\n".join(lines + table) + "\n"
    held: dict[int, list[PlacedSubarray]] = {}
    for entry in placement:
        held.setdefault(entry.tile, []).append(entry)
    lines.append(table[0])
    for tile, line in zip(tiles, table[1:], strict=True):
        lines += [line, *map(_subarray_line, held.get(tile.index, []))]
    return "\n".join(lines) + "\n"


_PLAN_HEAD = (
    "layer", "name", "kind", "mapping", "matrix", "vectors", "owned", "tiles-each", "copies",
    "in-tile", "in-pe", "by-tile", "tiles", "subarrays", "cells", "utilisation",
)  # fmt: skip
_LAYER_HEAD = ("layer", "name", "kind", "uses", "tiles", "subarrays", "cells")
_TILE_HEAD = (
    "tile", "at", "layer", "name", "pes", "subarrays-in-pe", "in-use", "cells", "utilisation",
)  # fmt: skip


def _plan_row(plan: MappingPlan, index: int) -> _Cells:
    work = plan.layers
    return (
        str(index),
        plan.names[index],
        plan.kinds[index],
        "kernel" if bool(plan.is_kernel[index]) else "matrix",
        f"{_n(work.rows[index])}x{_n(work.columns[index])}",
        _n(work.products[index]),
        _n(work.owned[index]),
        f"{_n(plan.tile_rows[index])}x{_n(plan.tile_cols[index])}",
        _n(plan.blocks[index]),
        f"{_n(plan.pe_copies_rows[index])}x{_n(plan.pe_copies_cols[index])}",
        f"{_n(plan.array_copies_rows[index])}x{_n(plan.array_copies_cols[index])}",
        _n(plan.extra_copies[index]),
        _n(plan.tiles[index]),
        _n(plan.subarrays_used[index]),
        _n(plan.write_cells[index]),
        f"{float(plan.utilisation[index]):.4f}",
    )


def _sums(plan: MappingPlan) -> str:
    sums = (plan.tiles, plan.subarrays_used, plan.write_cells)
    tiles, arrays, cells = (_n(plan.layers.over_layers(values)) for values in sums)
    return f"sum: {tiles} tiles, {arrays} subarrays, {cells} cells"


def _layer_rows(placement: Placement, tiles: Sequence[PlacedTile]) -> Iterator[_Cells]:
    """One row per layer; a borrowed shared block names its owner."""
    for index, (name, kind) in enumerate(zip(placement.names, placement.kinds, strict=True)):
        mine = [tile for tile in tiles if tile.layer == index]
        owner = placement.owners[index]
        uses = "own" if owner == index else "none" if owner < 0 else placement.names[owner]
        yield (
            str(index),
            name,
            kind,
            uses,
            str(len(mine)),
            str(sum(tile.subarrays_used for tile in mine)),
            str(sum(tile.cells_used for tile in mine)),
        )


def _tile_row(tile: PlacedTile) -> _Cells:
    return (
        str(tile.index),
        f"({tile.grid_row},{tile.grid_col})",
        str(tile.layer),
        tile.name,
        f"{tile.pe_grid[0]}x{tile.pe_grid[1]}",
        f"{tile.array_grid[0]}x{tile.array_grid[1]}",
        str(tile.subarrays_used),
        str(tile.cells_used),
        f"{tile.utilisation:.4f}",
    )


def _subarray_line(entry: PlacedSubarray) -> str:
    position = "" if entry.kernel_position is None else f" kernel {entry.kernel_position}"
    again = entry.diagonal
    first = entry.copy * again
    copies = (
        f"copy {first}" if again == 1 else f"copies {first}-{first + again - 1} on the diagonal"
    )
    return (
        f"  pe ({entry.pe_row},{entry.pe_col}) subarray ({entry.array_row},{entry.array_col}): "
        f"instance {entry.instance} {copies}{position} "
        f"rows {entry.row_start}:{entry.row_stop} columns {entry.col_start}:{entry.col_stop}"
    )


def _n(value: object) -> str:
    """A whole number held in float64."""
    return str(round(float(value)))  # type: ignore[arg-type]


def _table(head: _Cells, rows: Iterator[_Cells] | Sequence[_Cells]) -> list[str]:
    """Align columns: text to the left, numbers to the right."""
    body = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    numeric = [all(cell[:1].isdigit() for cell in column) for column in zip(*body, strict=True)]
    numeric = numeric or [False] * len(head)

    def line(cells: _Cells) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [line(head), *map(line, body)]
