"""A matrix-vector product as a chip reads it: input codes in, what the converters say out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archsim.errors import Code, ConfigError
from tsb.read_path.approximate import Moments
from tsb.read_path.calibration import (
    MOST_COUNTS,
    CountedSums,
    KeptSums,
    SliceSums,
    SumCounter,
    grids_of_sums,
)
from tsb.read_path.conversion import GroupConversion
from tsb.read_path.converter import (
    ConverterGrid,
    Floats,
    fixed_grids,
)
from tsb.read_path.effects.base import Effect
from tsb.read_path.effects.converter import converter_offsets
from tsb.read_path.effects.registry import acting
from tsb.read_path.exact import as_values, exact_product, parts_of
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.read_noise import Noise, quick_normals
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import ReadSettings

Codes = npt.NDArray[np.integer]
#: Columns times vectors that are computed at once.
_AT_ONCE = 1 << 21


@dataclass(eq=False)
class MatrixRead:
    """A matrix on the crossbars of a chip, ready to be read.

    Attributes:
        matrix: what the cells hold.
        settings: of the chip.
        groups: of the rows, as mapped.
        grids: of the converters, one per slice; None before calibration, where the rule needs it.
        cells: effective levels where wires are driven, ``row slice side output``, with the
            conductance of level 0; else None.
        sign_plane: whether the highest plane of an input code is its sign (two's complement).
        sums: of each slice over calibration images, without errors; None before calibration.
        moments: of what converters lose; None where they are computed one by one.
        chip: seed of what is fixed by the chip: the offsets of its converters.
        number: of the matrix among those of the chip.
    """

    matrix: StoredMatrix
    settings: ReadSettings
    groups: RowGroups
    grids: list[ConverterGrid] | None = None
    cells: Floats | None = None
    sign_plane: bool = False
    chip: int = 0
    number: int = 0
    sums: list[SliceSums] | None = field(init=False, default=None)
    moments: Moments | None = field(init=False, default=None)
    width: int = field(init=False)
    effects: tuple[Effect, ...] = field(init=False)
    drive: Floats = field(init=False)
    _prepared: dict[str, npt.NDArray[Any]] = field(init=False, default_factory=dict)
    _conversions: list[GroupConversion] = field(init=False, default_factory=list)
    _converts: object = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Check that groups and matrix belong together.

        Raises:
            ConfigError: other rows, or a group of more rows than are read at once.
        """
        if self.groups.rows != self.matrix.rows:
            raise ConfigError(
                f"groups of {self.groups.rows} rows for a matrix of {self.matrix.rows}",
                code=Code.SHAPE_MISMATCH,
                field="row groups",
                value=self.groups.rows,
                allowed=str(self.matrix.rows),
            )
        if int(self.groups.sizes.max()) > self.settings.rows_read:
            raise ConfigError(
                f"a group of {int(self.groups.sizes.max())} rows; allowed: at most the rows that "
                f"are read at once ({self.settings.rows_read})",
                code=Code.OUT_OF_RANGE,
                field="read.rows_at_once",
                value=int(self.groups.sizes.max()),
                allowed=str(self.settings.rows_read),
            )
        self.width = self.matrix.outputs + (self.reference is not None)
        self.effects = acting(self.settings)
        self.drive = np.arange(self.settings.top_drive + 1, dtype=np.float64)
        for effect in self.effects:
            self.drive = effect.drive(self.settings, self.drive)

    # What is converted.

    @property
    def reference(self) -> npt.NDArray[Any] | None:
        """Levels of the converted reference column, ``slice``; None where there is none."""
        return self.matrix.reference_levels(self.settings.offset_subtraction)

    @property
    def sides(self) -> int:
        """Columns of a slice that are converted: 1 where a pair is subtracted before that."""
        return 1 if self.settings.signed_sums else self.matrix.sides

    def columns_of(self, cells: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Lay out what is converted, ``row slice side column``, reference columns last."""
        if self.settings.signed_sums:
            return np.asarray(cells[:, :, :1] - cells[:, :, 1:])
        if self.cells is not None and self.settings.subtracts_analog:
            return np.asarray(cells - self.settings.off_level)
        reference = self.reference
        if reference is None:
            return cells
        shape = (*cells.shape[:3], 1)
        column = np.broadcast_to(reference.reshape(1, -1, 1, 1), shape).astype(cells.dtype)
        if self.cells is not None:
            column = column + self.settings.seen_off_level
        return np.concatenate([cells, column], axis=-1)

    def prepared(self, dtype: npt.DTypeLike, multiple: int = 1) -> npt.NDArray[Any]:
        """Return what is converted as the compiled loops take it, ``row column``; remembered.

        Args:
            dtype: of the numbers; whole ones take the levels without errors.
            multiple: that columns are padded to, with zeros.
        """
        kind = np.dtype(dtype)
        name = f"{kind.name} {multiple}"
        if name not in self._prepared:
            held: npt.NDArray[Any] = self.matrix.levels
            if kind.kind == "f":
                held = self.matrix.held if self.cells is None else self.cells
            columns = self.columns_of(held)
            flat = columns.reshape(len(columns), -1).astype(kind)
            padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % multiple)))
            self._prepared[name] = np.ascontiguousarray(padded)
        return self._prepared[name]

    @property
    def whole(self) -> bool:
        """Whether all sums are whole numbers of levels."""
        settings = self.settings
        return (
            self.matrix.errors is None
            and self.cells is None
            and settings.seen_off_level == 0
            and settings.read_noise == 0
            and self.linear
            and not self.gated
            and all(effect.compiled for effect in self.effects)
        )

    @property
    def linear(self) -> bool:
        """Whether rows are driven in proportion to their digits."""
        return np.array_equal(self.drive, np.arange(len(self.drive)))

    def gated_cells(self) -> tuple[Floats, tuple[int, int, int]]:
        """Return the conductances on bit lines, levels, ``row column``, and the columns' shape."""
        held = self.matrix.held + self.settings.off_level
        reference = self.reference
        if reference is not None:
            column = reference.reshape(1, -1, 1, 1) + self.settings.off_level
            held = np.concatenate([held, np.broadcast_to(column, (*held.shape[:3], 1))], axis=-1)
        _, *shape = held.shape
        if "gated" not in self._prepared:
            self._prepared["gated"] = np.ascontiguousarray(held.reshape(len(held), -1))
        return self._prepared["gated"], (shape[0], shape[1], shape[2])

    def offsets_of(self, group: int) -> Floats:
        """Return the offsets of the converters of a group's crossbar, steps, ``column``.

        Args:
            group: of rows.
        """
        return converter_offsets(self, group)

    @property
    def gated(self) -> bool:
        """Whether bit lines have resistance, and rows that are off carry nothing."""
        return self.settings.wires.act and self.settings.wires.model.startswith("gated")

    @property
    def off_level(self) -> float:
        """Conductance of level 0 that is not in the cells."""
        return 0.0 if self.cells is not None else self.settings.seen_off_level

    # Calibration.

    @property
    def countable(self) -> bool:
        """Whether sums without errors are few enough to be counted one by one."""
        plain = self.cells is None and not self.gated and self.linear
        drives = self.most_drive + 1 if self.settings.seen_off_level else 1
        sums = self.most_drive * self.settings.top_level * (1 + self.settings.signed_sums) + 1
        return plain and drives * sums * self.matrix.slices <= MOST_COUNTS

    @property
    def most_drive(self) -> int:
        """Largest sum of the digits of a group's rows."""
        return int(self.groups.sizes.max()) * self.settings.top_drive

    def counter(self) -> SumCounter:
        """Return what takes the sums of calibration images."""
        return CountedSums(self) if self.countable else KeptSums(self)

    def calibrate(self, sums: list[SliceSums]) -> None:
        """Take the sums of calibration images, and set ranges where the rule asks for it.

        Args:
            sums: of each slice, of this matrix without errors.

        Raises:
            ConfigError: no sums.
        """
        self.sums = sums
        converter = self.settings.converter
        if converter.bits and converter.calibrates:
            self.grids = grids_of_sums(self.settings, sums)

    # Reading.

    def __call__(self, codes: Codes, noise: Noise | None = None, first_vector: int = 0) -> Floats:
        """Return the product in steps of inputs and weights, ``vector output``.

        Args:
            codes: input codes, ``vector row``.
            noise: seeds; None where nothing is drawn.
            first_vector: number of the first vector among all, for the noise.

        Raises:
            ConfigError: converters that were not calibrated.
        """
        codes = np.ascontiguousarray(codes)
        if self.moments is None:
            return self.exactly(codes, noise, first_vector)
        normals = None
        if noise is not None:
            key = noise.keys(len(self.groups), 1)[0, 0]
            normals = quick_normals(key, first_vector, len(codes), self.matrix.outputs)
        return self.moments.apply(self.plain(codes), normals)

    def plain(self, codes: Codes) -> Floats:
        """Return the product of codes and cells as if nothing were converted, ``vector output``.

        Args:
            codes: input codes, ``vector row``.
        """
        return self._merged(np.ascontiguousarray(codes))

    def exactly(self, codes: Codes, noise: Noise | None = None, first_vector: int = 0) -> Floats:
        """Return the product as the chip reads it, whatever :attr:`moments` says.

        Args:
            codes: input codes, ``vector row``.
            noise: seeds; None where nothing is drawn.
            first_vector: number of the first vector among all, for the noise.
        """
        if self.exact:
            parts = self._exact_parts
            return exact_product(as_values(self._signed(codes), parts[0][1]), parts).numpy()
        if self._merges(noise):
            return self._merged(codes)
        at_once = max(1, _AT_ONCE // (self.width * self.matrix.slices * self.sides))
        if self.settings.converter.of_batches:
            at_once = max(1, len(codes))
        read = [
            self._part(codes[at : at + at_once], noise, first_vector + at)
            for at in range(0, len(codes), at_once)
        ]
        return np.concatenate(read) if read else np.zeros((0, self.matrix.outputs))

    @property
    def exact(self) -> bool:
        """Whether nothing is lost: the product is that of the codes, whatever the noise's seed."""
        converter = self.settings.converter
        plain = (
            self.matrix.errors is None and self.cells is None and not self.settings.read_noise
            and not self.gated and self.linear and all(one.compiled for one in self.effects)
        )  # fmt: skip
        if not plain or not converter.bits:
            return plain
        if not self.whole or converter.noise_lsb or converter.offset_lsb:
            return False
        return all(conversion.lossless for conversion in self.group_conversions())

    @cached_property
    def _exact_parts(self) -> list[tuple[slice, Tensor]]:
        most = (1 << self.settings.input_bits) - 1
        return parts_of(torch.from_numpy(np.ascontiguousarray(self.matrix.codes.T)), most)

    def _merges(self, noise: Noise | None) -> bool:
        """Whether slices, planes and groups are one product: nothing lies between them."""
        known = all(
            effect.compiled and (noise is None or effect.name != "read-noise")
            for effect in self.effects
        )
        return not self.settings.converter.bits and known and self.linear

    def _part(self, codes: Codes, noise: Noise | None, first_vector: int) -> Floats:
        read = np.zeros((len(codes), self.width))
        for conversion in self.group_conversions():
            read += conversion.totals(codes, noise, first_vector)
        if self.reference is not None:
            read = read[:, :-1] - read[:, -1:]
        return np.asarray(read - self._known_offset(codes)[:, None])

    def group_conversions(self) -> list[GroupConversion]:
        """Return how the groups are converted; remembered while the grids stay."""
        if not self._conversions or self._converts is not self.grids:
            self._conversions = [
                GroupConversion(self, grids, groups) for grids, groups in self.grids_of_groups()
            ]
            self._converts = self.grids
        return self._conversions

    def grids_of_groups(self) -> list[tuple[list[ConverterGrid] | None, list[int]]]:
        """Return groups with the same grids together; None where nothing is converted."""
        everything = list(range(len(self.groups)))
        if not self.settings.converter.bits:
            return [(None, everything)]
        if self.grids is not None:
            return [(self.grids, everything)]
        if self.settings.converter.range == "full-scale-used":
            sizes = self.groups.sizes.tolist()
            return [
                (
                    fixed_grids(self.settings, size, self.matrix.slices),
                    [group for group in everything if sizes[group] == size],
                )
                for size in sorted(set(sizes))
            ]
        return [(fixed_grids(self.settings, 0, self.matrix.slices), everything)]

    def _known_offset(self, codes: Codes) -> Floats:
        """Return what is subtracted digitally from every output, ``vector``."""
        settings, form = self.settings, self.matrix.form
        inputs = self._driven_total(codes)
        if settings.pairs:
            return np.zeros(len(codes))
        kind = settings.offset_subtraction
        zero = 0.0 if kind == "zero-column" else 2.0 ** (form.weight_bits - 1)
        if kind == "digital":
            zero += settings.off_level * float(self.matrix.significances.sum())
        if kind == "middle-column":  # what the column has taken away already
            zero -= self.matrix.middle_level * float(self.matrix.significances.sum())
        return np.asarray(zero * inputs)

    def _driven_total(self, codes: Codes) -> Floats:
        """Return the sum of the inputs as the rows are driven, ``vector``."""
        return np.asarray(self._signed(codes).sum(1, dtype=np.int64).astype(np.float64))

    def _signed(self, codes: Codes) -> Codes:
        """Return input codes as the numbers that they stand for."""
        bits = self.settings.input_bits
        if not self.sign_plane:
            return codes
        return codes.astype(np.int64) - ((codes.astype(np.int64) >> (bits - 1)) << bits)

    @property
    def merged(self) -> Floats:
        """What an input is worth in each column without converters, ``row column``; remembered."""
        if "merged" not in self._prepared:
            self._prepared["merged"] = self._merged_weights()
        return self._prepared["merged"]

    def _merged(self, codes: Codes) -> Floats:
        """Return the product without converters: planes, slices and sides in one."""
        read: Floats = self._signed(codes).astype(np.float64) @ self.merged
        if self.cells is None:
            return read
        if self.reference is not None:
            read = read[:, :-1] - read[:, -1:]
        return np.asarray(read - self._known_offset(codes)[:, None])

    def _merged_weights(self) -> Floats:
        """Return what an input is worth in each output."""
        cells = self.matrix.held if self.cells is None else self.columns_of(self.cells)
        signs = np.array([1.0, -1.0])[: cells.shape[2]]
        weights = np.einsum("rjsc,j,s->rc", cells, self.matrix.significances, signs)
        if self.cells is None and not self.settings.pairs:
            weights = weights - 2.0 ** (self.matrix.form.weight_bits - 1)
        return np.asarray(weights)
