"""What changed between two joint reports, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archsim.errors import DataError
from archsim.joint import HARDWARE

#: Relative change of a computed number that is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Moved:
    """A number of a design that is in both reports.

    Attributes:
        design: method, sigma and placement.
        number: which.
        before: in the first report.
        after: in the second.
        beyond_noise: whether more than both intervals explain; computed numbers have no noise.
    """

    design: str
    number: str
    before: int | float | None
    after: int | float | None
    beyond_noise: bool


@dataclass(frozen=True)
class ReportDiff:
    """The difference of two reports.

    Attributes:
        inputs: settings that differ: path, before, after.
        only_before: designs of the first report alone.
        only_after: designs of the second report alone.
        moved: numbers that differ.
        unmoved: numbers that are the same.
    """

    inputs: tuple[tuple[str, Any, Any], ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    moved: tuple[Moved, ...]
    unmoved: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of ``archsim report diff --format json``."""
        return {"schema": 1, **asdict(self)}


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> ReportDiff:
    """Compare two reports as their ``report.json`` says them.

    Args:
        before: the first.
        after: the second.

    Raises:
        DataError: not a report, or of another version.
    """
    for each in (before, after):
        if each.get("schema") != 1 or "designs" not in each:
            raise DataError("not a report.json of this version of archsim (schema 1)")
    one, other = _by_design(before), _by_design(after)
    moved: list[Moved] = []
    unmoved = 0
    for name in (name for name in one if name in other):
        found = _compare(name, one[name], other[name])
        moved += [entry for entry in found if entry is not None]
        unmoved += sum(entry is None for entry in found)
    return ReportDiff(
        inputs=tuple(_inputs(before.get("inputs", {}), after.get("inputs", {}))),
        only_before=tuple(name for name in one if name not in other),
        only_after=tuple(name for name in other if name not in one),
        moved=tuple(moved),
        unmoved=unmoved,
    )


def _by_design(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        f"{row['method']}, sigma {row['sigma']:g}, {row['design']}": row
        for row in report["designs"]
    }


def _compare(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Moved | None]:
    found = [_accuracy(name, before, after)]
    for key in (*HARDWARE, "trained_weights", "verified_weights"):
        ends = before.get(key), after.get(key)
        found.append(None if _same(*ends) else Moved(name, key, *ends, beyond_noise=True))
    return found


def _same(before: int | float | None, after: int | float | None) -> bool:
    if before is None or after is None:
        return before is after
    return math.isclose(before, after, rel_tol=_ROUNDING, abs_tol=0.0)


def _accuracy(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Moved | None:
    """Compare means; the noise of their difference is the root of the sum of squares of both."""
    ends = before.get("accuracy"), after.get("accuracy")
    if _same(*ends):
        return None
    if ends[0] is None or ends[1] is None:
        return Moved(name, "accuracy", *ends, beyond_noise=True)
    noise = math.hypot(_half(before), _half(after))
    return Moved(name, "accuracy", *ends, beyond_noise=abs(ends[1] - ends[0]) > noise)


def _half(row: Mapping[str, Any]) -> float:
    low, high = row.get("ci95_low"), row.get("ci95_high")
    # Without an interval any difference may be noise.
    return math.inf if low is None or high is None else (high - low) / 2


def _inputs(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found = []
        for key in sorted({*before, *after}):
            here = f"{path}.{key}" if path else str(key)
            found += _inputs(before.get(key), after.get(key), here)
        return found
    return [] if before == after else [(path, before, after)]
