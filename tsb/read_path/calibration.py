"""The sums that reach converters over calibration images, and the ranges that they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, ConfigError
from tsb.read_path.converter import (
    ConverterGrid,
    Floats,
    calibrated_grids,
    full_scale,
    grid_of,
    nearest_rank,
)
from tsb.read_path.inputs import Codes
from tsb.read_path.levels import clustered

if TYPE_CHECKING:
    from tsb.read_path.product import MatrixRead
    from tsb.read_path.settings import ReadSettings

#: Entries of the counts of whole sums; beyond, sums are kept one by one.
MOST_COUNTS = 1 << 24
#: Sums of a slice that are kept one by one; beyond, they are counted in bins of full scale / 2^20.
MOST_KEPT, _BINS = 1 << 23, 1 << 20


@runtime_checkable
class SumCounter(Protocol):
    """What the sums of calibration images are collected in."""

    def add(self, codes: Codes) -> None:
        """Add the sums of some vectors, ``vector row``."""

    def slices(self) -> list[SliceSums]:
        """Return the sums of each slice."""


@dataclass(frozen=True, eq=False)
class SliceSums:
    """The sums of one slice over calibration images.

    Attributes:
        values: that occur, ascending, levels, ``value``.
        counts: how often, ``value``.
    """

    values: Floats
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: Floats, counts: npt.NDArray[np.int64]) -> SliceSums:
        """Sort sums, and leave out those that do not occur.

        Args:
            values: any order, ``value``.
            counts: how often each occurs, ``value``.
        """
        distinct, place = np.unique(values[counts > 0], return_inverse=True)
        total = np.bincount(place, weights=counts[counts > 0], minlength=len(distinct))
        return cls(distinct, total.astype(np.int64))

    def _nothing(self) -> ConfigError:
        return ConfigError(
            "adc.range = 'calibrated' was given no images; allowed: one or more, or full-scale",
            code=Code.MISSING_KEY,
            field="adc.range",
            value="calibrated",
            allowed="one or more calibration images, or full-scale",
        )

    def range(self, percentile: float, *, signed: bool) -> tuple[float, float]:
        """Return the range that a percentile leaves, levels.

        Args:
            percentile: above 50, at most 100.
            signed: whether the range has the same extent on both sides of 0.

        Raises:
            ConfigError: no sums.
        """
        if not len(self.values):
            raise self._nothing()
        if signed:
            sizes = SliceSums.of(np.abs(self.values), self.counts)
            high = nearest_rank(sizes.values, sizes.counts, percentile)
            return -high, high
        high = nearest_rank(self.values, self.counts, percentile)
        return nearest_rank(self.values, self.counts, 100 - percentile), high

    def levels(self, codes: int, *, signed: bool) -> list[float]:
        """Return the levels that leave the smallest mean square error, rising.

        Args:
            codes: of the converter.
            signed: whether levels lie alike on both sides of 0, which is one of them.

        Raises:
            ConfigError: no sums.
        """
        if not len(self.values):
            raise self._nothing()
        if signed:
            sizes = SliceSums.of(np.abs(self.values), self.counts)
            found = clustered(sizes.values, sizes.counts, codes // 2 - 1)
            half = [level for level in found if level > 0] or [1.0]
            return [*(-level for level in reversed(half)), 0.0, *half]
        rising = clustered(self.values, self.counts, codes)
        return rising if len(rising) > 1 else [*rising, rising[0] + 1.0]

    def clip_rate(self, grid: ConverterGrid) -> float:
        """Return the share of the sums that are more than half a step outside of a range.

        Args:
            grid: of the converter.
        """
        half = grid.step / 2
        outside = (self.values < grid.bottom - half) | (self.values > grid.high + half)
        return float(self.counts[outside].sum() / max(1, self.counts.sum()))

    def codes_used(self, grid: ConverterGrid) -> int:
        """Return how many codes of a converter the sums get.

        Args:
            grid: of the converter.
        """
        return len(np.unique(grid.codes(self.values)))

    def signal_to_noise(self, grid: ConverterGrid) -> float:
        """Return the variance of the sums over the mean squared error of their conversion.

        Infinite where nothing is lost.

        Args:
            grid: of the converter.
        """
        weights = self.counts / max(1, self.counts.sum())
        spread = float((weights * (self.values - (weights * self.values).sum()) ** 2).sum())
        lost = float((weights * (grid.read(self.values) - self.values) ** 2).sum())
        return spread / lost if lost > 0 else np.inf


def grids_of_sums(settings: ReadSettings, sums: Sequence[SliceSums]) -> list[ConverterGrid]:
    """Return the grids that the range rule of a chip makes of the sums of each slice.

    Args:
        settings: of the chip, with a rule that calibrates.
        sums: over calibration images, one per slice.

    Raises:
        ConfigError: no sums.
    """
    converter, signed = settings.converter, settings.signed_sums
    if converter.of_batches:  # what is said of them; what is read has ranges of its own
        ends = [one.range(100.0, signed=signed) for one in sums]
        return [grid_of(settings, low, high) for low, high in ends]
    if converter.levels == "lloyd-max":
        codes = 1 << converter.bits
        levels = [one.levels(codes, signed=signed) for one in sums]
        return [ConverterGrid.of_levels(rising) for rising in levels]
    ranges = [one.range(converter.percentile, signed=signed) for one in sums]
    return calibrated_grids(settings, ranges)


def _shifts(settings: ReadSettings) -> list[int]:
    return [settings.dac_bits * plane for plane in range(settings.planes)]


class CountedSums:
    """Counts of whole sums by slice; conductances of level 0 are added when they are read."""

    def __init__(self, read: MatrixRead) -> None:
        """Begin with nothing; ``read`` is the matrix, without errors."""
        settings = read.settings
        self.read, self.off = read, settings.seen_off_level
        most = read.most_drive
        self.lowest = -most * settings.top_level if settings.signed_sums else 0
        sums = most * settings.top_level - self.lowest + 1
        drives = most + 1 if self.off else 1
        self.counts = np.zeros((read.matrix.slices, drives, sums), dtype=np.int64)
        columns = read.columns_of(read.matrix.levels)
        self.cells = np.ascontiguousarray(columns.reshape(len(columns), -1)).astype(np.int32)
        slices = np.arange(read.matrix.slices).reshape(-1, 1, 1)
        slice_of = np.broadcast_to(slices, columns.shape[1:]).copy()
        if read.reference is not None:
            slice_of[..., -1] = -1  # the reference column takes the range of the others
        self.slice_of = slice_of.ravel()

    def add(self, codes: Codes) -> None:
        """Add the sums of some vectors, ``vector row``."""
        from tsb.read_path import kernels

        settings, groups = self.read.settings, self.read.groups
        for group in range(len(groups)):
            kernels.count_sums(
                np.ascontiguousarray(codes),
                self.cells,
                groups.members(group),
                np.array(_shifts(settings)),
                settings.top_drive,
                np.arange(settings.top_drive + 1, dtype=np.int32),
                self.slice_of,
                self.lowest,
                self.counts,
            )

    def slices(self) -> list[SliceSums]:
        """Return the sums of each slice."""
        drives, sums = self.counts.shape[1:]
        values = np.asarray(
            self.off * np.arange(drives).reshape(-1, 1) + np.arange(sums) + self.lowest
        )
        return [SliceSums.of(values.ravel(), counts.ravel()) for counts in self.counts]


class KeptSums:
    """Sums of real numbers, kept one by one while there are few enough."""

    def __init__(self, read: MatrixRead) -> None:
        """Begin with nothing; ``read`` is the matrix, without errors."""
        self.read = read
        self.parts: list[list[Floats]] = [[] for _ in range(read.matrix.slices)]
        self.kept = 0
        self.bin = full_scale(read.settings, read.settings.rows_read) / _BINS
        self.binned: list[SliceSums | None] = [None] * read.matrix.slices

    def add(self, codes: Codes) -> None:
        """Add the sums of some vectors, ``vector row``."""
        from tsb.read_path.sums import column_sums

        settings, read = self.read.settings, self.read
        codes = np.ascontiguousarray(codes)
        for group in range(len(read.groups)):
            for plane in range(settings.planes):
                sums = column_sums(read, codes, group, plane)
                for j, part in enumerate(self.parts):
                    counted = sums[:, j] if read.reference is None else sums[:, j, :, :-1]
                    part.append(counted.ravel())
                self.kept += self.parts[0][-1].size
                if self.kept > MOST_KEPT:
                    self.binned = list(self.slices())
                    self.parts = [[] for _ in self.parts]
                    self.kept = 0

    def slices(self) -> list[SliceSums]:
        """Return the sums of each slice; in bins where they are many, which bounds memory."""
        result = []
        many = self.kept > MOST_KEPT or self.binned[0] is not None
        for part, before in zip(self.parts, self.binned, strict=True):
            values = np.concatenate(part) if part else np.zeros(0)
            if many:
                values = np.round(values / self.bin) * self.bin
            counts = np.ones(len(values), dtype=np.int64)
            if before is not None:
                values = np.concatenate([before.values, values])
                counts = np.concatenate([before.counts, counts])
            result.append(SliceSums.of(values, counts))
        return result
