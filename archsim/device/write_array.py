"""Writing crossbars row by row: the time that follows from the pulses of every cell.

A weight tensor is a matrix with a row per input and neighbouring columns per output, its cells, cut
into crossbars of ``rows x cols`` (a weight may be cut in two, as in the mapping). Where the mapping
gives every kernel pixel a PE of its own, the rows of a crossbar hold the input channels of one
pixel. The cells of a row in one crossbar are written in parallel, and the row waits for its slowest
cell; rows follow one another; crossbars are written in parallel as far as the drivers go round,
longest first. The average of this, without the crossbars' own spread, is in
:mod:`archsim.device.programming`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from archsim.errors import Code, ConfigError


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
    """

    rows: int
    cols: int
    parallel_subarrays: int = 1
    kernel_layers: frozenset[str] = frozenset()
    row_read_s: float | None = None
    cell_read_J: float | None = None

    def __post_init__(self) -> None:
        """Check the sizes.

        Raises:
            ConfigError: a size below 1.
        """
        for key in ("rows", "cols", "parallel_subarrays"):
            if getattr(self, key) < 1:
                raise ConfigError.of(
                    Code.OUT_OF_RANGE, key, getattr(self, key), allowed="1 or more"
                )

    def pixels(self, name: str, shape: torch.Size) -> int:
        """Return how many kernel pixels of a tensor have crossbars of their own: all, or 1.

        Args:
            name: of the tensor.
            shape: outputs, inputs and kernel.
        """
        return shape[2:].numel() if name in self.kernel_layers else 1


def raise_row_reads(
    row_reads: Float[Tensor, "strip row"],
    reads: Float[Tensor, "output input column"],
    place: tuple[slice, slice],
    *,
    cols: int,
) -> None:
    """Raise the reads of each crossbar's rows, in place, to those of the slowest cell of a block.

    Args:
        row_reads: most reads of a cell so far, in each row of each strip of ``cols`` columns.
        reads: verify reads of each cell of a block of weights, in the order of the columns of a
            weight (:attr:`WeightFormat.column_order`); 0 for a cell that is not verified.
        place: outputs and inputs of the block in the matrix of weights.
        cols: columns per strip (bit lines of a crossbar).
    """
    outputs, inputs = place
    columns = reads.permute(1, 0, 2).flatten(1)
    start = outputs.start * (columns.shape[-1] // reads.shape[0])
    end = start + columns.shape[-1]
    for strip in range(start // cols, -(-end // cols)):
        in_strip = columns[..., max(strip * cols - start, 0) : (strip + 1) * cols - start]
        held = row_reads[strip, inputs]
        torch.maximum(held, in_strip.amax(-1), out=held)


def crossbar_times_s(
    row_reads: Float[Tensor, "strip input"],
    *,
    rows: int,
    pulse_width_s: float,
    verify_read_time_s: float,
    pixels: int = 1,
) -> Float[Tensor, " crossbar"]:
    """Return the time to write each crossbar, s.

    A row takes one pulse, or as many pulses and reads as the slowest of its verified cells.

    Args:
        row_reads: most verify reads of a cell in the row; 0 for a row without verified cells. Its
            inputs are channels, and the pixels of a kernel within each.
        rows: word lines per crossbar.
        pulse_width_s: duration of a write pulse, s.
        verify_read_time_s: duration of the verify read of a row, s.
        pixels: kernel pixels that have crossbars of their own, see :meth:`WriteArray.pixels`.
    """
    reads = row_reads.double()
    per_row = reads.clamp_min(1) * pulse_width_s + reads * verify_read_time_s
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
