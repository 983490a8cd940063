"""Accuracy, hardware and programming of the same designs, side by side: the joint result.

One row per method of a study, sigma and placement of the shared block. Accuracy comes from the
study's run, area, energy, time and programming from the cost engine, for the same network, device,
bits and write policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim import __version__
from archsim.results import MapResult

if TYPE_CHECKING:
    import pandas

#: Totals of a mapped design that the joint table holds, in report units.
HARDWARE = (
    "area_mm2",
    "energy_uJ",
    "latency_us",
    "period_us",
    "edp_uJ_us",
    "edp_period_uJ_us",
    "write_pulses",
    "programming_time_ms",
    "programming_energy_uJ",
)
#: What the joint table takes from the study: its name there, and here.
ACCURACY = {
    "accuracy": "accuracy",
    "ci95_low": "ci95_low",
    "ci95_high": "ci95_high",
    "ci95_backbone_low": "ci95_backbone_low",
    "ci95_backbone_high": "ci95_backbone_high",
    "std_chip": "std_chip",
    "std_run": "std_run",
    "worst": "worst",
    "validation_accuracy": "validation_accuracy",
    "gap_closed": "gap_closed",
    "chips": "chips",
    "runs": "runs",
    "seeds": "seeds",
    "images": "images",
    "written_weights": "trained_weights",
    "verified_weights": "verified_weights",
    "verified_share": "verified_share",
    "digital_parameters": "digital_parameters",
    "backbone_seconds": "backbone_seconds",
    "tune_seconds": "tune_seconds",
    "macs_share": "macs_share",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class JointDesign:
    """One method on one chip design.

    Attributes:
        method: name in the study.
        sigma: spread of one pulse, relative to the range of conductance.
        design: placement of the shared block: none, common or separate.
        measured: row of the study's table.
        mapped: cost; None where the method has no hardware in the cost engine.
        base: whether it is what overheads refer to.
        chosen: whether the study chooses the method by its validation accuracy.
        notes: what the cost leaves out.
    """

    method: str
    sigma: float
    design: str
    measured: dict[str, Any]
    mapped: MapResult | None
    base: bool
    chosen: bool
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Method, and the placement where there is a block."""
        return self.method if self.design == "none" else f"{self.method} ({self.design})"

    @property
    def totals(self) -> dict[str, float | None]:
        """Hardware totals in report units; None where nothing was computed."""
        if self.mapped is None:
            return dict.fromkeys(HARDWARE)
        found = self.mapped.totals
        return {name: found[name] for name in HARDWARE}


@dataclass(frozen=True, eq=False)
class JointResult:
    """All designs of a study.

    Attributes:
        name: of the study.
        network: of the study.
        device: of the study.
        designs: in the order of the study.
    """

    name: str
    network: str
    device: str
    designs: tuple[JointDesign, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary per design; accuracies are fractions, hardware in report units."""
        bases = {own.sigma: own.totals for own in self.designs if own.base}
        return [
            {
                "method": own.method,
                "sigma": own.sigma,
                "design": own.design,
                "chosen": own.chosen,
                **{here: own.measured.get(there) for there, here in ACCURACY.items()},
                **own.totals,
                "edp_overhead_pct": _overhead(own.totals, bases.get(own.sigma), "edp_uJ_us"),
                "edp_period_overhead_pct": _overhead(
                    own.totals, bases.get(own.sigma), "edp_period_uJ_us"
                ),
                "notes": list(own.notes),
            }
            for own in self.designs
        ]

    def frame(self) -> pandas.DataFrame:
        """Return :meth:`rows` as a table of pandas."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim report --format json``."""
        return {
            "schema": 1,
            "archsim": __version__,
            "study": self.name,
            "network": self.network,
            "device": self.device,
            "designs": self.rows(),
        }

    def at(self, sigma: float) -> Sequence[JointDesign]:
        """Return the designs of one sigma.

        Args:
            sigma: of the study.
        """
        return [own for own in self.designs if own.sigma == sigma]


def _overhead(
    totals: dict[str, float | None], base: dict[str, float | None] | None, name: str
) -> float | None:
    value, reference = totals[name], None if base is None else base[name]
    if value is None or not reference:
        return None
    return 100 * (value / reference - 1)
