"""Where a total jumps for a step of one in a size: what jumps, by how much, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archsim import __version__
from archsim.results.mapped import SCHEMA_VERSION

#: What makes a total jump: more of something that comes in wholes; a step that is large for a
#: small number; a rule of the mapping, which ``hierarchy.tile: auto`` mends; or nothing known.
PIECE, SHARE, RULE, UNKNOWN = "piece", "share", "rule", "unknown"


@dataclass(frozen=True)
class Jump:
    """One step at which totals jump.

    Attributes:
        axis: what is changed by one step.
        before: its value before the step.
        after: its value after.
        changes: total by total, the relative change; those beyond the bound only.
        kind: one of ``piece``, ``share``, ``rule`` and ``unknown``.
        reason: what changed on the chip.
    """

    axis: str
    before: int
    after: int
    changes: dict[str, float]
    kind: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        changes = {name: 100 * change for name, change in self.changes.items()}
        return {
            "axis": self.axis,
            "before": self.before,
            "after": self.after,
            "changes_pct": changes,
            "kind": self.kind,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Neighbour:
    """A layer whose last column of tiles is nearly empty: how many outputs fewer save it."""

    layer: str
    outputs: int
    fewer: int
    tiles_less: int

    @property
    def said(self) -> str:
        """One sentence."""
        less = "1 tile" if self.tiles_less == 1 else f"{self.tiles_less} tiles"
        size = self.outputs - self.fewer
        return f"{self.layer}: {size} outputs in place of {self.outputs} would take {less} less"


@dataclass(frozen=True)
class CliffScan:
    """All jumps of a network on a chip.

    Attributes:
        network: its name.
        design: placement of the shared block.
        chip: its name.
        threshold: relative change from which a step is a jump.
        scanned: axis by axis, the values that were priced.
        jumps: in order of the axes.
        neighbours: sizes beside those of the network that take fewer tiles.
    """

    network: str
    design: str
    chip: str
    threshold: float
    scanned: dict[str, tuple[int, ...]]
    jumps: tuple[Jump, ...]
    neighbours: tuple[Neighbour, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim cliffs --format json``."""
        return {
            "schema": SCHEMA_VERSION,
            "archsim": __version__,
            "network": self.network,
            "design": self.design,
            "chip": self.chip,
            "threshold_pct": 100 * self.threshold,
            "scanned": {
                axis: {"from": values[0], "to": values[-1], "count": len(values)}
                for axis, values in self.scanned.items()
            },
            "jumps": [jump.to_dict() for jump in self.jumps],
            "neighbours": [
                {
                    "layer": own.layer,
                    "outputs": own.outputs,
                    "fewer": own.fewer,
                    "tiles_less": own.tiles_less,
                }
                for own in self.neighbours
            ],
        }
