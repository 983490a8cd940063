"""The dummy column of DNN+NeuroSim V1.4: cells half-way between lowest and highest level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsb.read_path.effects.base import Effect

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings

#: The way of subtracting offsets.
KIND = "middle-column"


class MiddleColumn(Effect):
    """A reference column that takes away the offset of the code and that of cells at level 0."""

    name = "middle-column"
    description = "a converted column of cells half-way up takes the offset out of every slice"
    acts_on = "sums"
    settings = ("read.offset_subtraction",)
    back_ends = ("exact",)
    source = "DNN+NeuroSim V1.4 (commit ac828e6), dummy column of its quantised layers"

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether there is such a column."""
        return settings.offset_subtraction == KIND and not settings.pairs
