"""Noise of cells, drawn anew in every read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tsb.read_path.effects.base import Effect, Floats, ReadPlace

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings


class NoiseOfReads(Effect):
    """Independent normal noise of every cell that is on.

    The sum over a column is normal again, of variance ``(sigma L)^2 sum of x^2``: one number per
    conversion is its exact law.
    """

    name = "read-noise"
    description = "noise of the cells, drawn anew for every plane and group of rows"
    acts_on = "sums"
    settings = ("device.read_noise_sigma",)
    back_ends = ("approximate", "exact")
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether reads are noisy."""
        return settings.read_noise > 0

    def sums(self, at: ReadPlace, sums: Floats) -> Floats:
        """Add the noise of the cells that are on."""
        drive = at.read.drive[at.digits]
        spread = np.sqrt((drive**2).sum(1))
        noise = cell_noise(at.read.settings) * spread[:, None, None, None] * at.normals(0)
        return np.asarray(sums + noise)


def cell_noise(settings: ReadSettings) -> float:
    """Return the standard deviation of one column's read per unit of drive, levels.

    Args:
        settings: of the chip; columns that are subtracted before converters have both noises.
    """
    both = 2**0.5 if settings.signed_sums else 1.0
    return settings.read_noise * settings.top_level * both
