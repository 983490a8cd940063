"""The front against its definition, the volume by hand and by chance, the knee, and bad input."""

from __future__ import annotations

import itertools
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from archsim.analysis.pareto import (
    hypervolume,
    knee_of,
    non_dominated,
    pareto_front,
    parse_objective,
    parse_objectives,
)
from archsim.errors import ConfigError
from archsim.results.columns import Objective
from tests.refusals import refused

COLUMNS = ("design", "area_m2", "edp_Js", "accuracy_mean", "feasible")
#: Few values, so that ties and duplicates are the rule.
COORDINATES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, -1.0, np.inf, -np.inf, np.nan])


def by_definition(points, maximise):
    """Compare every pair, in plain Python."""

    def dominates(one, other):
        pairs = [(b, a) if up else (a, b) for a, b, up in zip(one, other, maximise, strict=True)]
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

    rows = points.tolist()
    valid = [not np.isnan(row).any() for row in rows]
    return [
        fine and not any(dominates(other, row) for other, o in zip(rows, valid, strict=True) if o)
        for row, fine in zip(rows, valid, strict=True)
    ]


@st.composite
def clouds(draw):
    count, width = draw(st.integers(0, 25)), draw(st.integers(1, 6))
    points = draw(npst.arrays(np.float64, (count, width), elements=COORDINATES))
    return points, draw(st.lists(st.booleans(), min_size=width, max_size=width))


@settings(max_examples=400, deadline=None)
@given(clouds())
def test_front_is_what_the_definition_says(cloud):
    points, maximise = cloud
    given_points = points.copy()
    assert non_dominated(points, maximise).tolist() == by_definition(points, maximise)
    np.testing.assert_array_equal(points, given_points)  # not changed in place


@pytest.mark.parametrize("count", [3000, 3001])
@pytest.mark.parametrize("levels", [4, 30, 10**6])
@pytest.mark.parametrize("width", [2, 3, 4, 5])
def test_large_fronts_against_a_filter_by_rows(count, levels, width):
    generator = np.random.default_rng(count * width)
    shares = generator.exponential(size=(count, width))
    points = np.floor(levels * shares / shares.sum(axis=1, keepdims=True))
    points = points[generator.integers(0, count, count)]
    expected = [
        not ((points <= row).all(axis=1) & (points < row).any(axis=1)).any() for row in points
    ]
    assert non_dominated(points, [False] * width).tolist() == expected


def test_scale_and_order_do_not_matter():
    generator = np.random.default_rng(1)
    points = generator.random((500, 4))
    mask = non_dominated(points, [False, True, False, True])
    order = generator.permutation(500)
    np.testing.assert_array_equal(non_dominated(points[order], [False, True] * 2), mask[order])
    np.testing.assert_array_equal(non_dominated(np.log(points), [False, True] * 2), mask)


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "design": list("abcdefg"),
            "area_m2": [1.0, 2.0, 3.0, 2.0, 0.1, 4.0, 1.0],
            "edp_Js": [3.0, 2.0, 1.0, 2.0, 0.1, 4.0, np.nan],
            "accuracy_mean": [0.9, 0.9, 0.9, 0.9, 0.9, np.nan, 0.9],
            "feasible": [True, True, True, True, False, True, True],
        }
    )


def test_front_of_a_table_leaves_out_and_counts(frame):
    front = pareto_front(frame, parse_objectives("edp,area", frame.columns))
    assert frame["design"][front.mask].tolist() == ["a", "b", "c", "d"]  # b and d are equal
    assert (front.infeasible, front.not_evaluated) == (1, 1)
    # On logarithms (2, 2) bulges away from the ideal: the end with the better first objective.
    assert front.knee == 2
    front = pareto_front(frame, parse_objectives("edp,area,accuracy", frame.columns))
    assert front.not_evaluated == 2
    assert front.objectives[2] == Objective("accuracy_mean", maximise=True)


def test_front_of_nothing(frame):
    for nothing in (frame.assign(feasible=False), frame.iloc[:0]):
        front = pareto_front(nothing, [Objective("edp_Js")])
        assert not front.mask.any()
        assert front.mask.shape == (len(nothing),)
        assert front.knee is None
    with refused(ConfigError, code="empty", field="objectives", allowed="one or more"):
        pareto_front(frame, [])
    with refused(ConfigError, code="wrong-type", field="design", value=ANY, allowed="numbers"):
        pareto_front(frame, [Objective("design")])


def test_one_objective_keeps_all_equal_best(frame):
    front = pareto_front(frame, [Objective("accuracy_mean", maximise=True)])
    assert frame["design"][front.mask].tolist() == ["a", "b", "c", "d", "g"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("edp", Objective("edp_Js")),
        ("accuracy", Objective("accuracy_mean", maximise=True)),
        ("min:accuracy", Objective("accuracy_mean", maximise=False)),
        (" max:edp_uJ_us ", Objective("edp_Js", maximise=True)),
    ],
)
def test_objectives_from_text(text, expected):
    assert parse_objective(text, COLUMNS) == expected


@pytest.mark.parametrize(
    ("text", "code", "field", "facts"),
    [
        ("edp,aera", "unknown-name", "column", {"value": "aera", "nearest": "area"}),
        ("least:edp", "unknown-name", "objective", {"value": "least", "allowed": ["min", "max"]}),
        (":edp", "unknown-name", "objective", {"value": "", "allowed": ["min", "max"]}),
        ("edp,area,edp_Js", "given-twice", "objectives", {"value": ANY, "says": ["edp_Js,"]}),
        (" , ", "empty", "objectives", {"value": ANY}),
        ("min:", "unknown-name", "column", {"value": ""}),
    ],
)
def test_bad_objectives(text, code, field, facts):
    with refused(ConfigError, code=code, field=field, **facts):
        parse_objectives(text, COLUMNS)


def test_volume_by_hand():
    # In the box from (0, 0) to (4, 4): (1, 3) covers 3 x 1, (2, 1) covers 2 x 3, both 2 x 1.
    points = np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 3.0], [9.0, 0.0], [np.nan, 0.0]])
    box = {"reference": np.array([4.0, 4.0]), "ideal": np.zeros(2)}
    assert hypervolume(points, maximise=[False, False], **box) == pytest.approx(7 / 16, abs=0)
    mirrored = hypervolume(
        points * [1, -1],
        maximise=[False, True],
        reference=np.array([4.0, -4.0]),
        ideal=np.array([0.0, 0.0]),
    )
    assert mirrored == pytest.approx(7 / 16, abs=0)
    beyond = np.array([[-5.0, 2.0]])
    assert hypervolume(beyond, maximise=[False, False], **box) == pytest.approx(1 / 2, abs=0)
    assert hypervolume(points[:0], maximise=[False, False], **box) == 0
    assert hypervolume(points[3:4], maximise=[False, False], **box) == 0


def test_volume_of_ratios_by_hand():
    # On decades from 1 to 1000: (10, 100) covers two thirds times one third.
    found = hypervolume(
        np.array([[10.0, 100.0]]),
        maximise=[False, False],
        reference=np.array([1e3, 1e3]),
        ideal=np.ones(2),
        log=True,
    )
    assert found == pytest.approx(2 / 9, rel=1e-12, abs=0)


def test_volume_of_one_objective():
    found = hypervolume(
        np.array([[0.7], [0.9]]), maximise=[True], reference=np.array([0.5]), ideal=np.array([1.0])
    )
    assert found == pytest.approx(0.8, rel=1e-12, abs=0)


@pytest.mark.parametrize("width", [2, 3, 4, 5])
def test_volume_against_chance(width):
    generator = np.random.default_rng(width)
    points = generator.random((30, width)) * 0.9
    maximise = [bool(index % 2) for index in range(width)]
    reference = np.where(maximise, 0.0, 1.0)
    found = hypervolume(points, maximise=maximise, reference=reference, ideal=1 - reference)
    darts = generator.random((40_000, width))
    sign = np.where(maximise, -1, 1)
    hit = (sign * points[:, None] <= sign * darts).all(axis=2).any(axis=0)
    deviation = np.sqrt(found * (1 - found) / len(darts))
    assert abs(hit.mean() - found) < 4 * deviation


@pytest.mark.parametrize(
    ("reference", "ideal", "log"),
    [([1.0, 1.0], [0.0, 1.0], False), ([np.inf, 1.0], [0.0, 0.0], False), ([1, 1], [0, 0.5], True)],
)
def test_boxes_without_volume(reference, ideal, log):
    with refused(
        ConfigError, code="out-of-range", field="reference", value=[*map(float, reference)]
    ):
        hypervolume(
            np.zeros((1, 2)),
            maximise=[False, False],
            reference=np.array(reference, dtype=float),
            ideal=np.array(ideal, dtype=float),
            log=log,
        )


def test_knee_is_the_bend():
    front = np.array([[1.0, 1e4], [2.0, 1e3], [4.0, 10.0], [100.0, 9.0], [1e4, 1.0]])
    assert knee_of(front, [False, False]) == 2
    # The same front with a maximised second objective.
    assert knee_of(1 / front, [True, True]) == 2


def test_knee_of_two_objectives_is_farthest_from_the_line_through_the_ends():
    generator = np.random.default_rng(7)
    x = np.sort(generator.random(40))
    y = np.sort(generator.random(40))[::-1] - 2  # negative: a linear scale
    x = x - 2
    ends = np.array([x[-1] - x[0], y[-1] - y[0]])
    scaled = np.stack([(x - x[0]) / ends[0], (y - y[-1]) / -ends[1]], axis=1)
    below = (1 - scaled.sum(axis=1)) / np.sqrt(2)
    assert knee_of(np.stack([x, y], axis=1), [False, False]) == int(np.argmax(below))


def test_knee_does_not_depend_on_the_order_of_rows():
    front = np.array([[1.0, 8.0, 2.0], [2.0, 4.0, 2.0], [4.0, 2.0, 2.0], [8.0, 1.0, 2.0]])
    # All on one line of the logarithms: the best first objective decides.
    for order in itertools.permutations(range(4)):
        found = knee_of(front[list(order)], [False] * 3)
        assert found is not None
        assert order[found] == 0
    assert knee_of(np.array([[3.0, 3.0]]), [False, True]) == 0
    assert knee_of(np.array([[np.inf, 0.0], [1.0, 1.0]]), [False, False]) == 1
    assert knee_of(np.zeros((0, 2)), [False, False]) is None
