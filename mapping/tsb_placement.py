"""Where the Tiny Shared Block goes: added rows for each insertion, owned or borrowed.

A c x c 1x1 convolution follows each insertion point. A map of C channels is cut into ceil(C / c)
groups, the last one zero-padded; every group uses the same weights.

* ``common``: one crossbar (or ``tsb.copies``) for the whole chip. Every insertion queues all its
  groups and pixels on it, ``ceil(C / c) * H * W * depth`` vectors, and travels there and back.
* ``separate``: each insertion has its own crossbar, one per channel group (``tsb.per_group``) or
  one per layer that takes the groups in turn. A layer narrower than the block only programs the
  corner of it that it uses.

Copies of a block (``tsb.copies``) stand on the diagonal of a crossbar as far as they fit: they
share no word line and no column, so one read of the crossbar serves a vector of each. To mapping
and cost they are one block-diagonal matrix, ``diagonal`` times as high and wide, for that many
times fewer vectors. Further copies are those of any matrix (:mod:`mapping.tile_counts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import AUTO, FILL, LIKE_BACKBONE, DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.network.insertion import InsertionPoint
from mapping.bit_slice import matrix_columns


@dataclass(frozen=True, eq=False)
class TsbRows:
    """The insertions as matrix rows, ``*batch insertion``.

    ``wanted`` copies of each block are asked for, inf for as many as fit; 0 leaves them to what
    holds for backbone layers. ``diagonal`` of them share a crossbar; ``channels`` and ``vectors``
    are those of their block-diagonal matrix, ``products`` the products of one block with a vector.
    """

    channels: Tensor
    vectors: Tensor
    products: Tensor
    wanted: Tensor
    diagonal: Tensor
    map_height: Tensor
    map_elements: Tensor
    instances: Tensor
    owned: Tensor
    active: Tensor
    shared: Tensor
    is_signed: Tensor


def group_count(*, channels: Tensor, block_channels: Tensor) -> Tensor:
    """Return the channel groups of a map, ceil(C / c)."""
    return torch.ceil(channels / block_channels)


def place_tsb(*, design: DesignBatch, points: Sequence[InsertionPoint]) -> TsbRows:
    """Turn the insertion points into matrix rows under each design's placement.

    Args:
        design: ``*batch``.
        points: insertion points in execution order; may be empty.
    """
    device = design.rows.device

    def column(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    channels = column([point.channels for point in points])
    height = column([point.height for point in points])
    width = column([point.width for point in points])
    first = column([1 if index == 0 else 0 for index in range(len(points))])
    block = design.tsb_channels.unsqueeze(-1)
    depth = design.tsb_depth.unsqueeze(-1)
    common = (design.placement == PLACEMENTS.index("common")).unsqueeze(-1)
    separate = (design.placement == PLACEMENTS.index("separate")).unsqueeze(-1)
    per_group = design.tsb_per_group.unsqueeze(-1) & separate
    groups = group_count(channels=channels, block_channels=block)
    wide = torch.where(common, block, torch.minimum(block, channels))
    in_turn = torch.where(per_group, 1.0, groups)
    instances = torch.where(per_group, groups, 1.0)
    owned = torch.where(common, first * depth, torch.where(separate, instances * depth, 0.0))
    active = (common | separate).to(torch.float64)
    wanted = _wanted(design).unsqueeze(-1)
    diagonal = torch.minimum(_on_diagonal(design, wide), wanted.clamp_min(1.0))
    ones = torch.ones_like(groups * active)
    pixels = in_turn * height * width
    return TsbRows(
        channels=wide * diagonal * ones,
        vectors=torch.ceil(pixels / diagonal) * depth * ones,
        products=pixels * depth * ones,
        wanted=wanted * ones,
        diagonal=diagonal * ones,
        map_height=height * ones,
        map_elements=wide * height * width * in_turn,
        instances=instances * ones,
        owned=owned * ones,
        active=active * ones,
        shared=(common & (ones > 0)).to(torch.float64),
        is_signed=column([int(point.signed) for point in points]) * ones,
    )


def _wanted(design: DesignBatch) -> Tensor:
    """Copies asked for, ``*batch``: inf for ``fill``, 0 where they are copied like the backbone.

    What ``auto`` means has to be known by now (``archsim.analysis.copies``): NaN where it is not.
    """
    asked = design.tsb_copies
    common = (design.placement == PLACEMENTS.index("common")).to(torch.float64)
    number = torch.where(
        asked == FILL, torch.inf, torch.where(asked <= LIKE_BACKBONE, common, asked)
    )
    return torch.where(asked == AUTO, torch.nan, number)


def _on_diagonal(design: DesignBatch, wide: Tensor) -> Tensor:
    """Blocks of ``wide`` channels that fit the diagonal of a crossbar, at least one."""
    columns = matrix_columns(design=design, weights_wide=wide)
    by_rows = torch.floor(design.rows.unsqueeze(-1) / wide)
    by_cols = torch.floor(design.cols.unsqueeze(-1) / columns)
    return torch.minimum(by_rows, by_cols).clamp_min(1.0)
