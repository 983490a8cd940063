"""A corrected chip in use: its cells have drifted, and every run reads them with noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tsb.correction.base import Tensors
from tsb.correction.corrected import CorrectedChip
from tsb.monte_carlo.evaluate import Draw
from tsb.program.chip_read import DRIFT_SEED, READ_SEED, Conditions
from tsb.write_verify.selective import Masks


@dataclass(frozen=True, eq=False, kw_only=True)
class ChipInUse:
    """A corrected chip under conditions of use.

    Corrections were measured and trained on the chip as it was programmed. Then it drifts, once,
    its corrections in cells with it; digital numbers stay. All randomness of the backbone follows
    from the chip's seed, so that methods are compared on the same reads of the same cells; that of
    the corrections comes with their writing. Cells are computed on the CPU.

    Attributes:
        corrected: the chip.
        verified: masks of the backbone's write-verified weights.
        conditions: when and how it is read.
    """

    corrected: CorrectedChip
    verified: Masks
    conditions: Conditions

    def held(self) -> dict[str, Tensor]:
        """Return the weights of the backbone as its cells hold them in use, on the CPU."""
        chip = self.corrected.chip.to("cpu")
        exponents = torch.Generator().manual_seed(chip.seed ^ DRIFT_SEED)
        return self.conditions.later(
            chip.stored, chip.wanted, self.verified, chip.storage, exponents
        )

    def runs(self) -> Draw:
        """Return what draws one run: see :func:`tsb.monte_carlo.monte_carlo`."""
        if self.conditions.ideal:
            return self.corrected.draw
        chip = self.corrected.chip.to("cpu")
        held = self.held()
        reads = torch.Generator().manual_seed(chip.seed ^ READ_SEED)

        def draw(generator: torch.Generator) -> dict[str, Tensor]:
            seen = self.conditions.read(held, chip.wanted, chip.storage, reads)
            tensors = {**self.corrected.chip.tensors, **seen}
            return self.corrected.repaired(tensors, self._written(generator))

        return draw

    def _written(self, generator: torch.Generator) -> Tensors:
        """Write the corrections in cells, let them drift, and read them."""
        corrected, conditions = self.corrected, self.conditions
        wanted = corrected.written
        if not wanted:
            return {}
        stored = corrected.write(generator)
        held = conditions.later(stored, wanted, corrected.masks, corrected.storage, generator)
        return conditions.read(held, wanted, corrected.storage, generator)
