"""The converter of DNN+NeuroSim V1.4: its range is that of the sums that are read together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsb.read_path.effects.base import Effect, Floats, ReadPlace

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings

#: The rule of the range.
RULE = "neurosim-v1.4"


class BatchRange(Effect):
    """A range from the smallest to the largest sum of a batch, cut into ``2^bits``, rounded down.

    A slice, a plane and a group of rows have a range of their own, and so has a reference column.
    What an image gets depends on the images beside it.
    """

    name = "adc-batch-range"
    description = "artefact: a converter spans the sums of the batch that is read, and rounds down"
    acts_on = "conversion"
    settings = ("adc.range",)
    back_ends = ("exact",)
    source = "DNN+NeuroSim V1.4 (commit ac828e6), quantisation of partial sums"

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether ranges are those of batches."""
        return settings.converter.bits > 0 and settings.converter.range == RULE

    def convert(self, at: ReadPlace, sums: Floats, added: Floats) -> Floats | None:
        """Return the sums of a batch as they are converted."""
        codes = 1 << at.read.settings.converter.bits
        if at.read.reference is None:
            return _rounded_down(sums, added, codes)
        weights, reference = slice(None, -1), slice(-1, None)
        parts = [
            _rounded_down(sums[..., part], added[..., part], codes) for part in (weights, reference)
        ]
        return np.concatenate(parts, axis=-1)


def _rounded_down(sums: Floats, added: Floats, codes: int) -> Floats:
    """Round down to the lower end of one of the equal parts of a slice's range."""
    over = (0, *range(2, sums.ndim))
    low = sums.min(over, keepdims=True)
    span = sums.max(over, keepdims=True) - low
    # Product before division: whole sums on the edge of two parts get the upper one.
    place = (sums - low) * codes / np.where(span > 0, span, 1.0) + added
    return np.where(span > 0, low + np.clip(np.floor(place), 0, codes - 1) * span / codes, sums)
