"""Noise of cells, drawn anew in every read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from archsim.device import ReadNoise
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
        return settings.read_noise > 0 and settings.read_noise_law is None

    def sums(self, at: ReadPlace, sums: Floats) -> Floats:
        """Add the noise of the cells that are on."""
        drive = at.read.drive[at.digits]
        spread = np.sqrt((drive**2).sum(1))
        noise = cell_noise(at.read.settings) * spread[:, None, None, None] * at.normals(0)
        return np.asarray(sums + noise)


class NoiseOfReadsByLaw(Effect):
    """Independent normal noise of every cell that is on, smaller in cells of low conductance.

    The sum over a column is normal, of variance ``sum of (x sigma(g) L)^2``.
    """

    name = "read-noise-law"
    description = "read noise of every cell by its conductance and the time since programming"
    acts_on = "sums"
    settings = ("device.read_noise_law",)
    back_ends = ("approximate", "exact")

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether reads are noisy by a law."""
        return settings.read_noise > 0 and settings.read_noise_law is not None

    def sums(self, at: ReadPlace, sums: Floats) -> Floats:
        """Add the noise of the cells that are on, each with the spread of its level."""
        read, settings = at.read, at.read.settings
        law = settings.read_noise_law
        if at.noise is None or law is None:
            return sums
        by_level = level_noise(settings, law) ** 2
        squares = by_level[read.matrix.levels[read.groups.members(at.group)]]
        if settings.signed_sums:
            squares = squares.sum(2, keepdims=True)
        elif read.reference is not None:
            column = by_level[read.reference].reshape(1, -1, 1, 1)
            column = np.broadcast_to(column, (*squares.shape[:3], 1))
            squares = np.concatenate([squares, column], axis=-1)
        variance = np.tensordot(read.drive[at.digits] ** 2, squares, axes=1)
        return np.asarray(sums + np.sqrt(variance) * at.normals(0))


def level_noise(settings: ReadSettings, law: ReadNoise) -> Floats:
    """Return the standard deviation of a read of a cell of each level, levels, ``level``.

    Args:
        settings: of the chip.
        law: of its reads.
    """
    top = settings.top_level
    spread = law.at(torch.linspace(0.0, 1.0, top + 1, dtype=torch.float64)).numpy()
    return np.asarray(settings.read_noise * top * spread / law.sigma)


def cell_noise(settings: ReadSettings) -> float:
    """Return the standard deviation of one column's read per unit of drive, levels.

    Args:
        settings: of the chip; columns that are subtracted before converters have both noises.
    """
    both = 2**0.5 if settings.signed_sums else 1.0
    return settings.read_noise * settings.top_level * both
