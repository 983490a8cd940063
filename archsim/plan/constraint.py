"""Bounds that a design may break."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Constraint:
    """A bound that a design may break, evaluated for a whole batch.

    ``violated`` is a mask of shape ``*batch``; ``demand`` and ``bound`` are in ``unit``;
    ``if_none`` says why there is nothing where the bound is 0.
    """

    name: str
    violated: Tensor
    demand: Tensor
    bound: Tensor
    unit: str
    levers: tuple[str, ...]
    if_none: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return one violated bound (shape ``()``) as plain data."""
        return {
            "name": self.name,
            "demand": float(self.demand),
            "bound": float(self.bound),
            "unit": self.unit,
            "levers": list(self.levers),
        }

    def describe(self) -> str:
        """Say what one design (shape ``()``) asks for, what it can have and what to change."""
        demand, bound = float(self.demand), float(self.bound)
        has = f"has {bound:.6g} {self.unit}"
        if bound == 0 and self.if_none:
            has = f"has none ({self.if_none})"
        text = f"{self.name}: needs {demand:.6g} {self.unit}, {has}; change " + " or ".join(
            self.levers
        )
        if self.unit == "tiles" and bound > 0:
            text += f"; or spread the network over {math.ceil(demand / bound)} chips of this size"
        return text
