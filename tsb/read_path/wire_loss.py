"""What wires take from the current of each cell, over the place of the cell in its crossbar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tsb.read_path.converter import Floats
from tsb.read_path.product import MatrixRead
from tsb.read_path.sums import tail_segments
from tsb.read_path.wires import laid_out

#: Rows and columns of a map at most; beyond, neighbouring places are one.
_MOST = 32


@dataclass(frozen=True, eq=False)
class WireLoss:
    """The loss of current by wires, relative to ideal wires, all rows of a group on.

    Attributes:
        places: mean over the crossbars of a layer, ``row column``, the row farthest from the
            converters first; neighbours are taken together beyond 32. NaN where no cell lies or
            none carries current.
        mean: of all current.
        worst: of the places, one by one.
    """

    places: Floats
    mean: float
    worst: float


def wire_loss(reads: Sequence[MatrixRead]) -> WireLoss | None:
    """Return the loss by wires of a layer; None where wires do not act.

    Behind bit lines alone ("gated") it depends on the rows that are on: here all those that are
    read at once, which is the most.

    Args:
        reads: its matrices.
    """
    settings = reads[0].settings
    if not settings.wires.act:
        return None
    shape = (settings.rows, settings.wires.columns)
    ideal, seen = np.zeros(shape), np.zeros(shape)
    for read in reads:
        for first, wanted, carried in _crossbars(read):
            for at in range(0, wanted.shape[1], shape[1]):
                width = min(shape[1], wanted.shape[1] - at)
                place = np.s_[first : first + len(wanted), :width]
                ideal[place] += wanted[:, at : at + width]
                seen[place] += carried[:, at : at + width]
    single = _lost(ideal, seen)
    return WireLoss(
        places=_lost(_together(ideal), _together(seen)),
        mean=float(1 - seen.sum() / ideal.sum()),
        worst=float(np.nanmax(single)),
    )


def _lost(ideal: Floats, seen: Floats) -> Floats:
    safe = np.where(ideal > 0, ideal, 1.0)
    return np.where(ideal > 0, 1 - seen / safe, np.nan)


def _together(values: Floats) -> Floats:
    for axis, size in enumerate(values.shape):
        starts = np.arange(0, size, -(-size // _MOST))
        values = np.add.reduceat(values, starts, axis=axis)
    return values


def _crossbars(read: MatrixRead) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield the first row of each group in its crossbar, its cells, and what they contribute."""
    groups, settings = read.groups, read.settings
    cells = read.matrix.held + settings.off_level
    for group in range(len(groups)):
        rows = groups.members(group)
        first = int(groups.first[group])
        if settings.wires.rows_at == "bottom":
            first += settings.rows - int(groups.held[group])
        yield first, laid_out(cells[rows], settings), _carried(read, cells, group)


def _carried(read: MatrixRead, cells: Floats, group: int) -> Floats:
    rows = read.groups.members(group)
    if read.cells is not None:
        return laid_out(read.cells[rows], read.settings)
    settings, wires = read.settings, read.settings.wires
    level_S = (1 - 1 / settings.on_off_ratio) / wires.r_on_ohm / settings.top_level
    tail = tail_segments(read, group)
    flat = laid_out(cells[rows], settings)
    return flat * (1 - bit_line_volts(flat * level_S * wires.ohm_per_cell, tail))


def bit_line_volts(cells: Floats, tail: int) -> Floats:
    """Return the voltage of bit lines at each row, of those of the rows, all rows on.

    A chain of nodes: a cell from 1 V into each, segments of wire between them, the last one to
    ground. Gaussian elimination from the first row on, all bit lines at once.

    Args:
        cells: conductance times the resistance of a segment, ``row column``.
        tail: unused rows between the last row and ground.

    Returns:
        ``row column``.
    """
    rows = len(cells)
    diagonal = cells + np.array([1.0, *[2.0] * (rows - 2), 1.0] if rows > 1 else [0.0])[:, None]
    diagonal[-1] += 1 / (1 + tail)
    volts = cells.copy()
    for row in range(1, rows):
        diagonal[row] -= 1 / diagonal[row - 1]
        volts[row] += volts[row - 1] / diagonal[row - 1]
    volts[-1] /= diagonal[-1]
    for row in range(rows - 2, -1, -1):
        volts[row] = (volts[row] + volts[row + 1]) / diagonal[row]
    return volts
