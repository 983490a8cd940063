"""What is chosen from a study: a method by its accuracy, a design by accuracy and cost.

Both rules stand here alone. Both go by validation images; test images, which are reported, choose
nothing. What is not known (None, NaN) never wins: a method without an accuracy is no choice, a
design without a cost is no candidate, and neither counts as free.

How far a design lies behind another, and what of that may be chance, needs the statistics of chips
(``tsb.study.behind``) and comes with the designs, as :class:`archsim.results.report.Behind`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from archsim.errors import Code, ConfigError
from archsim.results.method_row import MethodRow, finite
from archsim.results.report import COST, JointCase, JointDesign, JointResult
from archsim.util.checks import number

#: Metric that decides between designs of equal cost.
SECOND_COST = "write_pulses"
_BOUND = "max_verified (--max-verified)"


class Reason(StrEnum):
    """Why a design is recommended: one about accuracy, one about cost; or why none is."""

    #: No design has both a validation accuracy and a cost.
    NO_CANDIDATE = "no-candidate"
    #: Nothing that was measured is more accurate.
    MOST_ACCURATE = "most-accurate"
    #: Nothing that has a cost is more accurate.
    MOST_ACCURATE_PRICED = "most-accurate-priced"
    #: Another one is ahead, by no more than the noise of the difference.
    WITHIN_NOISE = "within-noise"
    #: The noise is that over chips alone: results of before that over images was recorded.
    NOISE_OF_CHIPS_ALONE = "noise-of-chips-alone"
    #: No other design with a cost is as accurate.
    NO_OTHER = "no-other"
    #: Of the designs that are as accurate it has the least EDP.
    LEAST_COST = "least-cost"
    #: Of those of equal EDP its cost leaves nothing out.
    WHOLE_COST = "whole-cost"
    #: Of those it takes the fewest write pulses.
    FEWEST_PULSES = "fewest-pulses"
    #: Another one is equal in all of this: it is the first in the study.
    FIRST = "first"


class Exclusion(StrEnum):
    """Why a design is not among those that a recommendation is taken from."""

    NO_VALIDATION_ACCURACY = "no-validation-accuracy"
    NO_COST = "no-cost"
    BEYOND_NOISE = "beyond-noise"


@dataclass(frozen=True, eq=False, kw_only=True)
class Excluded:
    """A design that cannot be recommended, and why."""

    design: JointDesign
    why: Exclusion


@dataclass(frozen=True, eq=False, kw_only=True)
class Recommendation:
    """Which design of a case is recommended, and why.

    Attributes:
        case: what it is recommended for; None: whatever designs were given.
        design: the recommended one; None where none can be.
        reasons: codes, accuracy before cost.
        behind: how far it is behind the most accurate one with a cost, on the validation images, a
            fraction; None without a design.
        noise: half-width that this is measured by, a fraction; None without a design.
        runner_up: what would be recommended if it were not there; None without another that is as
            accurate.
        tied: the designs that are as accurate as the best, as far as the run can tell, best first:
            itself, the runner-up, and so on.
        base: what overheads refer to, in its run; None where there is none.
        most_accurate: on the validation images, with a cost or without; None without accuracies.
        best_on_test: a design that is better on the test images and was not chosen, although it is
            not the most accurate one on the validation images; None without.
        excluded: the designs that were no choice.
    """

    case: JointCase | None
    design: JointDesign | None
    reasons: tuple[Reason, ...]
    behind: float | None = None
    noise: float | None = None
    runner_up: JointDesign | None = None
    tied: tuple[JointDesign, ...] = ()
    base: JointDesign | None = None
    most_accurate: JointDesign | None = None
    best_on_test: JointDesign | None = None
    excluded: tuple[Excluded, ...] = ()


def recommendations(result: JointResult) -> tuple[Recommendation, ...]:
    """Return what is recommended for each case of a report, in their order.

    Args:
        result: all designs.
    """
    return tuple(recommend(result.of(case), case) for case in result.cases())


def recommend(designs: Sequence[JointDesign], case: JointCase | None = None) -> Recommendation:
    """Return the cheapest design that is as accurate as the best, as far as the run can tell.

    Candidates have a validation accuracy and a cost. Of those that are no further behind the most
    accurate one than the 95 % interval of that difference, which counts chips and images, it is
    the one of the least EDP, then of a cost that leaves nothing out (a note may not make a design
    look cheaper than an equal one), then of the fewest write pulses, then the first. Results of
    before that difference was recorded fall back to the larger interval over chips of the two,
    without what other images would change.

    Args:
        designs: of one case, in the order of the study.
        case: what they are for.
    """
    best = leader(designs)
    known = [design for design in designs if _validated(design) > -math.inf]
    most_accurate = max(known, key=_validated, default=None)
    excluded = tuple(
        Excluded(design=design, why=why)
        for design in designs
        if (why := _why_excluded(design, best)) is not None
    )
    if best is None:
        return Recommendation(
            case=case,
            design=None,
            reasons=(Reason.NO_CANDIDATE,),
            most_accurate=most_accurate,
            excluded=excluded,
        )
    out = {id(each.design) for each in excluded}
    tied = sorted((design for design in designs if id(design) not in out), key=_rank)
    first, runner_up = tied[0], tied[1] if len(tied) > 1 else None
    behind, noise = _behind(first, best)
    bases = (design for design in designs if design.base and design.run == first.run)
    return Recommendation(
        case=case,
        design=first,
        reasons=(
            *_reasons_of_accuracy(first, best, most_accurate),
            _reason_of_cost(first, runner_up),
        ),
        behind=behind,
        noise=noise,
        runner_up=runner_up,
        tied=tuple(tied),
        base=next(bases, None),
        most_accurate=most_accurate,
        best_on_test=_best_on_test(designs, first),
        excluded=excluded,
    )


def leader(designs: Iterable[JointDesign]) -> JointDesign | None:
    """Return the most accurate candidate on the validation images, of equals the first.

    Args:
        designs: of one case.
    """
    return max(filter(is_candidate, designs), key=_validated, default=None)


def leaders(designs: Sequence[JointDesign]) -> dict[JointCase, JointDesign]:
    """Return the most accurate candidate of each case that has one.

    Args:
        designs: of any cases.
    """
    by_case: dict[JointCase, list[JointDesign]] = {}
    for design in filter(is_candidate, designs):
        by_case.setdefault(design.case, []).append(design)
    return {case: max(same, key=_validated) for case, same in by_case.items()}


def is_candidate(design: JointDesign) -> bool:
    """Whether a design can be recommended: its validation accuracy and its cost are known.

    Args:
        design: of a report.
    """
    return _validated(design) > -math.inf and design.is_priced


def detailed_design(result: JointResult) -> JointDesign | None:
    """Return the design whose cost is looked at more closely: the recommended one, else any.

    Args:
        result: all designs.
    """
    recommended = (each.design for each in recommendations(result) if each.design is not None)
    priced = (design for design in result.designs if design.is_priced)
    return next(recommended, None) or next(priced, None)


def _validated(design: JointDesign) -> float:
    """Return the validation accuracy; less than any where it is not known."""
    known = finite(design.measured.validation_accuracy)
    return -math.inf if known is None else known


def _why_excluded(design: JointDesign, best: JointDesign | None) -> Exclusion | None:
    if _validated(design) == -math.inf:
        return Exclusion.NO_VALIDATION_ACCURACY
    if not design.is_priced:
        return Exclusion.NO_COST
    if best is None or design is best:
        return None
    behind, noise = _behind(design, best)
    return None if behind <= noise else Exclusion.BEYOND_NOISE


def _behind(design: JointDesign, best: JointDesign) -> tuple[float, float]:
    """Return how far a candidate is behind the best one, and the half-width of that, fractions."""
    if design.behind is not None:
        return design.behind.mean, design.behind.half_width
    widths = design.measured.half_width or 0.0, best.measured.half_width or 0.0
    return _validated(best) - _validated(design), max(widths)


def _rank(design: JointDesign) -> tuple[float, bool, float]:
    """Return what candidates are sorted by, best first."""
    cost, second = finite(design.total(COST)), finite(design.total(SECOND_COST))
    return (
        math.inf if cost is None else cost,
        bool(design.notes),
        math.inf if second is None else second,
    )


def _reasons_of_accuracy(
    first: JointDesign, best: JointDesign, most_accurate: JointDesign | None
) -> tuple[Reason, ...]:
    if most_accurate is None or _validated(most_accurate) <= _validated(first):
        reason = Reason.MOST_ACCURATE
    elif _validated(best) <= _validated(first):
        reason = Reason.MOST_ACCURATE_PRICED
    else:
        reason = Reason.WITHIN_NOISE
    return (reason,) if first.behind is not None else (reason, Reason.NOISE_OF_CHIPS_ALONE)


def _reason_of_cost(first: JointDesign, runner_up: JointDesign | None) -> Reason:
    if runner_up is None:
        return Reason.NO_OTHER
    ours, theirs = _rank(first), _rank(runner_up)
    reasons = (Reason.LEAST_COST, Reason.WHOLE_COST, Reason.FEWEST_PULSES)
    differs = (mine != other for mine, other in zip(ours, theirs, strict=True))
    return next((why for why, is_it in zip(reasons, differs, strict=True) if is_it), Reason.FIRST)


def _best_on_test(designs: Sequence[JointDesign], chosen: JointDesign) -> JointDesign | None:
    """Return a design that test images would choose, unless validation images favour it too."""
    compared = [design for design in designs if design.behind is not None and is_candidate(design)]
    if not compared:
        return None
    best = max(compared, key=lambda design: (_tested(design), -_rank(design)[0]))
    # Both placements of one block are as accurate.
    favoured = _validated(best) == max(map(_validated, compared))
    if _tested(best) <= _tested(chosen) or favoured or best is chosen:
        return None
    return best


def _tested(design: JointDesign) -> float:
    return finite(design.measured.accuracy) or 0.0


def with_choice(
    rows: Sequence[MethodRow], max_verified: int | float | None = None
) -> tuple[MethodRow, ...]:
    """Return the rows of a study with ``chosen`` and ``choice_lacks``.

    One method per sigma is chosen, or none: that of the highest mean validation accuracy over
    seeds; of equals the one that verifies less, then the first. Where a method within the bound has
    no validation accuracy (results of before they were recorded) or fewer finished seeds than
    another, nothing is chosen at its sigma, and ``choice_lacks`` says what it lacks.

    Args:
        rows: of :func:`tsb.study.method_rows`.
        max_verified: most write-verified weights, those of corrections included, as a share of the
            network's weights, 0 to 1; None for no bound.

    Raises:
        ConfigError: a share out of range, or one within which no sigma has a choice.
    """
    share = 1.0
    if max_verified is not None:
        share = number(_BOUND, max_verified, 0.0, 1.0)
    # Without a bound also what is verified more than once: corrections add to the weights.
    fits = [max_verified is None or _verified(row) <= share for row in rows]
    chosen, lacks = [False] * len(rows), [""] * len(rows)
    for sigma in dict.fromkeys(row.sigma for row in rows):
        here = [k for k, row in enumerate(rows) if fits[k] and row.sigma == sigma]
        most = max((rows[k].seeds or 0 for k in here), default=0)
        for k in here:
            lacks[k] = _lacks(rows[k], most)
        if here and not any(lacks[k] for k in here):
            # The first of equals: max keeps the order of the table.
            chosen[max(here, key=lambda k: _order(rows[k]))] = True
    decided = tuple(
        replace(row, chosen=chosen[k], choice_lacks=lacks[k]) for k, row in enumerate(rows)
    )
    if max_verified is not None and not any(chosen):
        raise _no_choice(decided, share)
    return decided


def _verified(row: MethodRow) -> float:
    """Return the share of verified weights; more than any bound where it is not known."""
    known = finite(row.verified_share)
    return math.inf if known is None else known


def _lacks(row: MethodRow, most: int) -> str:
    if finite(row.validation_accuracy) is None:
        return "no validation accuracy"
    seeds = row.seeds or 0
    return f"{seeds} of {most} seeds" if seeds < most else ""


def _order(row: MethodRow) -> tuple[float, float]:
    return finite(row.validation_accuracy) or 0.0, -_verified(row)


def _no_choice(rows: Sequence[MethodRow], share: float) -> ConfigError:
    """Say why no method can be chosen within a bound."""
    given = f"{_BOUND} = {share:g}"
    least = min(rows, key=_verified)
    if _verified(least) > share:
        return ConfigError(
            f"{given}; allowed: no less than what "
            f"'{least.method}' verifies, about {_verified(least):.4g} of the weights",
            code=Code.OUT_OF_RANGE,
            field=_BOUND,
            value=share,
            allowed=f"{_verified(least):.4g} or more",
        )
    why = "; ".join(
        f"'{row.method}' at sigma {row.sigma:g} has {row.choice_lacks}"
        for row in rows
        if row.choice_lacks
    )
    return ConfigError(
        f"{given}: within it there is nothing to choose by ({why}); allowed: none, other methods "
        "(--method), or a --run in which archsim train has finished them. Results of before "
        "validation accuracies were recorded need a new --run",
        code=Code.EMPTY,
        field=_BOUND,
        value=share,
        allowed=("none", "--method", "--run"),
    )
