"""Converting the column sums of the groups of a matrix: by compiled loops, or sum by sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tsb.read_path.converter import ConverterGrid, Floats

if TYPE_CHECKING:
    from tsb.read_path.product import Codes, MatrixRead, Noise

#: Most bits of the fixed-point factor of whole sums.
_FACTOR_BITS = 22
GATED_FORMS = {"gated": 0, "gated-tanh": 1, "gated-tanh-distance": 2,
                "gated-tanh-distance-series": 3}  # fmt: skip


def column_sums(read: MatrixRead, codes: Codes, group: int, shift: int) -> Floats:
    """Return the sums that reach the converters, levels, ``vector slice side column``.

    Args:
        read: the matrix.
        codes: input codes, ``vector row``.
        group: of rows.
        shift: where the digit of the plane begins, bits.
    """
    settings, members = read.settings, read.groups.members(group)
    digits = (codes[:, members].astype(np.int64) >> shift) & settings.top_drive
    if read.gated:
        return _gated(read, codes, group, shift)
    held = read.matrix.held if read.cells is None else read.cells
    columns = read.columns_of(held)[members]
    sums = digits.astype(np.float64) @ columns.reshape(len(members), -1)
    sums += read.off_level * digits.sum(1, dtype=np.float64)[:, None]
    return np.asarray(sums.reshape(len(codes), *columns.shape[1:]))


def _gated(read: MatrixRead, codes: Codes, group: int, shift: int) -> Floats:
    """Sums behind bit lines with resistance; see :func:`tsb.read_path.kernels.gated_sums`."""
    from tsb.read_path import kernels

    settings, wires = read.settings, read.settings.wires
    off = settings.off_level
    held = read.matrix.held + off
    reference = read.reference
    if reference is not None:
        shape = (*held.shape[:3], 1)
        column = np.broadcast_to(reference.reshape(1, -1, 1, 1) + off, shape)
        held = np.concatenate([held, column], axis=-1)
    cells = np.ascontiguousarray(held.reshape(len(held), -1))
    out = np.empty((len(codes), cells.shape[1]))
    level_S = (1 - 1 / settings.on_off_ratio) / wires.r_on_ohm / settings.top_level
    kernels.gated_sums(
        codes,
        cells,
        read.groups.members(group),
        shift,
        settings.top_drive,
        np.arange(settings.top_drive + 1, dtype=np.float64),
        wires.ohm_per_cell * level_S,
        tail_segments(read, group),
        GATED_FORMS[wires.model],
        out,
    )
    sums = out.reshape(len(codes), *held.shape[1:])
    if settings.signed_sums:
        return sums[:, :, :1] - sums[:, :, 1:]
    if settings.subtracts_analog:
        digits = (codes[:, read.groups.members(group)].astype(np.int64) >> shift) & (
            settings.top_drive
        )
        sums = sums - off * digits.sum(1, dtype=np.float64)[:, None, None, None]
    return sums


def tail_segments(read: MatrixRead, group: int) -> int:
    """Return the segments of bit line between a group's last row and the last of its crossbar.

    Args:
        read: the matrix.
        group: of rows.
    """
    groups, settings = read.groups, read.settings
    after = int(groups.held[group] - groups.first[group] - groups.sizes[group])
    if settings.wires.rows_at == "top":
        after += settings.rows - int(groups.held[group])
    return after


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
                shift = settings.dac_bits * plane
                sums = column_sums(read, codes, group, shift)
                if settings.read_noise:
                    sums = sums + self._noise(codes, group, plane, noise, first_vector)
                if self.grids is not None:
                    sums = np.stack(
                        [grid.read(sums[:, j]) for j, grid in enumerate(self.grids)], axis=1
                    )
                joined = sums[:, :, 0] - sums[:, :, 1] if sums.shape[2] > 1 else sums[:, :, 0]
                total = total + self._weight(plane) * joined
        return np.asarray(total)

    def _weight(self, plane: int) -> float:
        settings = self.read.settings
        weight = float(1 << (settings.dac_bits * plane))
        return -weight if self.read.sign_plane and plane == settings.planes - 1 else weight

    def _noise(
        self, codes: Codes, group: int, plane: int, noise: Noise | None, first_vector: int
    ) -> Floats:
        from tsb.read_path.product import Noise
        from tsb.read_path.read_noise import normals

        read, settings = self.read, self.read.settings
        keys = (noise or Noise(0)).keys(group, settings.planes)
        digits = (codes[:, read.groups.members(group)] >> (settings.dac_bits * plane)) & (
            settings.top_drive
        )
        spread = np.sqrt((digits.astype(np.float64) ** 2).sum(1))
        sigma = settings.read_noise * settings.top_level * (2**0.5 if settings.signed_sums else 1)
        shape = (read.matrix.slices, read.sides, read.width)
        drawn = normals(keys[plane, 0], first_vector, len(codes), int(np.prod(shape)))
        return np.asarray(sigma * spread[:, None, None, None] * drawn.reshape(-1, *shape))

    def totals(self, codes: Codes, noise: Noise | None, first_vector: int) -> Floats:
        """Return sums over groups and planes as converted, levels, ``vector slice column``.

        Args:
            codes: input codes, ``vector row``.
            noise: seeds; None where nothing is drawn.
            first_vector: number of the first vector among all.
        """
        read = self.read
        if self.grids is None or read.gated:
            return self.read_sums(codes, noise, first_vector)
        width = read.matrix.slices * read.sides * read.width
        out = np.zeros((len(codes), width), np.int32 if self._fits else np.int64)
        fixed = self._fixed_point() if read.whole and not self._noisy else None
        for group in self.groups:
            if fixed is None:
                self._real(codes, group, noise, first_vector, out)
            else:
                self._whole(codes, group, fixed, out)
        sums = out.reshape(len(codes), read.matrix.slices, read.sides, read.width)
        joined = sums[:, :, 0] - sums[:, :, 1] if read.sides > 1 else sums[:, :, 0]
        steps = np.array([grid.step for grid in self.grids])
        total = joined * steps[:, None]
        if read.sides == 1:
            planes = sum(self._weight(plane) for plane in range(read.settings.planes))
            lows = np.array([grid.low for grid in self.grids])
            total = total + (lows * planes * len(self.groups))[:, None]
        return np.asarray(total)

    @property
    def _noisy(self) -> bool:
        converter = self.read.settings.converter
        return converter.noise_lsb > 0 or self.read.offsets is not None

    @property
    def _fits(self) -> bool:
        """Whether sums of codes fit into 32 bits."""
        planes = float(1 << (self.read.settings.dac_bits * self.read.settings.planes))
        return planes * self._grids[0].steps * len(self.groups) < 2**31 - 1

    def _plane_weights(self, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        planes = range(self.read.settings.planes)
        return np.array([self._weight(plane) for plane in planes]).astype(dtype)

    def _per_column(self, values: list[float]) -> Floats:
        """Spread values of slices over the columns."""
        per_slice = self.read.sides * self.read.width
        return np.repeat(np.array(values, dtype=np.float64), per_slice)

    def _fixed_point(self) -> _FixedPoint | None:
        read = self.read
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
            read.prepared(dtype),
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
        from tsb.read_path.product import Noise

        read, settings, grids = self.read, self.read.settings, self._grids
        # Without errors sums may lie on the edge between two codes: doubles decide there.
        exact = read.matrix.errors is None
        dtype = np.float64 if exact else np.float32
        low: Any = self._per_column([grid.low for grid in grids]).astype(dtype)
        span: Any = self._per_column([grid.span for grid in grids]).astype(dtype)
        offsets = np.full(low.shape, 0.5, dtype)
        if read.offsets is not None:
            offsets += read.offsets.astype(dtype)
        sigma = settings.read_noise * settings.top_level * (2**0.5 if settings.signed_sums else 1)
        zero_code = np.floor(np.negative(low) * grids[0].steps / span + offsets)
        zero_code = np.clip(zero_code, grids[0].lowest_code, grids[0].steps)
        kernels.real_codes(
            codes,
            read.prepared(dtype),
            read.groups.members(group),
            np.array([settings.dac_bits * plane for plane in range(settings.planes)]),
            settings.top_drive,
            np.arange(settings.top_drive + 1).astype(dtype),
            self._plane_weights(out.dtype),
            read.off_level,
            low,
            span,
            dtype(grids[0].steps),
            dtype(grids[0].lowest_code),
            dtype(grids[0].steps),
            offsets,
            sigma,
            settings.converter.noise_lsb,
            (noise or Noise(0)).keys(group, settings.planes),
            first_vector,
            settings.converter.noise_lsb == 0 and not zero_code.any(),
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
        sums = np.arange(lowest, highest + 1)
        largest = max(-lowest, highest, 1)
        right = min(_FACTOR_BITS, 30 - largest.bit_length())
        if right < 1:
            return None
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
