"""What the mapping compiler hands to the cost engine, and nothing more.

A :class:`MappingPlan` counts: how many rows, vectors, tiles and copies every layer has under every
design of a batch. A :class:`Placement` (one design) says where each subarray is. A
:class:`Constraint` says which designs cannot be built, and what to change.
"""

from __future__ import annotations

import math
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

    ``violated`` is a mask of shape ``*batch``; ``demand`` and ``bound`` are in ``unit``.
    """

    name: str
    violated: Tensor
    demand: Tensor
    bound: Tensor
    unit: str
    levers: tuple[str, ...]

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
        text = (
            f"{self.name}: needs {demand:.6g} {self.unit}, has {bound:.6g} {self.unit}; change "
            + " or ".join(self.levers)
        )
        if self.unit == "tiles" and bound > 0:
            text += f"; or spread the network over {math.ceil(demand / bound)} chips of this size"
        return text


@dataclass(frozen=True, eq=False)
class MatrixLayers:
    """The work of every layer as matrix-vector products, ``*batch layer``.

    One row is one matrix of ``rows`` x ``weights_wide`` weights, ``columns`` cells wide, applied
    to ``vectors`` inputs per image. ``instances`` identical matrices work side by side (channel
    groups of a separate shared block); ``owned`` says how many of them this row brings to the
    chip (0 where a shared block that another row owns is reused, or where the row is inactive).
    ``active`` is 1 for rows that the design really executes.

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
    channels: Tensor
    kernel_area: Tensor
    kernel_height: Tensor
    input_rows: Tensor
    vectors: Tensor
    map_height: Tensor
    map_elements: Tensor
    pooled: Tensor
    pool_factor: Tensor
    is_first: Tensor
    padding_share: Tensor
    instances: Tensor
    owned: Tensor
    active: Tensor
    shared: Tensor

    def over_layers(self, values: Tensor) -> Tensor:
        """Sum per-layer values (``*batch layer``) over all layers of the network."""
        return (values * self.repeats).sum(-1)


@dataclass(frozen=True, eq=False)
class Floorplan:
    """Sizes that hold for the whole chip, ``*batch``. Sides are in cells.

    Kernel-per-PE layers ("novel mapping") live in tiles of ``kernel_pes`` PEs of side
    ``kernel_side``; all others in tiles of side ``tile_side`` with ``pes_per_side``^2 PEs of side
    ``pe_side``.
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

    @property
    def tiles(self) -> Tensor:
        """All tiles of the chip."""
        return self.kernel_tiles + self.matrix_tiles


@dataclass(frozen=True, eq=False)
class MappingPlan:
    """How every layer lies on the chip: counts only, ``*batch layer`` unless said.

    ``tile_rows``/``tile_cols`` are tiles of one matrix without extra copies; ``extra_copies``
    whole-tile copies; ``pe_copies_*`` and ``array_copies_*`` copies inside a tile and inside a PE;
    ``copies_rows``/``copies_cols`` all copies together. ``tiles`` is what the layer takes on the
    chip, ``subarrays_used`` the subarrays that hold weights, copies included.
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


@dataclass(frozen=True, eq=False)
class Placement:
    """Where every subarray that holds weights is, for one design.

    Columnar: ``columns[name]`` is an int64 array with one entry per subarray, see
    :data:`PLACEMENT_COLUMNS`. ``grid_row``/``grid_col`` place the tile on the chip, ``pe_*`` the PE
    in the tile and ``array_*`` the subarray in the PE; ``row_*``/``col_*`` say which cells of the
    layer's matrix it holds (of one kernel position's slice, where that is not -1).

    ``owners[i]`` is the layer whose subarrays layer ``i`` uses: itself, the first insertion for a
    common shared block, or -1 for none.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    owners: tuple[int, ...]
    grid_rows: int
    grid_cols: int
    tile_layer: tuple[int, ...]
    tile_pes: tuple[tuple[int, int], ...]
    tile_cells: tuple[int, ...]
    columns: dict[str, numpy.typing.NDArray[numpy.int64]]

    def __len__(self) -> int:
        """Subarrays placed."""
        return len(self.columns["layer"])

    @property
    def cells(self) -> numpy.typing.NDArray[numpy.int64]:
        """Cells used in each subarray."""
        here = self.columns
        rows = here["row_stop"] - here["row_start"]
        return rows * (here["col_stop"] - here["col_start"])

    def tile_utilisation(self) -> numpy.typing.NDArray[numpy.float64]:
        """Share of each tile's cells that hold weights."""
        used = numpy.bincount(
            self.columns["tile"], weights=self.cells, minlength=len(self.tile_layer)
        )
        return used / numpy.maximum(numpy.array(self.tile_cells, dtype=numpy.float64), 1.0)

    def to_frame(self) -> pandas.DataFrame:
        """One row per subarray, with the layer's name."""
        import pandas as pd

        frame = pd.DataFrame(self.columns)
        frame.insert(0, "name", [self.names[index] for index in self.columns["layer"]])
        return frame
