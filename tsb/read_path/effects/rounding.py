"""Rounding to the codes of a converter; see :mod:`tsb.read_path.converter`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsb.read_path.effects.base import Effect

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings


class Rounding(Effect):
    """Sums become codes."""

    name = "adc-rounding"
    description = "sums become codes of the converter: rounded, and cut off at its range"
    acts_on = "conversion"
    settings = ("adc.bits", "adc.range", "adc.percentile", "adc.snap", "adc.slice_ranges")
    back_ends = ("approximate", "exact")
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether there is a converter."""
        return settings.converter.bits > 0
