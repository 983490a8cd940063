"""When each row of each layer runs on what hardware, for one image on one design."""

from __future__ import annotations

from dataclasses import dataclass

#: What digital work and a common shared block are called as hardware; others have their layer's.
UNIT, BLOCK = "digital unit", "common block"


@dataclass(frozen=True)
class Busy:
    """One row of a layer on its hardware; a deep block has it ``behind_s`` longer, further down.

    ``ready_s`` is when all that the row needs was there; from then on it waited for the hardware.
    """

    name: str
    hardware: str
    row: int
    rows: int
    start_s: float
    end_s: float
    behind_s: float = 0.0
    ready_s: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """All rows of an image, by start; ``slots`` says how shared hardware is dealt out."""

    rows: tuple[Busy, ...]
    slots: bool

    @property
    def latency_s(self) -> float:
        """When the last row is out."""
        return max(row.end_s + row.behind_s for row in self.rows)
