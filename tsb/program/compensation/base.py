"""A compensation of drift: factors of the outputs of a layer, from two reference reads.

A reference read puts the same input on all rows, and sums what each output channel gives: its cells
by their place values, both sides of a pair added and not subtracted. It is done right after
programming and later; what has become less in between is multiplied by, in digital logic, before
what stands for level 0 is subtracted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor


class Compensation(ABC):
    """One compensation.

    Attributes:
        name: what the user writes.
        description: one line for lists.
        needs: what it takes on the chip beside the reference reads.
        correction: value of ``chip.correction.kind`` that prices its multiplications.
        source: of the method.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    needs: ClassVar[str]
    correction: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def factors(
        self, first: Float[Tensor, " channel"], later: Float[Tensor, " channel"]
    ) -> Float[Tensor, " channel"]:
        """Return what the outputs of each channel of a layer are multiplied by.

        Args:
            first: reference read right after programming, by output channel.
            later: the same, when the factors are measured.
        """


def ratio(first: Tensor, later: Tensor) -> Tensor:
    """Return how many times less there is later; 1 where a reading is not above zero.

    Args:
        first: readings right after programming.
        later: readings of today.
    """
    readable = (first > 0) & (later > 0)
    return torch.where(readable, first / torch.where(readable, later, 1.0), 1.0)
