"""Products of whole numbers where nothing is lost: slices, planes and groups merged into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from tsb.read_path.conversion import GroupConversion
    from tsb.read_path.product import Codes

#: Below, sums of whole numbers are exact in float32, in any order.
_WHOLE = 1 << 24
#: Most parts that a product is cut into for that; beyond, doubles are faster.
_MOST_PARTS = 8


def parts_of(weights: Tensor, most: int) -> list[tuple[slice, Tensor]]:
    """Cut whole weights into parts whose products are exact.

    Args:
        weights: whole, ``output channel ...``.
        most: largest magnitude of an input.

    Returns:
        Channels, and their weights in float32; all in float64 where that takes many parts.
    """
    sizes = weights.abs().flatten(2).sum(-1) if weights.dim() > 2 else weights.abs()
    parts, start = [], 0
    total = torch.zeros(len(weights), dtype=torch.int64)
    for channel in range(weights.shape[1]):
        here = sizes[:, channel] * most
        if channel > start and int((total + here).max()) >= _WHOLE:
            parts.append(slice(start, channel))
            start, total = channel, torch.zeros_like(total)
        total = total + here
    parts.append(slice(start, weights.shape[1]))
    if len(parts) > _MOST_PARTS or int((sizes * most).max()) >= _WHOLE:
        return [(slice(None), weights.double())]
    if len(parts) == 1:
        return [(slice(None), weights.float())]
    return [(part, weights[:, part].float().contiguous()) for part in parts]


def exact_product(values: Tensor, parts: list[tuple[slice, Tensor]]) -> Tensor:
    """Return a product of whole numbers, exactly, ``vector output``, float64.

    Args:
        values: whole, ``vector row``, in the type of the parts.
        parts: of :func:`parts_of`.
    """
    total = nn.functional.linear(values[..., parts[0][0]], parts[0][1]).double()
    for rows, weights in parts[1:]:
        total += nn.functional.linear(values[..., rows], weights)
    return total


def exact_convolution(
    values: Tensor, parts: list[tuple[slice, Tensor]], module: nn.Conv2d
) -> Tensor:
    """Return a convolution of whole numbers, exactly, ``image output row column``, float64.

    Args:
        values: whole, ``image channel row column``, in the type of the parts.
        parts: of :func:`parts_of`; one where channels are grouped.
        module: whose strides, padding and so on are taken.
    """

    def one(channels: slice, weights: Tensor) -> Tensor:
        return nn.functional.conv2d(
            values[:, channels], weights, None, module.stride, module.padding, module.dilation,
            module.groups,
        )  # fmt: skip

    total = one(*parts[0]).double()
    for channels, weights in parts[1:]:
        total += one(channels, weights)
    return total


def loses_nothing(conversion: GroupConversion) -> bool:
    """Whether a conversion gives every sum that can be: steps of a level that cannot clip.

    Args:
        conversion: of whole sums.
    """
    read, grids = conversion.read, conversion.grids
    if grids is None:
        return True
    if any(grid.levels is not None or grid.step != 1 or grid.low % 1 for grid in grids):
        return False
    columns = read.prepared(np.int64)
    shape = (read.matrix.slices, read.sides * read.width)
    for group in conversion.groups:
        rows = columns[read.groups.members(group)] * read.settings.top_drive
        highest = np.maximum(rows, 0).sum(0).reshape(shape).max(1)
        lowest = np.minimum(rows, 0).sum(0).reshape(shape).min(1)
        if any(
            low < grid.bottom or high > grid.high
            for low, high, grid in zip(lowest, highest, grids, strict=True)
        ):
            return False
    return True


def as_values(codes: Codes, like: Tensor) -> Tensor:
    """Return whole numbers as a tensor of the type of some weights.

    Args:
        codes: whole numbers.
        like: the weights.
    """
    return torch.from_numpy(codes.astype(np.float32 if like.dtype == torch.float32 else np.float64))
