"""Converting the column sums of the groups of a matrix: by compiled loops, or sum by sum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tsb.read_path.converter import ConverterGrid, Floats
from tsb.read_path.effects.base import ReadPlace
from tsb.read_path.effects.read_noise import cell_noise
from tsb.read_path.exact import loses_nothing
from tsb.read_path.sums import column_sums, digits_of

if TYPE_CHECKING:
    from tsb.read_path.product import Codes, MatrixRead
    from tsb.read_path.read_noise import Noise

#: Most bits of the fixed-point factor of whole sums, and of the sums themselves.
_FACTOR_BITS, _SUM_BITS = 22, 22
#: Columns are padded to a multiple of this: compiled loops take so many at a time, or one by one.
PADDED = 32


@dataclass(frozen=True, eq=False)
class GroupConversion:
    """The conversion of some groups of a matrix, which have the same grids.

    Attributes:
        read: the matrix.
        grids: one per slice; None converts without rounding.
        groups: which.
    """

    read: MatrixRead
    grids: list[ConverterGrid] | None
    groups: list[int]

    @property
    def _grids(self) -> list[ConverterGrid]:
        if self.grids is None:
            raise ValueError("nothing is converted")
        return self.grids

    def read_sums(self, codes: Codes, noise: Noise | None, first_vector: int) -> Floats:
        """Convert sum by sum, ``vector slice column``: slow, for what has no compiled loop."""
        read, settings = self.read, self.read.settings
        total: Floats = np.zeros((len(codes), read.matrix.slices, read.width))
        for group in self.groups:
            for plane in range(settings.planes):
                digits = digits_of(read, codes, group, plane)
                at = ReadPlace(read, digits, group, plane, noise, first_vector)
                sums = column_sums(read, codes, group, plane)
                for effect in read.effects:
                    sums = effect.sums(at, sums)
                if self.grids is not None:
                    sums = self._converted(at, sums)
                joined = sums[:, :, 0] - sums[:, :, 1] if sums.shape[2] > 1 else sums[:, :, 0]
                total = total + self._weight(plane) * joined
        return np.asarray(total)

    def _converted(self, at: ReadPlace, sums: Floats) -> Floats:
        """Return sums as the converters read them."""
        found = [effect.steps(at) for effect in self.read.effects]
        added = np.zeros(sums.shape)
        for steps in found:
            if steps is not None:
                added = added + steps
        for effect in self.read.effects:
            converted = effect.convert(at, sums, added)
            if converted is not None:
                return converted
        return np.stack(
            [grid.read(sums[:, j], added[:, j]) for j, grid in enumerate(self._grids)], axis=1
        )

    def _weight(self, plane: int) -> float:
        settings = self.read.settings
        weight = float(1 << (settings.dac_bits * plane))
        return -weight if self.read.sign_plane and plane == settings.planes - 1 else weight

    def totals(self, codes: Codes, noise: Noise | None, first_vector: int) -> Floats:
        """Return sums over groups, planes and slices as converted, levels, ``vector column``.

        Args:
            codes: input codes, ``vector row``.
            noise: seeds; None where nothing is drawn.
            first_vector: number of the first vector among all.
        """
        read = self.read
        if self.grids is None or not self._compiled:
            sums = self.read_sums(codes, noise, first_vector)
            return np.asarray(np.einsum("vjc,j->vc", sums, read.matrix.significances))
        from tsb.read_path import kernels

        width = read.matrix.slices * read.sides * read.width
        padded = width + -width % PADDED
        out = np.zeros((len(codes), padded), np.int32 if self._fits else np.int64)
        for group in self.groups:
            if self._fixed_point is None:
                self._real(codes, group, noise, first_vector, out)
            else:
                self._whole(codes, group, self._fixed_point, out)
        total = np.empty((len(codes), read.width))
        scales, constant = self._worth
        kernels.joined(out, read.matrix.slices, read.sides, scales, constant, total)
        return total

    @cached_property
    def _worth(self) -> tuple[Floats, float]:
        """What a step of each slice is worth, and the sums at code 0 of all conversions."""
        read, significances = self.read, self.read.matrix.significances
        steps = np.array([grid.step for grid in self._grids])
        planes = sum(self._weight(plane) for plane in range(read.settings.planes))
        lows = np.array([grid.low for grid in self._grids])
        constant = float((lows * significances).sum()) * planes * len(self.groups)
        return steps * significances, constant if read.sides == 1 else 0.0

    @cached_property
    def _compiled(self) -> bool:
        """Whether the compiled loops know all that acts."""
        even = all(grid.levels is None for grid in self._grids)
        return even and all(effect.compiled for effect in self.read.effects)

    @cached_property
    def lossless(self) -> bool:
        """Whether every whole sum that can be is given as it is."""
        return loses_nothing(self)

    @cached_property
    def _fits(self) -> bool:
        """Whether sums of codes fit into 32 bits."""
        planes = float(1 << (self.read.settings.dac_bits * self.read.settings.planes))
        return planes * self._grids[0].steps * len(self.groups) < 2**31 - 1

    def _plane_weights(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        planes = range(self.read.settings.planes)
        return np.array([self._weight(plane) for plane in planes]).astype(dtype)

    def _per_column(self, values: list[float], padding: float = 0.0) -> Floats:
        """Spread values of slices over the columns, padding at the end."""
        per_slice = self.read.sides * self.read.width
        columns = np.repeat(np.array(values, dtype=np.float64), per_slice)
        return np.pad(columns, (0, -len(columns) % PADDED), constant_values=padding)

    @cached_property
    def _fixed_point(self) -> _FixedPoint | None:
        """Return the codes of whole sums in whole numbers; None where sums are real."""
        read, converter = self.read, self.read.settings.converter
        if not read.whole or converter.noise_lsb or converter.offset_lsb:
            return None
        most = read.most_drive * read.settings.top_level
        lowest = -most if read.settings.signed_sums else 0
        return _FixedPoint.of(self._grids, lowest, most)

    def _whole(self, codes: Codes, group: int, fixed: _FixedPoint, out: npt.NDArray[Any]) -> None:
        from tsb.read_path import kernels

        read, settings, grids = self.read, self.read.settings, self._grids
        small = read.most_drive * settings.top_level < 2**15
        dtype = np.int16 if small else np.int32
        kernels.whole_codes(
            codes,
            read.prepared(dtype, PADDED),
            read.groups.members(group),
            np.array([settings.dac_bits * plane for plane in range(settings.planes)]),
            settings.top_drive,
            np.arange(settings.top_drive + 1).astype(dtype),
            self._plane_weights(out.dtype),
            self._per_column(fixed.factor).astype(np.int32),
            self._per_column(fixed.addend).astype(np.int32),
            np.int32(fixed.right),
            np.int32(grids[0].lowest_code),
            np.int32(grids[0].steps),
            out,
        )

    def _real(
        self,
        codes: Codes,
        group: int,
        noise: Noise | None,
        first_vector: int,
        out: npt.NDArray[Any],
    ) -> None:
        from tsb.read_path import kernels

        read, settings, grids = self.read, self.read.settings, self._grids
        # Without errors sums may lie on the edge between two codes: doubles decide there.
        dtype = np.float64 if read.matrix.errors is None else np.float32
        held: npt.DTypeLike = dtype
        if read.matrix.errors is None and read.cells is None and read.linear:
            # The sums themselves are whole; what level 0 adds to them comes with the conversion.
            held = np.int16 if read.most_drive * settings.top_level < 2**15 else np.int32
        low: Any = self._per_column([grid.low for grid in grids]).astype(dtype)
        span: Any = self._per_column([grid.span for grid in grids], 1.0).astype(dtype)
        added = read.offsets_of(group)
        offsets = np.pad(0.5 + added, (0, len(low) - len(added)), constant_values=0.5).astype(dtype)
        zero_code = np.floor(np.negative(low) * grids[0].steps / span + offsets)
        zero_code = np.clip(zero_code, grids[0].lowest_code, grids[0].steps)
        converter_noise = settings.converter.noise_lsb if noise else 0.0
        keys = np.zeros((settings.planes, 2), np.uint64)
        kernels.real_codes(
            codes,
            read.prepared(held, PADDED),
            read.groups.members(group),
            np.array([settings.dac_bits * plane for plane in range(settings.planes)]),
            settings.top_drive,
            read.drive.astype(held),
            self._plane_weights(out.dtype),
            read.off_level,
            low,
            span,
            dtype(grids[0].steps),
            dtype(grids[0].lowest_code),
            dtype(grids[0].steps),
            offsets,
            cell_noise(settings) if noise else 0.0,
            converter_noise,
            keys if noise is None else noise.keys(group, settings.planes),
            first_vector,
            converter_noise == 0 and not zero_code.any(),
            len(added),
            out,
        )


@dataclass(frozen=True)
class _FixedPoint:
    """Codes of whole sums as ``(sum factor + addend) >> right``, checked for every sum.

    Attributes:
        factor: of each slice.
        addend: of each slice.
        right: bits.
    """

    factor: list[float]
    addend: list[float]
    right: int

    @classmethod
    def of(cls, grids: list[ConverterGrid], lowest: int, highest: int) -> _FixedPoint | None:
        """Return factors that give every code; None where there are none of 32 bits.

        Args:
            grids: one per slice.
            lowest: sum.
            highest: sum.
        """
        largest = max(-lowest, highest, 1)
        if largest.bit_length() > _SUM_BITS:
            return None
        sums = np.arange(lowest, highest + 1)
        right = min(_FACTOR_BITS, 30 - largest.bit_length())
        unit = float(1 << right)
        factors, addends = [], []
        for grid in grids:
            factor = round(grid.steps / grid.span * unit)
            # Half a unit of the factor at the largest sum: ties stay above their edge.
            addend = round((0.5 - grid.low * grid.steps / grid.span) * unit) + largest // 2 + 1
            if abs(addend) >= 2**30:
                return None
            codes = np.clip((sums * factor + addend) >> right, grid.lowest_code, grid.steps)
            if not np.array_equal(codes, grid.codes(sums.astype(np.float64))) or (
                np.clip(addend >> right, grid.lowest_code, grid.steps) != 0
            ):
                return None
            factors.append(float(factor))
            addends.append(float(addend))
        return cls(factors, addends, right)
