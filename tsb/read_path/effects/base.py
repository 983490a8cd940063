"""What an effect says of itself, and where it acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tsb.read_path.product import MatrixRead
    from tsb.read_path.read_noise import Noise
    from tsb.read_path.settings import ReadSettings

Floats = npt.NDArray[np.float64]
#: Where an effect acts, in the order in which a chip meets it.
STAGES = ("write", "time", "inputs", "cells", "sums", "conversion")
#: What computes accuracies: the values of ``read_path`` in a study.
BACK_ENDS = ("off", "approximate", "exact")


@dataclass(frozen=True, eq=False)
class ReadPlace:
    """One read of one group of rows.

    Attributes:
        read: the matrix.
        digits: what the rows of the group are driven with, ``vector row``.
        group: of rows.
        plane: of the input codes, the least significant first.
        noise: seeds; None where nothing is drawn.
        first_vector: number of the first vector among all.
    """

    read: MatrixRead
    digits: npt.NDArray[np.int64]
    group: int
    plane: int
    noise: Noise | None
    first_vector: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the sums: ``vector slice side column``."""
        read = self.read
        return len(self.digits), read.matrix.slices, read.sides, read.width

    def normals(self, purpose: int) -> Floats:
        """Return standard normal numbers of this place, ``vector slice side column``.

        The same whatever else is computed with it; zeros where nothing is drawn.

        Args:
            purpose: 0 for the cells, 1 for the converters.
        """
        if self.noise is None:
            return np.zeros(self.shape)
        from tsb.read_path.read_noise import normals

        key = self.noise.keys(self.group, self.read.settings.planes)[self.plane, purpose]
        width = int(np.prod(self.shape[1:]))
        return normals(key, self.first_vector, len(self.digits), width).reshape(self.shape)


class Effect:
    """An effect. Methods that it leaves as they are change nothing.

    Attributes:
        name: of the effect.
        description: one line.
        acts_on: one of :data:`STAGES`.
        settings: keys that set it.
        back_ends: those of :data:`BACK_ENDS` that compute it; the others refuse it by name.
        source: of the model; None where it is a definition.
        compiled: whether the compiled loops have it; others are read sum by sum.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    acts_on: ClassVar[str]
    settings: ClassVar[tuple[str, ...]]
    back_ends: ClassVar[tuple[str, ...]]
    source: ClassVar[str | None] = None
    compiled: ClassVar[bool] = False

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether it changes what is read under some settings.

        Args:
            settings: of the chip.
        """
        del settings
        return False

    def drive(self, settings: ReadSettings, drive: Floats) -> Floats:
        """Return what digits drive their rows with, ``digit``.

        Args:
            settings: of the chip.
            drive: without this effect.
        """
        del settings
        return drive

    def sums(self, at: ReadPlace, sums: Floats) -> Floats:
        """Return the sums that reach the converters, levels, ``vector slice side column``.

        Args:
            at: which read.
            sums: without this effect.
        """
        del at
        return sums

    def steps(self, at: ReadPlace) -> Floats | None:
        """Return what is added to a conversion, steps; ``vector slice side column``, or None.

        Args:
            at: which read.
        """
        del at
        return None

    def convert(self, at: ReadPlace, sums: Floats, added: Floats) -> Floats | None:
        """Return sums as a converter of its own reads them; None leaves it to the usual one.

        Args:
            at: which read.
            sums: levels, ``vector slice side column``.
            added: to the conversions, steps.
        """
        del at, sums, added
        return None
