"""Values of axes that are allowed neither by themselves nor with any value of one other axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from archsim.arch.parameters import ParameterTable
from archsim.arch.rules import broken
from archsim.explore.space.axes import Dimension
from archsim.explore.space.writes import Write
from archsim.shapes import broadcast_shapes

#: Most pairs of values that are looked at together.
_PAIRS = 1_000_000


def forbidden_values(
    axes: Sequence[Dimension],
    writes: Sequence[Write],
    start: ParameterTable,
    always: Mapping[str, int],
) -> Iterator[tuple[Dimension, int]]:
    """Yield the axes and places of values that no rule allows with one other value at most.

    Args:
        axes: that write.
        writes: what they write, in order of writing.
        start: what they are written into.
        always: place of the value of an axis that the base needs, by path of the axis; it counts
            where nothing else is said of that axis.
    """
    for axis in axes:
        places = torch.arange(len(axis))
        left = places[~_legal(writes, start, {**_rows(always), axis.path: places})]
        for other in axes:
            if other is not axis and len(left):
                left = left[~_helped(writes, start, _rows(always), (axis, left), other)]
        yield from ((axis, int(place)) for place in left)


def _rows(always: Mapping[str, int]) -> dict[str, Tensor]:
    return {path: torch.tensor(place) for path, place in always.items()}


def _helped(
    writes: Sequence[Write],
    start: ParameterTable,
    always: Mapping[str, Tensor],
    values: tuple[Dimension, Tensor],
    other: Dimension,
) -> Tensor:
    """Return which values are allowed with any value of another axis."""
    axis, places = values
    pieces = places.split(max(1, _PAIRS // len(other)))
    columns = torch.arange(len(other))
    masks = [
        _legal(writes, start, {**always, axis.path: piece[:, None], other.path: columns})
        for piece in pieces
    ]
    return torch.cat([mask.any(dim=1) for mask in masks])


def _legal(writes: Sequence[Write], start: ParameterTable, rows: Mapping[str, Tensor]) -> Tensor:
    """Return where no rule is broken, in the shape of the places.

    Args:
        writes: of all axes.
        start: what they are written into.
        rows: places of the values that are written, by path of the axis.
    """
    columns = {
        path: column[rows[write.axis]]
        for write in writes
        if write.axis in rows
        for path, column in write.columns.items()
    }
    legal = torch.ones(broadcast_shapes(*(row.shape for row in rows.values())), dtype=torch.bool)
    for mask in broken(start.written(columns)).values():
        legal = legal & ~mask
    return legal
