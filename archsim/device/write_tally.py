"""Counting what programming took: pulses, reads, failures. Tallies of parts add up."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class WriteTally:
    """What programming some cells took; ``a + b`` counts both.

    Attributes:
        weights: weights programmed.
        verified_weights: weights of which at least one cell is verified.
        cells: cells programmed.
        verified_cells: cells that are read after each pulse.
        unconverged_cells: verified cells that end outside the tolerance.
        stuck_cells: cells that no pulse moves.
        unconverged_stuck_cells: those of the unconverged cells that are stuck.
        verified_by_pulses: verified cells by the pulses that they took, index 0 to the limit.
        squared_error: sum of the squared final errors of all cells (relative to the range
            g_on - g_off).
        verified_squared_error: the same over the verified cells.
    """

    weights: int
    verified_weights: int
    cells: int
    verified_cells: int
    unconverged_cells: int
    stuck_cells: int
    unconverged_stuck_cells: int
    verified_by_pulses: Int[Tensor, " pulse"]
    squared_error: float
    verified_squared_error: float

    @classmethod
    def nothing(cls, max_pulses: int) -> WriteTally:
        """Return the tally of no cell.

        Args:
            max_pulses: pulse limit.
        """
        none = torch.zeros(max_pulses + 1, dtype=torch.int64)
        counts = {entry.name: 0 for entry in fields(cls) if entry.type == "int"}
        return cls(**counts, verified_by_pulses=none, squared_error=0.0, verified_squared_error=0.0)

    def __add__(self, other: WriteTally) -> WriteTally:
        """Count both."""
        return WriteTally(
            **{
                entry.name: getattr(self, entry.name) + getattr(other, entry.name)
                for entry in fields(self)
            }
        )

    @property
    def verify_reads(self) -> int:
        """Reads of all cells: one per pulse of a verified cell."""
        pulses = torch.arange(len(self.verified_by_pulses))
        return int((pulses * self.verified_by_pulses).sum())

    @property
    def write_pulses(self) -> int:
        """Pulses of all cells; a cell that is not verified takes one."""
        return self.cells - self.verified_cells + self.verify_reads

    @property
    def residual_sigma(self) -> float:
        """Root-mean-square final error of all cells; 0 for no cells."""
        return math.sqrt(self.squared_error / max(self.cells, 1))

    @property
    def verified_residual_sigma(self) -> float | None:
        """Root-mean-square final error of the verified cells; None if there are none."""
        if not self.verified_cells:
            return None
        return math.sqrt(self.verified_squared_error / self.verified_cells)
