"""What every circuit block of a subarray reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor


def _zero() -> Tensor:
    return torch.zeros((), dtype=torch.float64)


def add_up(parts: Iterable[Tensor]) -> Tensor:
    """Add tensors that broadcast against each other."""
    return reduce(torch.add, parts)


@runtime_checkable
class _PerDesign(Protocol):
    """A tensor, or a bundle of tensors, from which each design of a batch takes its own."""

    def where(self, condition: Tensor, other: Any) -> Any:
        """Choose per design between this and another."""


_ResultT = TypeVar("_ResultT", bound=_PerDesign)


def either(flag: Tensor, yes: Callable[[], _ResultT], no: Callable[[], _ResultT]) -> _ResultT:
    """Choose per design between two closed forms; one that no design needs is not evaluated.

    Args:
        flag: ``*batch``, or ``()`` where all designs share it.
        yes: closed form where the flag is set.
        no: closed form elsewhere.
    """
    if bool(flag.all()):
        return yes()
    if not bool(flag.any()):
        return no()
    chosen: _ResultT = yes().where(flag, no())
    return chosen


def trail(values: Tensor, axes: int) -> Tensor:
    """Give ``*batch`` values ``axes`` axes of length one to broadcast against layers and planes."""
    return values.reshape(values.shape + (1,) * axes)


@dataclass(frozen=True, eq=False)
class CircuitBlock:
    """Cost of one instance of a circuit block, shape ``*batch``.

    ``read_energy_J`` is spent in every read (one input bit-plane, all columns converted);
    ``row_energy_J`` is added for every word line that is on in that read.
    """

    height_m: Tensor = field(default_factory=_zero)
    width_m: Tensor = field(default_factory=_zero)
    latency_s: Tensor = field(default_factory=_zero)
    read_energy_J: Tensor = field(default_factory=_zero)
    row_energy_J: Tensor = field(default_factory=_zero)
    leakage_W: Tensor = field(default_factory=_zero)

    @property
    def area_m2(self) -> Tensor:
        """Footprint of the block."""
        return self.height_m * self.width_m

    def where(self, condition: Tensor, other: CircuitBlock) -> CircuitBlock:
        """Choose per design between this block and another."""
        return CircuitBlock(
            *(
                torch.where(condition, getattr(self, name), getattr(other, name))
                for name in self.__dataclass_fields__
            )
        )
