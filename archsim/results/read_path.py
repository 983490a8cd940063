"""What a comparison of the read path with reference data yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ReferenceCase:
    """One reference value beside what the read path gives.

    Attributes:
        group: one of :data:`GROUPS`.
        case: what tells it from the others of its group.
        worst_abs: largest difference; in units of ``u q``, ampere, or images.
        worst_rel: the same relative to the range of the output, to the full-scale current, or to
            the images.
    """

    group: str
    case: str
    worst_abs: float
    worst_rel: float


@dataclass(frozen=True)
class ReadPathValidation:
    """All cases of a folder.

    Attributes:
        folder: that they were read from.
        cases: compared.
        left_out: groups that were not compared, and why.
    """

    folder: str
    cases: tuple[ReferenceCase, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    def of_group(self, group: str) -> list[ReferenceCase]:
        """Return the cases of a group.

        Args:
            group: which.
        """
        return [case for case in self.cases if case.group == group]

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return cases and worst error by group; null with a reason for what is absent."""
        groups: dict[str, dict[str, Any]] = {}
        for group in GROUPS:
            cases = self.of_group(group)
            if not cases:
                reason = self.left_out.get(group, "no such file in the folder")
                groups[group] = {"n": 0, **dict.fromkeys(_keys(group)), "reason": reason}
                continue
            worst_abs = max(case.worst_abs for case in cases)
            worst_rel = max(case.worst_rel for case in cases)
            if group.startswith("accuracy"):
                groups[group] = {
                    "n": len(cases),
                    "worst_points": 100 * worst_rel,
                    "worst_images": round(worst_abs),
                }
            else:
                groups[group] = {"n": len(cases), "worst_abs": worst_abs, "worst_rel": worst_rel}
        return groups

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "schema": 1,
            "folder": self.folder,
            "groups": self.summary(),
            "cases": [
                {
                    "group": case.group,
                    "case": case.case,
                    "worst_abs": case.worst_abs,
                    "worst_rel": case.worst_rel,
                }
                for case in self.cases
            ],
        }


#: Groups in report order, and the file of each.
GROUPS = {
    "mvm": "mvm_cases.csv",
    "neurosim14": "neurosim14_cases.csv",
    "irdrop": "irdrop_currents.csv",
    "irdrop_gated": "irdrop_gated_currents.csv",
    "accuracy": "lenet3_accuracy.csv",
    "accuracy_mapped": "lenet3_accuracy_mapped.csv",
    "accuracy_wires": "lenet3_accuracy_wires.csv",
}


def _keys(group: str) -> tuple[str, ...]:
    return ("worst_points",) if group.startswith("accuracy") else ("worst_abs", "worst_rel")
