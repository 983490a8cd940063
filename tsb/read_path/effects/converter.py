"""Converters that are not alike, and noisy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsb.read_path.effects.base import Effect, Floats, ReadPlace

if TYPE_CHECKING:
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


class Levels(Effect):
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
