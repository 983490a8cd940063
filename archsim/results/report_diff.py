"""What changed between two joint reports, and whether it is more than noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.report_file import check_report
from archsim.results.report_inputs import changed_inputs
from archsim.units import exact

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
        noise: half-width of the 95 % interval of the difference; None where it is not known, and
            for computed numbers.
    """

    design: str
    number: str
    before: int | float | None
    after: int | float | None
    beyond_noise: bool
    noise: float | None = None


@dataclass(frozen=True)
class ReportDiff:
    """The difference of two reports.

    Attributes:
        inputs: settings that differ: path, before, after.
        only_before: designs of the first report alone.
        only_after: designs of the second report alone.
        moved: numbers that differ.
        unmoved: numbers that are the same.
        answers: what each report recommends, where that differs: before, after.
        other_backbones: whether other seeds or trainings are behind the accuracies, of which the
            intervals over chips know nothing.
    """

    inputs: tuple[tuple[str, Any, Any], ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    moved: tuple[Moved, ...]
    unmoved: int
    answers: tuple[tuple[str, str], ...] = ()
    other_backbones: bool = False

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
    check_report(before)
    check_report(after)
    one, other = _by_design(before), _by_design(after)
    moved: list[Moved] = []
    unmoved = 0
    for name in (name for name in one if name in other):
        entries = _compare(name, one[name], other[name])
        moved += [entry for entry in entries if entry is not None]
        unmoved += sum(entry is None for entry in entries)
    inputs = tuple(changed_inputs(before.get("inputs", {}), after.get("inputs", {})))
    return ReportDiff(
        inputs=inputs,
        only_before=tuple(name for name in one if name not in other),
        only_after=tuple(name for name in other if name not in one),
        moved=tuple(moved),
        unmoved=unmoved,
        answers=_answers(before, after),
        other_backbones=any(_is_of_backbones(*change) for change in inputs),
    )


#: Keys of a study that change which backbones are trained, and on which cells.
_BACKBONES = frozenset(
    {
        *("seeds", "backbone", "backbones", "data", "train_images", "network", "options"),
        *("chip", "device", "bits_per_cell", "weight_bits", "encoding", "sigma"),
    }
)


def _is_of_backbones(path: str, before: Any, after: Any) -> bool:
    """Whether an input that differs means that other backbones were trained."""
    if _BACKBONES & {part.partition("[")[0] for part in path.split(".")[1:]}:
        return True
    alone = after if before is None else before if after is None else None
    return isinstance(alone, Mapping) and "backbones" in alone  # a study of one report alone


def _answers(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the answers that differ, each beside that of the same case; "" for none."""
    whole = not (_one_per_sigma(before) and _one_per_sigma(after))
    one, other = _by_case(before, whole), _by_case(after, whole)
    pairs = ((one.get(key, ""), other.get(key, "")) for key in dict.fromkeys([*one, *other]))
    return tuple(pair for pair in pairs if pair[0] != pair[1])


def _one_per_sigma(report: Mapping[str, Any]) -> bool:
    sigmas = [case["sigma"] for case in report.get("cases", [])]
    return len(set(sigmas)) == len(sigmas)


def _by_case(report: Mapping[str, Any], whole: bool) -> dict[tuple[Any, ...], str]:
    """Return answers by sigma, or by the whole case; by their place in reports without cases."""
    said = report.get("answer", [])
    cases = report.get("cases")
    if cases is None:
        return {(place,): text for place, text in enumerate(said)}
    names = ("sigma", "network", "data") if whole else ("sigma",)
    keys = [tuple(case[name] for name in names) for case in cases]
    return dict(zip(keys, said, strict=False))


def _by_design(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        f"{row['method']}, sigma {exact(row['sigma'])}, {row['design']}": row
        for row in report["designs"]
    }


def _compare(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Moved | None]:
    moved = [_accuracy(name, before, after)]
    hardware = (metric.key for metric in shown_in(Place.REPORT))
    for key in (*hardware, "trained_weights", "verified_weights"):
        ends = before.get(key), after.get(key)
        moved.append(None if _same(*ends) else Moved(name, key, *ends, beyond_noise=True))
    return moved


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
    known = noise if math.isfinite(noise) else None
    return Moved(name, "accuracy", *ends, beyond_noise=abs(ends[1] - ends[0]) > noise, noise=known)


def _half(row: Mapping[str, Any]) -> float:
    low, high = row.get("ci95_low"), row.get("ci95_high")
    # Without an interval any difference may be noise.
    return math.inf if low is None or high is None else (high - low) / 2
