"""Cells at the lowest level that carry a current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsb.read_path.effects.base import Effect

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings


class OffCurrent(Effect):
    """A finite on/off ratio."""

    name = "off-current"
    description = "cells at level 0 carry a current, which is subtracted before or after converters"
    acts_on = "cells"
    settings = ("device.r_on", "device.r_off", "read.offset_subtraction", "read.pair")
    back_ends = ("approximate", "exact")
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether converters see such a current."""
        return settings.seen_off_level > 0
