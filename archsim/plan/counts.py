"""How every layer lies on the chip, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.plan.constraint import Constraint
from archsim.plan.stage import RowStage


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
    ``written_twice`` is 1 for layers whose cells take one pulse before the policy's. ``stages``
    says how rows flow, and ``kept``/``waiting`` what lines must be kept for that: a share of each
    layer's input map, and further values.
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
    stages: tuple[RowStage, ...]
    kept: Tensor
    waiting: float

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
