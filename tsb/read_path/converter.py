"""The grid of a converter: range, steps, codes; what a range rule makes of column sums.

All in *levels*: the conductance of one level of a cell, times the digit of an input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, ConfigError
from tsb.read_path.settings import ReadSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ConverterGrid:
    """The codes of the converter of one slice.

    A sum S gets the code ``clamp(floor((S - low) steps / span + 1/2), lowest_code, steps)``, ties
    up, and is read as ``low + code span / steps``. A step is never below one level.

    Attributes:
        low: sum of code 0, levels.
        span: distance to the sum of the highest code, levels.
        steps: highest code.
        lowest_code: 0, or ``-steps`` where sums have a sign.
        levels: of the codes, rising, where they are not evenly spaced: then a sum gets the nearest
            one, ties up.
    """

    low: float
    span: float
    steps: int
    lowest_code: int
    levels: tuple[float, ...] | None = None

    @classmethod
    def of_levels(cls, levels: Sequence[float]) -> ConverterGrid:
        """Return the grid of levels that are not evenly spaced.

        Args:
            levels: rising.
        """
        held = tuple(float(level) for level in levels)
        return cls(held[0], held[-1] - held[0], len(held) - 1, 0, held)

    @classmethod
    def of_range(cls, low: float, high: float, *, bits: int, signed: bool) -> ConverterGrid:
        """Return the grid of a range.

        Args:
            low: lower end, levels; the negative of the upper one where sums have a sign.
            high: upper end, levels.
            bits: of the converter, at least 1 (2 where sums have a sign).
            signed: whether sums have a sign, which takes a bit.

        Raises:
            ConfigError: no range, or no bits.
        """
        if bits < 1 + signed:
            raise ConfigError.of(
                Code.OUT_OF_RANGE,
                "adc.bits",
                bits,
                allowed="2 or more for pairs that are subtracted before they are converted"
                if signed
                else "1 or more, or 0 for none",
            )
        if not (math.isfinite(low) and math.isfinite(high) and high >= low):
            raise ConfigError(
                f"range of a converter = {low:g} to {high:g} levels; allowed: an upper end that is "
                "not below the lower one",
                code=Code.OUT_OF_RANGE,
                field="adc.range",
                value=(low, high),
                allowed="an upper end that is not below the lower one",
            )
        steps = (1 << (bits - signed)) - 1
        if signed:
            return cls(0.0, max(float(max(high, -low)), float(steps)), steps, -steps)
        return cls(float(low), max(float(high - low), float(steps)), steps, 0)

    @property
    def step(self) -> float:
        """Distance between neighbouring codes, levels."""
        return self.span / self.steps

    @property
    def high(self) -> float:
        """Sum of the highest code, levels."""
        return self.low + self.span

    @property
    def bottom(self) -> float:
        """Sum of the lowest code, levels."""
        return self.low + self.lowest_code * self.step

    def codes(self, sums: Floats, added: Floats | float = 0.0) -> npt.NDArray[np.int64]:
        """Return the codes of sums.

        Args:
            sums: levels, any shape.
            added: to the place of a sum on the grid, steps.
        """
        if self.levels is not None:
            levels = np.array(self.levels)
            edges = (levels[:-1] + levels[1:]) / 2
            found = np.searchsorted(edges, sums + added * self.step, side="right")
            return np.asarray(found, dtype=np.int64)
        exact = np.floor((sums - self.low) * self.steps / self.span + (0.5 + added))
        return np.clip(exact, self.lowest_code, self.steps).astype(np.int64)

    def read(self, sums: Floats, added: Floats | float = 0.0) -> Floats:
        """Return sums as the converter reads them, levels.

        Args:
            sums: levels, any shape.
            added: to the place of a sum on the grid, steps.
        """
        codes = self.codes(sums, added)
        if self.levels is not None:
            return np.array(self.levels)[codes]
        converted: Floats = self.low + codes * self.span / self.steps
        return converted


def snapped(low: float, high: float, *, signed: bool) -> tuple[float, float]:
    """Return a range whose span is the next odd whole number: whole sums are then never ties.

    Args:
        low: levels.
        high: levels.
        signed: whether sums have a sign; then the half of the range is made odd.
    """
    span = math.ceil((high if signed else high - low) - 1e-9)
    span += 1 - span % 2
    return (-float(span), float(span)) if signed else (low, low + span)


def power_of_two(
    ranges: Sequence[tuple[float, float]], codes: int, *, signed: bool
) -> list[tuple[float, float]]:
    """Return ranges that are powers of two apart, so that shifts add up the codes of slices.

    The widest one stays, the others become the smallest such range that holds theirs and has steps
    of a level or more.

    Args:
        ranges: lower and upper end per slice, levels.
        codes: highest code of a converter.
        signed: whether ranges have the same extent on both sides of 0.
    """
    spans = [max(high if signed else high - low, float(codes)) for low, high in ranges]
    widest = max(spans)
    held = [widest / 2.0 ** math.floor(math.log2(widest / span)) for span in spans]
    return [
        (-span, span) if signed else (low, low + span)
        for (low, _), span in zip(ranges, held, strict=True)
    ]


def nearest_rank(values: Floats, counts: npt.NDArray[np.int64], percentile: float) -> float:
    """Return a percentile by nearest rank.

    Args:
        values: sorted, ``value``.
        counts: how often each occurs, ``value``.
        percentile: above 0, at most 100.
    """
    below = np.cumsum(counts)
    # The percentile is the decimal that was written, whatever its nearest double.
    rank = max(1, math.ceil(Fraction(repr(round(percentile, 9))) * int(below[-1]) / 100))
    return float(values[np.searchsorted(below, rank)])


def full_scale(settings: ReadSettings, rows: int) -> float:
    """Return the largest sum that rows can give, levels.

    Args:
        settings: of the chip.
        rows: that are on at once.
    """
    return rows * settings.top_drive * (settings.top_level + settings.seen_off_level)


def needed_bits(rows: int, top_level: int, top_drive: int) -> int:
    """Return the converter bits that lose nothing: ``ceil(log2(N L X + 1))``.

    Args:
        rows: N, read at once.
        top_level: L, of a cell.
        top_drive: X, of a word line.
    """
    return math.ceil(math.log2(rows * top_level * top_drive + 1))


def fixed_grids(settings: ReadSettings, rows_used: int, slices: int) -> list[ConverterGrid]:
    """Return the grids of a rule that needs no calibration, one per slice.

    Args:
        settings: of the chip.
        rows_used: rows of the group that hold weights; ``full-scale-used`` is about them.
        slices: of a weight.

    Raises:
        ConfigError: a rule that needs calibration.
    """
    converter, signed = settings.converter, settings.signed_sums
    if converter.range == "unit-step":
        high = float((1 << (converter.bits - signed)) - 1)
    elif converter.range == "full-scale" or converter.of_batches:  # these read by their own
        high = full_scale(settings, settings.rows_read)
    elif converter.range == "full-scale-used":
        high = full_scale(settings, rows_used)
    else:
        raise ConfigError(
            f"adc.range = '{converter.range}' needs images to calibrate on",
            code=Code.MISSING_KEY,
            field="adc.range",
            value=converter.range,
            allowed="full-scale, full-scale-used or unit-step without images",
        )
    low = -high if signed else 0.0
    return [grid_of(settings, low, high)] * slices


def grid_of(settings: ReadSettings, low: float, high: float) -> ConverterGrid:
    """Return the grid of a range, with the levels of a table where there is one.

    Args:
        settings: of the chip.
        low: lower end, levels.
        high: upper end, levels.
    """
    converter, signed = settings.converter, settings.signed_sums
    grid = ConverterGrid.of_range(low, high, bits=converter.bits, signed=signed)
    if isinstance(converter.levels, str):
        return grid
    if converter.levels[0] < 0 and not signed:
        raise ConfigError(
            f"adc.levels: a table from {converter.levels[0]:g} on for sums without a sign; "
            "allowed: 0 to 1",
            code=Code.OUT_OF_RANGE,
            field="adc.levels",
            value=converter.levels[0],
            allowed="0 to 1, or pairs that are subtracted before they are converted",
        )
    return ConverterGrid.of_levels([grid.low + level * grid.span for level in converter.levels])


def calibrated_grids(
    settings: ReadSettings, ranges: Sequence[tuple[float, float]]
) -> list[ConverterGrid]:
    """Return the grids of measured ranges, one per slice.

    Args:
        settings: of the chip.
        ranges: lower and upper end per slice, levels.
    """
    converter, signed = settings.converter, settings.signed_sums
    if converter.snap:
        ranges = [snapped(low, high, signed=signed) for low, high in ranges]
    if converter.slice_ranges == "power-of-two":
        codes = (1 << (converter.bits - signed)) - 1
        ranges = power_of_two(ranges, codes, signed=signed)
    return [grid_of(settings, low, high) for low, high in ranges]
