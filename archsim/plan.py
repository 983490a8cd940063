"""What the mapping compiler hands to the cost engine, and nothing more.

A :class:`MappingPlan` counts rows, vectors, tiles and copies of every layer under every design of a
batch. A :class:`Placement` (one design) says where each subarray is, a :class:`Constraint` which
designs cannot be built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy
import numpy.typing
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Constraint:
    """A bound that a design may break, evaluated for a whole batch.

    ``violated`` is a mask of shape ``*batch``; ``demand`` and ``bound`` are in ``unit``;
    ``if_none`` says why there is nothing where the bound is 0.
    """

    name: str
    violated: Tensor
    demand: Tensor
    bound: Tensor
    unit: str
    levers: tuple[str, ...]
    if_none: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return one violated bound (shape ``()``) as plain data."""
        return {
            "name": self.name,
            "demand": float(self.demand),
            "bound": float(self.bound),
            "unit": self.unit,
            "levers": list(self.levers),
        }

    def describe(self) -> str:
        """Say what one design (shape ``()``) asks for, what it can have and what to change."""
        demand, bound = float(self.demand), float(self.bound)
        has = f"has {bound:.6g} {self.unit}"
        if bound == 0 and self.if_none:
            has = f"has none ({self.if_none})"
        text = f"{self.name}: needs {demand:.6g} {self.unit}, {has}; change " + " or ".join(
            self.levers
        )
        if self.unit == "tiles" and bound > 0:
            text += f"; or spread the network over {math.ceil(demand / bound)} chips of this size"
        return text


@dataclass(frozen=True, eq=False)
class MatrixLayers:
    """The work of every layer as matrix-vector products, ``*batch layer``.

    One row is one matrix of ``rows`` x ``weights_wide`` weights, ``columns`` cells wide, applied
    to ``vectors`` inputs per image; ``fill`` is the share of the columns that hold weights (below
    1 where groups are padded to whole subarrays), ``input_rows`` the different inputs of a vector
    (more than ``rows`` where groups are packed side by side) and ``macs`` its multiply-accumulates.
    ``added`` counts the values of the residual adds behind the layer, per image; ``digital_*`` and
    ``lookups`` the digital work there (:class:`archsim.network.table.LayerTable`).
    ``diagonal`` copies of a block stand on the diagonal of the matrix; ``products`` are of one
    of them with a vector; ``wanted`` is inf for what fits a tile, 0 for what the backbone does.
    ``instances`` identical matrices work side by side (channel groups of a separate shared block);
    ``is_signed`` is 1 where inputs may be negative.
    ``owned`` says how many of them this row brings to the chip (0 where a shared block that
    another row owns is reused, or where the row is inactive). ``active`` is 1 for rows that the
    design really executes.

    ``input_group`` and ``matrix_group`` number rows that read alike inputs, and rows that are the
    same matrix on the same map, under every design; the engine works such a group out once.
    ``repeats`` (shape ``layer``) counts how often a row occurs in the network: 1 each, unless the
    plan was compiled with alike layers merged.
    """

    input_group: tuple[int, ...]
    matrix_group: tuple[int, ...]
    repeats: Tensor

    rows: Tensor
    weights_wide: Tensor
    columns: Tensor
    fill: Tensor
    macs: Tensor
    channels: Tensor
    kernel_area: Tensor
    kernel_height: Tensor
    input_rows: Tensor
    vectors: Tensor
    map_height: Tensor
    map_elements: Tensor
    pooled: Tensor
    pool_factor: Tensor
    added: Tensor
    digital_macs: Tensor
    digital_operations: Tensor
    digital_reads: Tensor
    digital_writes: Tensor
    lookups: Tensor
    is_first: Tensor
    is_signed: Tensor
    padding_share: Tensor
    instances: Tensor
    owned: Tensor
    active: Tensor
    shared: Tensor
    wanted: Tensor
    diagonal: Tensor
    products: Tensor

    def over_layers(self, values: Tensor) -> Tensor:
        """Sum per-layer values (``*batch layer``) over all layers of the network."""
        return (values * self.repeats).sum(-1)


@dataclass(frozen=True, eq=False)
class Floorplan:
    """Sizes that hold for the whole chip, ``*batch``. Sides are in cells.

    Kernel-per-PE layers ("novel mapping") live in tiles of ``kernel_pes`` PEs of side
    ``kernel_side``; all others in tiles of side ``tile_side`` with ``pes_per_side``^2 PEs of side
    ``pe_side``. A network that is spread over chips, or loaded part by part, comes in ``parts``,
    and the tiles are those of one chip.
    """

    kernel_pes: Tensor
    kernel_side: Tensor
    tile_side: Tensor
    pe_side: Tensor
    pes_per_side: Tensor
    kernel_tiles: Tensor
    matrix_tiles: Tensor
    grid_rows: Tensor
    grid_cols: Tensor
    parts: Tensor

    @property
    def tiles(self) -> Tensor:
        """All tiles of one chip."""
        return self.kernel_tiles + self.matrix_tiles


@dataclass(frozen=True, eq=False)
class MappingPlan:
    """How every layer lies on the chip: counts only, ``*batch layer`` unless said.

    ``tile_rows``/``tile_cols`` are tiles of one matrix without extra copies; ``extra_copies``
    whole-tile copies; ``pe_copies_*`` and ``array_copies_*`` copies inside a tile and inside a PE;
    ``copies_rows``/``copies_cols`` all copies together. ``tiles`` is what the layer takes on the
    chip, ``subarrays_used`` the subarrays that hold weights, copies included;
    ``written_twice`` is 1 for layers whose cells take one pulse before the policy's.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    layers: MatrixLayers
    floorplan: Floorplan
    is_kernel: Tensor
    wish: Tensor
    pe_copies_rows: Tensor
    pe_copies_cols: Tensor
    array_copies_rows: Tensor
    array_copies_cols: Tensor
    extra_copies: Tensor
    tile_rows: Tensor
    tile_cols: Tensor
    tiles: Tensor
    subarrays_used: Tensor
    utilisation: Tensor
    write_cells: Tensor
    verified_cells: Tensor
    written_twice: Tensor
    constraints: tuple[Constraint, ...]

    @property
    def copies_rows(self) -> Tensor:
        """Copies stacked along the rows."""
        return self.pe_copies_rows * self.array_copies_rows * self.extra_copies

    @property
    def copies_cols(self) -> Tensor:
        """Copies side by side along the columns."""
        return self.pe_copies_cols * self.array_copies_cols

    @property
    def copies(self) -> Tensor:
        """All copies of a layer's matrix; they share its vectors."""
        return self.copies_rows * self.copies_cols

    @property
    def blocks(self) -> Tensor:
        """All copies of a layer's weights, those on the diagonal of a matrix included."""
        return self.copies * self.layers.diagonal

    @property
    def side(self) -> Tensor:
        """Side of the PE that holds a layer, cells, ``*batch layer``."""
        plan = self.floorplan
        return torch.where(
            self.is_kernel, plan.kernel_side.unsqueeze(-1), plan.pe_side.unsqueeze(-1)
        )

    @property
    def feasible(self) -> Tensor:
        """True where no constraint is violated, ``*batch``."""
        feasible = torch.ones_like(self.floorplan.tiles, dtype=torch.bool)
        for constraint in self.constraints:
            feasible = feasible & ~constraint.violated
        return feasible


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
