"""Writing crossbars row by row: the time that follows from the pulses of every cell.

A weight tensor is a matrix with a row per input and neighbouring columns per output, its cells, cut
into crossbars of ``rows x cols`` (a weight may be cut in two, as in the mapping). Where the mapping
gives every kernel pixel a PE of its own, the rows of a crossbar hold the input channels of one
pixel. The cells of a row in one crossbar are written in parallel, all or in groups one after the
other (power), and each group waits for its slowest cell; rows follow one another; crossbars are
written in parallel as far as the drivers go round, longest first. The average of this, without the
crossbars' own spread, is in :mod:`archsim.device.programming`.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.errors import Code, ConfigError


class WriteGroup(NamedTuple):
    """Columns of a matrix that are written in parallel: the strip they lie in, first and end."""

    strip: int
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class WriteArray:
    """The crossbars that a tensor is written to.

    Attributes:
        rows: word lines per crossbar.
        cols: bit lines per crossbar, all written in parallel.
        parallel_subarrays: crossbars that are written at the same time (power of the drivers).
        kernel_layers: names of the tensors whose kernel pixels have crossbars of their own; all
            others are unrolled (im2col).
        row_read_s: duration of the verify read of a row through the crossbar's mux, s; None: the
            device's ``verify_read_time``, all columns at once.
        cell_read_J: energy of the verify read of a cell with its conversion, J; None: the device's
            ``verify_read_energy``.
        cells_at_once: cells of a row that are written in parallel (power of the pulses); None: all.
    """

    rows: int
    cols: int
    parallel_subarrays: int = 1
    kernel_layers: frozenset[str] = frozenset()
    row_read_s: float | None = None
    cell_read_J: float | None = None
    cells_at_once: int | None = None

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: a size below 1.
        """
        for key in ("rows", "cols", "parallel_subarrays", "cells_at_once"):
            if (getattr(self, key) or 0) < 1 and getattr(self, key) is not None:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, key, getattr(self, key), allowed="1 or more"
                )

    def groups(self, columns: int) -> tuple[WriteGroup, ...]:
        """Return the groups of columns that are written in parallel, in order.

        Args:
            columns: of the matrix.
        """
        width = min(self.cells_at_once or self.cols, self.cols)
        return tuple(
            WriteGroup(strip, start, min(start + width, (strip + 1) * self.cols, columns))
            for strip in range(-(-columns // self.cols))
            for start in range(strip * self.cols, min((strip + 1) * self.cols, columns), width)
        )

    def pixels(self, name: str, shape: torch.Size) -> int:
        """Return how many kernel pixels of a tensor have crossbars of their own: all, or 1.

        Args:
            name: of the tensor.
            shape: outputs, inputs and kernel.
        """
        return shape[2:].numel() if name in self.kernel_layers else 1


def raise_row_reads(
    row_reads: Float[Tensor, "group row"],
    reads: Float[Tensor, "output input column"],
    place: tuple[slice, slice],
    *,
    groups: Sequence[WriteGroup],
) -> None:
    """Raise the reads of each crossbar's rows, in place, to those of the slowest cell of a block.

    Args:
        row_reads: most reads of a cell so far, in each row of each group of columns.
        reads: verify reads of each cell of a block of weights, in the order of the columns of a
            weight (:attr:`WeightFormat.column_order`); 0 for a cell that is not verified.
        place: outputs and inputs of the block in the matrix of weights.
        groups: of columns that are written in parallel.
    """
    outputs, inputs = place
    columns = reads.permute(1, 0, 2).flatten(1)
    start = outputs.start * (columns.shape[-1] // reads.shape[0])
    end = start + columns.shape[-1]
    for index, group in enumerate(groups):
        if group.start < end and start < group.end:
            in_group = columns[..., max(group.start - start, 0) : group.end - start]
            held = row_reads[index, inputs]
            torch.maximum(held, in_group.amax(-1), out=held)


def crossbar_times_s(
    row_reads: Float[Tensor, "group input"],
    *,
    groups: Sequence[WriteGroup],
    rows: int,
    pulse_width_s: float,
    verify_read_time_s: float,
    pixels: int = 1,
) -> Float[Tensor, " crossbar"]:
    """Return the time to write each crossbar, s.

    A group of a row takes one pulse, or as many pulses and reads as the slowest of its verified
    cells.

    Args:
        row_reads: most verify reads of a cell in the row's group; 0 for one without verified cells.
            Its inputs are channels, and the pixels of a kernel within each.
        groups: of columns that are written in parallel.
        rows: word lines per crossbar.
        pulse_width_s: duration of a write pulse with its set-up, s.
        verify_read_time_s: duration of the verify read of a row, s.
        pixels: kernel pixels that have crossbars of their own, see :meth:`WriteArray.pixels`.
    """
    reads = row_reads.double()
    per_group = reads.clamp_min(1) * pulse_width_s + reads * verify_read_time_s
    strips = [group.strip for group in groups]
    per_row = per_group.new_zeros(len(set(strips)), reads.shape[-1]).index_add(
        0, torch.tensor(strips, dtype=torch.int64, device=reads.device), per_group
    )
    channels = per_row.shape[-1] // pixels
    placed = per_row.reshape(*per_row.shape[:-1], channels, pixels).transpose(-1, -2)
    return torch.cat([part.sum(-1).flatten() for part in placed.split(rows, dim=-1)])


def schedule_s(times_s: Float[Tensor, " crossbar"], *, parallel: int) -> float:
    """Return when the last crossbar is written, s: longest first, each by the first free driver.

    This is at most ``4/3 - 1 / (3 parallel)`` times the shortest schedule (Graham, SIAM Journal on
    Applied Mathematics 17, 1969, theorem 2).

    Args:
        times_s: time of each crossbar, in any order, s.
        parallel: drivers.
    """
    free = [0.0] * min(parallel, max(len(times_s), 1))
    for time in times_s.sort(descending=True).values.tolist():
        heapq.heapreplace(free, free[0] + time)
    return max(free)
