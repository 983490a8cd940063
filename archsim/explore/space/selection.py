"""Points that are worked on at once: a box of a grid, or any points one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A part of a grid that is a product of index ranges, consecutive in point numbers."""

    slices: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(span.stop - span.start for span in self.slices)

    def index(self, place: int) -> np.ndarray:
        """Return the index into an axis of every point, in a shape that broadcasts to the box's.

        Args:
            place: of the axis.
        """
        span = self.slices[place]
        shape = [1] * len(self.slices)
        shape[place] = -1
        return np.arange(span.start, span.stop, dtype=np.int64).reshape(shape)


@dataclass(frozen=True, eq=False)
class Flat:
    """Any points of a grid that have the same values of its outer axes, one after the other.

    Attributes:
        digits: index into every axis, ``(axes, n)``.
    """

    digits: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of points, the only axis."""
        return (self.digits.shape[1],)

    def index(self, place: int) -> np.ndarray:
        """Return the index into an axis of every point, ``(n,)``.

        Args:
            place: of the axis.
        """
        return np.asarray(self.digits[place])


#: Points that are worked on at once.
Selection = Box | Flat
