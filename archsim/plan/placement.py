"""Where every subarray is, for one design."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import numpy.typing

if TYPE_CHECKING:
    import pandas

#: Columns of :class:`Placement`, all whole numbers.
PLACEMENT_COLUMNS = (
    "layer",
    "instance",
    "copy",
    "kernel_position",
    "tile",
    "grid_row",
    "grid_col",
    "pe_row",
    "pe_col",
    "array_row",
    "array_col",
    "row_start",
    "row_stop",
    "col_start",
    "col_stop",
)


@dataclass(frozen=True)
class PlacedSubarray:
    """One subarray that holds weights: whose they are, which they are and where it is.

    ``layer`` counts the plan's rows; ``instance`` the layer's matrices of its own (channel groups
    of a separate shared block) and ``copy`` the copies of each. ``row_*``/``col_*`` are the cells
    of the matrix that it holds: of the slice of ``kernel_position``, unless that is None. The
    matrix is ``diagonal`` copies of the layer's weights on a diagonal.
    """

    layer: int
    name: str
    kind: str
    instance: int
    copy: int
    kernel_position: int | None
    tile: int
    grid_row: int
    grid_col: int
    pe_row: int
    pe_col: int
    array_row: int
    array_col: int
    row_start: int
    row_stop: int
    col_start: int
    col_stop: int
    diagonal: int = 1

    @property
    def rows_used(self) -> int:
        """Rows of the crossbar that hold weights."""
        return self.row_stop - self.row_start

    @property
    def cols_used(self) -> int:
        """Columns of the crossbar that hold weights."""
        return self.col_stop - self.col_start

    @property
    def cells_used(self) -> int:
        """Cells of the crossbar that hold weights."""
        return self.rows_used * self.cols_used // self.diagonal


@dataclass(frozen=True)
class PlacedTile:
    """One tile: its layer, its place on the grid, what is in it and how full it is.

    ``pe_grid`` is the rows and columns of PEs (the last row may be short), ``array_grid`` those of
    subarrays in a PE.
    """

    index: int
    layer: int
    name: str
    kind: str
    grid_row: int
    grid_col: int
    pe_grid: tuple[int, int]
    array_grid: tuple[int, int]
    subarrays_used: int
    cells_used: int
    cells: int

    @property
    def utilisation(self) -> float:
        """Share of the tile's cells that hold weights."""
        return self.cells_used / self.cells


@dataclass(frozen=True, eq=False)
class Placement:
    """Where every subarray that holds weights is, for one design.

    ``columns[name]`` is an int64 array with one entry per subarray (:data:`PLACEMENT_COLUMNS`).
    ``grid_row``/``grid_col`` place the tile on the chip, ``pe_*`` the PE in the tile and
    ``array_*`` the subarray in the PE; ``row_*``/``col_*`` say which cells of the layer's matrix it
    holds (of one kernel position's slice, where that is not -1).

    ``owners[i]`` is the layer whose subarrays layer ``i`` uses: itself, the first insertion for a
    common shared block, or -1 for none. ``diagonal[i]`` copies stand on the diagonal of its matrix:
    what lies beside them holds nothing. ``design`` is the placement of the shared block and
    ``array_rows`` x ``array_cols`` the cells of a subarray; ``tile_*`` have one entry per tile.
    """

    design: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    owners: tuple[int, ...]
    diagonal: tuple[int, ...]
    array_rows: int
    array_cols: int
    grid_rows: int
    grid_cols: int
    tile_layer: tuple[int, ...]
    tile_pes: tuple[tuple[int, int], ...]
    tile_arrays: tuple[tuple[int, int], ...]
    tile_cells: tuple[int, ...]
    columns: dict[str, numpy.typing.NDArray[numpy.int64]]

    def __len__(self) -> int:
        """Subarrays placed."""
        return len(self.columns["layer"])

    def __iter__(self) -> Iterator[PlacedSubarray]:
        """Every subarray, tile by tile."""
        values = [self.columns[name].tolist() for name in PLACEMENT_COLUMNS]
        for row in zip(*values, strict=True):
            entry: dict[str, Any] = dict(zip(PLACEMENT_COLUMNS, row, strict=True))
            layer, position = entry["layer"], entry["kernel_position"]
            entry["kernel_position"] = None if position < 0 else position
            yield PlacedSubarray(
                name=self.names[layer],
                kind=self.kinds[layer],
                diagonal=self.diagonal[layer],
                **entry,
            )

    @property
    def cells(self) -> numpy.typing.NDArray[numpy.int64]:
        """Cells used in each subarray."""
        here = self.columns
        rows = here["row_stop"] - here["row_start"]
        diagonal = numpy.array(self.diagonal, dtype=numpy.int64)[here["layer"]]
        return rows * (here["col_stop"] - here["col_start"]) // diagonal

    @property
    def tiles(self) -> tuple[PlacedTile, ...]:
        """Every tile of the chip, row by row of the grid."""
        count, tile = len(self.tile_layer), self.columns["tile"]
        arrays = numpy.bincount(tile, minlength=count).tolist()
        used = numpy.bincount(tile, weights=self.cells, minlength=count).tolist()
        return tuple(
            PlacedTile(
                index=index,
                layer=layer,
                name=self.names[layer],
                kind=self.kinds[layer],
                grid_row=index // self.grid_cols,
                grid_col=index % self.grid_cols,
                pe_grid=self.tile_pes[index],
                array_grid=self.tile_arrays[index],
                subarrays_used=arrays[index],
                cells_used=round(used[index]),
                cells=self.tile_cells[index],
            )
            for index, layer in enumerate(self.tile_layer)
        )

    def to_frame(self) -> pandas.DataFrame:
        """One row per subarray, with the layer's name."""
        import pandas as pd

        frame = pd.DataFrame(self.columns)
        frame.insert(0, "name", [self.names[index] for index in self.columns["layer"]])
        return frame
