"""The sums that reach converters over calibration images, and the ranges that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, ConfigError
from tsb.read_path.converter import Floats, nearest_rank
from tsb.read_path.inputs import Codes

if TYPE_CHECKING:
    from tsb.read_path.product import MatrixRead
    from tsb.read_path.settings import ReadSettings

#: Entries of the counts of whole sums; beyond, sums are kept one by one.
MOST_COUNTS = 1 << 24


class SumCounter(Protocol):
    """What the sums of calibration images are collected in."""

    def add(self, codes: Codes) -> None:
        """Add the sums of some vectors, ``vector row``."""

    def ranges(self, percentile: float) -> list[tuple[float, float]]:
        """Return the range of each slice that a percentile leaves."""


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

    def ranges(self, percentile: float) -> list[tuple[float, float]]:
        """Return the range of each slice that a percentile leaves."""
        drives, sums = self.counts.shape[1:]
        values = np.asarray(
            self.off * np.arange(drives).reshape(-1, 1) + np.arange(sums) + self.lowest
        )
        return [_range(values.ravel(), counts.ravel(), self.read, percentile)
                for counts in self.counts]  # fmt: skip


class KeptSums:
    """Sums of real numbers, kept one by one."""

    def __init__(self, read: MatrixRead) -> None:
        """Begin with nothing; ``read`` is the matrix, without errors."""
        self.read = read
        self.parts: list[list[Floats]] = [[] for _ in range(read.matrix.slices)]

    def add(self, codes: Codes) -> None:
        """Add the sums of some vectors, ``vector row``."""
        from tsb.read_path.conversion import column_sums

        settings, read = self.read.settings, self.read
        for group in range(len(read.groups)):
            for shift in _shifts(settings):
                sums = column_sums(read, np.ascontiguousarray(codes), group, shift)
                for j, part in enumerate(self.parts):
                    counted = sums[:, j] if read.reference is None else sums[:, j, :, :-1]
                    part.append(counted.ravel())

    def ranges(self, percentile: float) -> list[tuple[float, float]]:
        """Return the range of each slice that a percentile leaves."""
        result = []
        for part in self.parts:
            values = np.concatenate(part) if part else np.zeros(0)
            ones = np.ones(len(values), dtype=np.int64)
            result.append(_range(values, ones, self.read, percentile))
        return result


def _range(
    values: Floats, counts: npt.NDArray[np.int64], read: MatrixRead, percentile: float
) -> tuple[float, float]:
    occurring = counts > 0
    values, counts = values[occurring], counts[occurring]
    if not len(values):
        raise ConfigError(
            "adc.range = 'calibrated' was given no images; allowed: one or more, or full-scale",
            code=Code.MISSING_KEY,
            field="adc.range",
            value="calibrated",
            allowed="one or more calibration images, or full-scale",
        )
    if read.settings.signed_sums:
        values = np.abs(values)
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    high = nearest_rank(values, counts, percentile)
    if read.settings.signed_sums:
        return -high, high
    low = nearest_rank(values, counts, 100 - percentile) if percentile < 100 else float(values[0])
    return low, high
