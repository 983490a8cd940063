"""What the converters of a layer do to its column sums, slice by slice, over calibration images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsb.read_path.calibration import SliceSums
from tsb.read_path.converter import ConverterGrid
from tsb.read_path.product import MatrixRead


@dataclass(frozen=True, eq=False)
class SliceReadOut:
    """One slice of a layer: the sums of all its matrices without errors of cells.

    Attributes:
        sums: of all matrices together, levels.
        low: lowest end of the matrices' ranges, levels; None without a converter.
        high: highest end.
        step: largest distance of neighbouring codes, levels.
        codes: that a converter has.
        clip_rate: share of the sums that are outside of the range of their matrix.
        codes_used: codes that occur, the fewest of the matrices with sums enough for that.
        signal_to_noise: variance of the sums over the mean squared error of their conversion, the
            worst of the matrices; None where nothing is lost.
    """

    sums: SliceSums
    low: float | None = None
    high: float | None = None
    step: float | None = None
    codes: int | None = None
    clip_rate: float = 0.0
    codes_used: int | None = None
    signal_to_noise: float | None = None

    @property
    def effective_bits(self) -> float | None:
        """Half the base-2 logarithm of the signal-to-noise ratio, 0 below a ratio of 1.

        None where nothing is lost.
        """
        ratio = self.signal_to_noise
        return None if ratio is None else 0.5 * math.log2(max(ratio, 1.0))


#: Codes below which a layer is warned of. A matrix of fewer different sums cannot use as many.
FEWEST_CODES = 4


def slice_read_outs(reads: Sequence[MatrixRead]) -> list[SliceReadOut]:
    """Return the slices of a layer, least significant first.

    Args:
        reads: its matrices, calibrated.

    Raises:
        ValueError: they are not calibrated.
    """
    return [_slice(reads, index) for index in range(reads[0].matrix.slices)]


def _slice(reads: Sequence[MatrixRead], index: int) -> SliceReadOut:
    sums = [_sums(read)[index] for read in reads]
    pooled = SliceSums.of(
        np.concatenate([one.values for one in sums]), np.concatenate([one.counts for one in sums])
    )
    # Where ranges go by the rows that are used, those of the largest groups hold all sums.
    grids = [read.grids_of_groups()[-1][0] for read in reads]
    known = [grid[index] for grid in grids if grid is not None]
    if not known:
        return SliceReadOut(pooled)
    pairs = list(zip(sums, known, strict=True))
    counts = [int(one.counts.sum()) for one in sums]
    clipped = sum(
        count * one.clip_rate(grid) for count, (one, grid) in zip(counts, pairs, strict=True)
    )
    used = [one.codes_used(grid) for one, grid in pairs if len(one.values) >= FEWEST_CODES]
    ratios = [one.signal_to_noise(grid) for one, grid in pairs]
    lost = [ratio for ratio in ratios if 0 < ratio < math.inf]
    return SliceReadOut(
        sums=pooled,
        low=min(grid.bottom for grid in known),
        high=max(grid.high for grid in known),
        step=max(grid.step for grid in known),
        codes=_codes(known[0]),
        clip_rate=clipped / max(1, sum(counts)),
        codes_used=min(used, default=max(one.codes_used(grid) for one, grid in pairs)),
        signal_to_noise=min(lost, default=None),
    )


def _sums(read: MatrixRead) -> list[SliceSums]:
    if read.sums is None:
        raise ValueError("not calibrated")
    return read.sums


def _codes(grid: ConverterGrid) -> int:
    return grid.steps - grid.lowest_code + 1
