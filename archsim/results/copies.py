"""The shared blocks of a mapped network: how many there are, and what they add to the chip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from archsim.config.choices import BY_PLACEMENT
from archsim.units import from_si

if TYPE_CHECKING:
    from torch import Tensor

    from archsim.results.mapped import MapResult


@dataclass(frozen=True)
class BlockCopies:
    """What the shared blocks of one design take, and what they add to the chip without them.

    Attributes:
        asked: ``tsb.copies`` as it was given: a number, ``fill``, ``auto`` or ``default`` (null).
        blocks: c x c matrices on the chip, all copies of all blocks, layers of a deep one counted
            once.
        crossbars: subarrays that hold them.
        cells: that are written for them.
        verified_cells: of these, read back and corrected.
        extra_area_mm2: area of the chip beyond that without a block; None without that.
        extra_energy_uJ: energy of an image beyond that, likewise.
    """

    asked: str
    blocks: int
    crossbars: int
    cells: int
    verified_cells: int
    extra_area_mm2: float | None
    extra_energy_uJ: float | None

    @classmethod
    def of(cls, result: MapResult, base: MapResult | None) -> BlockCopies | None:
        """Count the blocks of a feasible design; None where it has none or cannot be built.

        Args:
            result: with shared blocks.
            base: the same network without.
        """
        if result.design == "none" or not result.feasible:
            return None
        plan = result.plan
        is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
        depth = result.resolved.tsb.depth

        def total(values: Tensor) -> int:
            return round(float(torch.where(is_tsb, values, 0.0).sum()))

        known = base is not None and base.feasible
        cost, bare = result.cost, base.cost if base is not None else result.cost
        area, energy = cost.area_m2 - bare.area_m2, cost.energy_J - bare.energy_J
        asked = result.copies_asked
        return cls(
            asked=BY_PLACEMENT if asked is None else str(asked),
            blocks=total(plan.layers.owned * plan.blocks) // depth,
            crossbars=total(plan.subarrays_used),
            cells=total(plan.write_cells),
            verified_cells=total(plan.verified_cells),
            extra_area_mm2=from_si(float(area), "mm2") if known else None,
            extra_energy_uJ=from_si(float(energy), "uJ") if known else None,
        )

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Return plain data for JSON and CSV."""
        return {
            "tsb_copies": self.asked,
            "tsb_blocks": self.blocks,
            "tsb_crossbars": self.crossbars,
            "tsb_cells": self.cells,
            "tsb_verified_cells": self.verified_cells,
            "extra_area_mm2": self.extra_area_mm2,
            "extra_energy_uJ": self.extra_energy_uJ,
        }


#: Keys of :meth:`BlockCopies.to_dict`.
COPIES_KEYS = tuple(
    BlockCopies("", 0, 0, 0, 0, None, None).to_dict(),
)
