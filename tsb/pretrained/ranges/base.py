"""A range rule: from what a layer's inputs were to the largest magnitude that has a code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from tsb.read_path.inputs import InputCodes

#: Bins of the magnitudes of a layer's inputs, as of TensorRT's calibration.
BINS = 2048
#: Bins between two ranges that are tried.
STRIDE = 16

#: Makes the codes of a range: its lower and its upper end.
CodesOf = Callable[[float, float], InputCodes]


@dataclass(frozen=True, eq=False)
class Observed:
    """Inputs of a layer over the calibration items.

    Attributes:
        low: smallest.
        high: largest.
        counts: of magnitudes, in :data:`BINS` equal bins from 0 to :attr:`largest`, float64.
    """

    low: float
    high: float
    counts: Float[Tensor, " bin"]

    @property
    def largest(self) -> float:
        """Largest magnitude."""
        return max(-self.low, self.high, 0.0)

    @property
    def centres(self) -> Float[Tensor, " bin"]:
        """Magnitude in the middle of each bin."""
        return (torch.arange(BINS, dtype=torch.float64) + 0.5) * (self.largest / BINS)

    def clipped(self, magnitude: float) -> tuple[float, float]:
        """Return the range that a largest magnitude leaves.

        Args:
            magnitude: above 0.
        """
        return max(self.low, -magnitude), min(self.high, magnitude)


class RangeRule(ABC):
    """One rule.

    Attributes:
        name: what the user writes.
        description: one line for lists.
        source: of the rule.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def magnitude(self, observed: Observed, codes_of: CodesOf) -> float:
        """Return the largest magnitude that has a code of its own.

        Args:
            observed: with a largest magnitude above 0.
            codes_of: makes the codes of a range.
        """

    def codes(self, observed: Observed, codes_of: CodesOf) -> InputCodes:
        """Return the codes of a layer's inputs.

        Args:
            observed: over the calibration items.
            codes_of: makes the codes of a range.
        """
        if observed.largest == 0:
            return codes_of(observed.low, observed.high)
        return codes_of(*observed.clipped(self.magnitude(observed, codes_of)))


def tried(observed: Observed) -> list[tuple[int, float]]:
    """Return how many bins each range that is tried holds, and its largest magnitude.

    Args:
        observed: over the calibration items.
    """
    return [(bins, observed.largest * bins / BINS) for bins in range(STRIDE, BINS + 1, STRIDE)]
