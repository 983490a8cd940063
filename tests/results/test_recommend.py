"""Which design is recommended, and why: the rules, on designs written by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.results.mapped import MapResult
from archsim.results.method_row import MethodRow
from archsim.results.recommend import (
    Exclusion,
    Reason,
    detailed_design,
    is_candidate,
    leader,
    leaders,
    recommend,
    recommendations,
)
from archsim.results.report import Behind, JointDesign, JointResult

UNKNOWN = [None, math.nan, math.inf, -math.inf]


def design(
    method: str,
    validation: float | None = 0.9,
    edp: float | None = 1.0,
    behind: float | None = None,
    noise: float = 0.01,
    **changes: Any,
) -> JointDesign:
    """A design; ``edp`` of ``"unpriced"`` is one that the cost engine does not know."""
    measured = {"accuracy": 0.9, "validation_accuracy": validation} | changes.pop("measured", {})
    totals: dict[str, float | None] = defaultdict(lambda: 1.0, edp_uJ_us=edp)
    totals["write_pulses"] = changes.pop("pulses", 1.0)
    mapped = Mock(spec=MapResult, totals=totals)
    found = None if behind is None else Behind(mean=behind, half_width=noise, images=9, chips=3)
    own = {"sigma": 0.1, "placement": "none", "base": method == "plain", "mapped": mapped}
    return JointDesign(
        method=method,
        measured=MethodRow(method=method, sigma=0.1, **measured),
        behind=found,
        **(own | changes),
    )


def test_the_cheapest_of_those_that_are_as_accurate_as_the_best() -> None:
    best = design("best", 0.95, edp=3.0, behind=0.0, noise=0.0)
    within = design("within", 0.945, edp=2.0, behind=0.005)
    edge = design("edge", 0.94, edp=2.5, behind=0.01)
    beyond = design("beyond", 0.90, edp=1.0, behind=0.05)
    found = recommend([beyond, best, edge, within])
    assert found.design is within
    assert found.tied == (within, edge, best)
    assert found.runner_up is edge
    assert found.reasons == (Reason.WITHIN_NOISE, Reason.LEAST_COST)
    assert (found.behind, found.noise) == (0.005, 0.01)
    assert found.most_accurate is best
    assert [(each.design, each.why) for each in found.excluded] == [
        (beyond, Exclusion.BEYOND_NOISE)
    ]


def test_without_noise_the_most_accurate_wins_at_any_cost() -> None:
    best, cheap = design("best", 0.95, edp=9.0, behind=0.0, noise=0.0), design("cheap", 0.949)
    found = recommend([cheap, best])
    assert found.design is best
    assert found.runner_up is None
    assert found.reasons == (Reason.MOST_ACCURATE, Reason.NO_OTHER)


@pytest.mark.parametrize("accuracy", UNKNOWN)
def test_an_unknown_accuracy_never_wins(accuracy: float | None) -> None:
    """Though it costs nothing, stands first, and is perfect on the test images."""
    lucky = design("lucky", accuracy, edp=0.0, measured={"accuracy": 1.0})
    known = design("known", 0.1, edp=9.0)
    found = recommend([lucky, known])
    assert found.design is known
    assert found.most_accurate is known
    assert leader([lucky, known]) is known
    assert not is_candidate(lucky)
    assert [(each.design, each.why) for each in found.excluded] == [
        (lucky, Exclusion.NO_VALIDATION_ACCURACY)
    ]
    alone = recommend([lucky])
    assert (alone.design, alone.reasons) == (None, (Reason.NO_CANDIDATE,))


@pytest.mark.parametrize("hardware", [*({"edp": cost} for cost in UNKNOWN), {"mapped": None}])
def test_an_unknown_cost_never_counts_as_free(hardware: dict[str, Any]) -> None:
    """A correction that is not priced, an infeasible chip: named as more accurate, never taken."""
    free = design("free", 1.0, **hardware)
    known = design("known", 0.5, edp=1e9)
    found = recommend([free, known])
    assert found.design is known
    assert found.most_accurate is free
    assert found.reasons[0] is Reason.MOST_ACCURATE_PRICED
    assert [(each.design, each.why) for each in found.excluded] == [(free, Exclusion.NO_COST)]
    assert leaders([free, known]) == {known.case: known}
    assert recommend([free]).design is None
    result = JointResult("s", "lenet3", "rram", (free, known))
    assert detailed_design(result) is known


@pytest.mark.parametrize(
    "behind",
    [(math.nan, 0.01), (0.001, math.nan), (math.nan, math.nan)],
)
def test_an_unknown_difference_is_no_tie(behind: tuple[float, float]) -> None:
    best = design("best", 0.95, edp=9.0, behind=0.0, noise=0.0)
    unclear = design("unclear", 0.949, edp=1.0, behind=behind[0], noise=behind[1])
    assert recommend([unclear, best]).design is best
    assert recommend([design("alone", 0.9, behind=behind[0], noise=behind[1])]).design is not None


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"edp": 1.1}, Reason.LEAST_COST),
        ({"notes": ("writing is not counted",), "pulses": 0.0}, Reason.WHOLE_COST),
        ({"pulses": 2.0}, Reason.FEWEST_PULSES),
        ({"pulses": None}, Reason.FEWEST_PULSES),
        ({"pulses": math.nan}, Reason.FEWEST_PULSES),
        ({}, Reason.FIRST),
    ],
)
def test_what_decides_between_equal_designs(other: dict[str, Any], reason: Reason) -> None:
    first, second = design("first"), design("second", **other)
    found = recommend([first, second])
    assert found.design is first
    assert found.runner_up is second
    assert found.reasons[-1] is reason
    if reason is not Reason.FIRST:
        assert recommend([second, first]).design is first


def test_results_of_before_images_were_recorded_go_by_chips() -> None:
    wide = {"ci95_low": 0.88, "ci95_high": 0.92}
    best, near = design("best", 0.95, edp=2.0), design("near", 0.94, measured=wide)
    far = design("far", 0.92, edp=0.1, measured=wide)
    found = recommend([best, near, far])
    assert found.design is near
    assert (found.behind, found.noise) == pytest.approx((0.01, 0.02), rel=1e-9)
    assert Reason.NOISE_OF_CHIPS_ALONE in found.reasons
    assert Reason.NOISE_OF_CHIPS_ALONE not in recommend([design("new", behind=0.0)]).reasons


def test_overheads_refer_to_the_base_of_the_same_run() -> None:
    there = design("plain", run="there", edp=5.0)
    here, taken = design("plain", run="here", edp=4.0), design("other", run="here", edp=1.0)
    assert recommend([there, here, taken]).base is here
    assert recommend([there, taken]).base is None


def test_test_images_choose_nothing_and_the_best_there_is_named() -> None:
    best = design("best", 0.95, edp=2.0, behind=0.0, noise=0.0)
    lucky = design("lucky", 0.80, behind=0.15, measured={"accuracy": 1.0})
    found = recommend([best, lucky])
    assert found.design is best
    assert found.best_on_test is lucky
    assert lucky not in found.tied
    favoured = design("favoured", 0.95, behind=0.0, measured={"accuracy": 1.0}, edp=3.0)
    assert recommend([best, favoured]).best_on_test is None
    cheap = design("cheap", 0.80, behind=0.15, edp=0.1)
    assert recommend([best, cheap]).best_on_test is None, "as good there, not better"


def test_cases_do_not_compare() -> None:
    """Each sigma, network and data set has a choice of its own."""
    designs = (
        design("a", 0.9, network="one"),
        design("b", 0.99, network="two", edp=5.0),
        design("c", 0.98, sigma=0.2, network="one"),
        design("d", None, sigma=0.3, network="one"),
    )
    result = JointResult("s", "one and two", "rram", designs)
    found = recommendations(result)
    assert [each.design and each.design.method for each in found] == ["a", "b", "c", None]
    assert [each.case for each in found] == list(result.cases())
    assert set(leaders(designs)) == set(result.cases()[:3])


accuracies = st.one_of(st.sampled_from(UNKNOWN), st.floats(0, 1))
costs = st.one_of(st.sampled_from(UNKNOWN), st.sampled_from([1.0, 2.0]), st.floats(0, 10))
lags = st.one_of(st.none(), st.floats(0, 0.2))


@given(st.lists(st.tuples(accuracies, costs, costs, lags), max_size=6))
def test_properties(
    rows: list[tuple[float | None, float | None, float | None, float | None]],
) -> None:
    """Whatever is measured: a known accuracy, a known cost, and no tied one is cheaper."""
    designs = [
        design(f"m{k}", accuracy, edp, lag, pulses=pulses)
        for k, (accuracy, edp, pulses, lag) in enumerate(rows)
    ]
    found = recommend(designs)
    assert len(found.tied) + len(found.excluded) == len(designs)
    assert (found.design is None) == (not any(map(is_candidate, designs)))
    if found.design is None:
        return
    assert found.design is found.tied[0]
    assert found.runner_up is (found.tied[1] if len(found.tied) > 1 else None)
    edps = [each.totals["edp_uJ_us"] for each in found.tied]
    assert all(edp is not None and math.isfinite(edp) for edp in edps)
    assert edps == sorted(edps)  # type: ignore[type-var]
    assert leader(designs) in found.tied
    # What is left out changes nothing.
    assert recommend(found.tied).design is found.design
