"""Converters that are not alike, and noisy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsb.read_path.effects.base import Effect, Floats, ReadPlace
from tsb.read_path.read_noise import normals

if TYPE_CHECKING:
    from tsb.read_path.product import MatrixRead
    from tsb.read_path.settings import ReadSettings


class ConverterOffset(Effect):
    """One offset per converter, drawn once per chip."""

    name = "adc-offset"
    description = "offsets of the converters, one for the columns that share one, fixed by the chip"
    acts_on = "conversion"
    settings = ("adc.offset_lsb", "crossbar.mux_ratio")
    back_ends = ("exact",)
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether converters have offsets."""
        return settings.converter.bits > 0 and settings.converter.offset_lsb > 0

    def steps(self, at: ReadPlace) -> Floats | None:
        """Return the offsets of the columns."""
        return at.read.offsets_of(at.group).reshape(1, *at.shape[1:])


class ConverterNoise(Effect):
    """Noise of every conversion."""

    name = "adc-noise"
    description = "noise of every conversion, before it is rounded"
    acts_on = "conversion"
    settings = ("adc.noise_lsb",)
    back_ends = ("approximate", "exact")
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether conversions are noisy."""
        return settings.converter.bits > 0 and settings.converter.noise_lsb > 0

    def steps(self, at: ReadPlace) -> Floats | None:
        """Return the noise of the conversions."""
        return at.read.settings.converter.noise_lsb * at.normals(1)


class UnevenLevels(Effect):
    """Levels that are not evenly spaced."""

    name = "adc-levels"
    description = "levels of the converter from a table, or clusters of calibration sums"
    acts_on = "conversion"
    settings = ("adc.levels",)
    back_ends = ("exact",)
    source = "Lloyd, IEEE Trans. Inf. Theory 28(2), 1982; Max, IRE Trans. Inf. Theory 6(1), 1960"

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether the levels are not evenly spaced."""
        return settings.converter.bits > 0 and settings.converter.levels != "linear"


def converter_offsets(read: MatrixRead, group: int) -> Floats:
    """Return the offsets of the converters of a group's crossbar, steps, ``column``.

    Neighbouring columns share a converter, as they lie in the crossbar: output by output, those of
    a weight in the order of its encoding, the most significant slice first, the reference column
    last. A pair that is converted at once counts as its positive column.

    Args:
        read: the matrix.
        group: of rows.
    """
    matrix, converter = read.matrix, read.settings.converter
    shape = (matrix.slices, read.sides, read.width)
    if not converter.offset_lsb or not converter.bits:
        return np.zeros(int(np.prod(shape)))
    slices, sides, outputs = np.meshgrid(*map(np.arange, shape), indexing="ij")
    cell = sides * shape[0] + (shape[0] - 1 - slices)
    column_of = np.argsort(np.asarray(matrix.form.column_order))
    place = outputs * matrix.form.cells_per_weight + column_of[cell]
    crossbar = int((read.groups.first[: group + 1] == 0).sum())
    seeds = np.random.SeedSequence((read.chip, read.number, crossbar, 1))
    which = (place // converter.columns_per_converter).ravel()
    drawn = normals(seeds.generate_state(1, np.uint64)[0], 0, 1, int(which.max()) + 1)[0]
    return np.asarray(converter.offset_lsb * drawn[which])
