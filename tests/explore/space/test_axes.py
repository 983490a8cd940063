"""Axes of a sweep: their values, the numbers of points, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.config.sweep import MAX_NUMBER, Sweep, load_sweep, parse_axis
from archsim.errors import ConfigError
from archsim.explore.space.axes import Dimension, column_array, dimensions
from archsim.explore.space.grid import Cut, Grid, grid_of
from archsim.explore.space.selection import Box
from tests.explore.sweeps import MIXED, space_of, sweep_of
from tests.refusals import refused

#: Up to five axes, and how many of them are outer ones. Classes of archsim are made in the tests:
#: beartype draws random numbers, which strategies must not.
SHAPES = st.tuples(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 5))


def grid_with(shape: list[int], outer: int) -> Grid:
    """A grid whose first axes are outer ones."""
    return Grid(
        tuple(
            Dimension("network" if place < outer else f"chip.x{place}", tuple(range(count)))
            for place, count in enumerate(shape)
        )
    )


def values_of(path: str, axis: Any) -> tuple[Any, ...]:
    (found,) = dimensions(sweep_of({path: axis}))
    return found.values


@given(SHAPES, st.integers(0))
def test_numbers_are_digits(shape: tuple[list[int], int], number: int) -> None:
    grid = grid_with(*shape)
    point = number % grid.size
    digits = grid.digits(point)
    assert np.ravel_multi_index(digits, grid.shape) == point
    box = Box(tuple(slice(digit, digit + 1) for digit in digits))
    assert grid.points(box).tolist() == np.full(box.shape, point).tolist()


@given(SHAPES, st.integers(1, 200))
def test_boxes_cover_each_point_once_in_order(shape: tuple[list[int], int], most: int) -> None:
    grid = grid_with(*shape)
    cut = Cut.of(grid, most)
    boxes = [cut.box(index) for index in range(cut.count)]
    points = np.concatenate([grid.points(box).reshape(-1) for box in boxes])
    assert points.tolist() == list(range(grid.size))
    for box in boxes:
        assert math.prod(box.shape) <= most
        outer = [count for count, axis in zip(box.shape, grid.axes, strict=True) if axis.is_outer]
        assert outer == [1] * len(outer)


def test_numbers_beyond_what_a_box_list_could_hold() -> None:
    grid = Grid(tuple(Dimension(f"chip.x{place}", tuple(range(1000))) for place in range(6)))
    cut = Cut.of(grid, 8192)
    last = cut.box(cut.count - 1)
    assert cut.count * 8000 == grid.size == 10**18
    assert int(grid.points(last).max()) == grid.size - 1


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ([32, 64], (32, 64)),
        ({"values": [64, 32]}, (64, 32)),
        ({"from": 3, "to": 8, "step": 1}, (3, 4, 5, 6, 7, 8)),
        ({"from": 3, "to": 8, "step": 2}, (3, 5, 7)),
        ({"from": 64, "to": 512, "factor": 2}, (64, 128, 256, 512)),
        ({"from": 64, "to": 500, "factor": 2}, (64, 128, 256)),
        ({"from": 8, "to": 128, "points": 3}, (8, 68, 128)),
        ({"from": 8, "to": 128, "points": 5, "scale": "log"}, (8, 16, 32, 64, 128)),
        ({"from": 8, "to": 10, "points": 9}, (8, 9, 10)),
    ],
)
def test_whole_numbers(axis: Any, values: tuple[int, ...]) -> None:
    found = values_of("chip.crossbar.rows", axis)
    assert found == values
    assert {type(value) for value in found} == {int}
    assert column_array(found).dtype == np.int64


@given(
    st.floats(1e-6, 1e6),
    st.floats(1.001, 1e4),
    st.integers(2, 50),
    st.sampled_from(["linear", "log"]),
)
def test_ranges_of_points_include_their_ends(
    start: float, ratio: float, count: int, scale: str
) -> None:
    stop = start * ratio
    axis = {"from": start, "to": stop, "points": count, "scale": scale}
    values = np.asarray(values_of("device.r_on", axis))
    assert (values[0], values[-1], len(values)) == (start, stop, count)
    steps = np.diff(np.log(values) if scale == "log" else values)
    assert (steps > 0).all()
    assert steps == pytest.approx(np.full(count - 1, steps.mean()), rel=1e-6, abs=0)


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 10), st.integers(1, 200))
def test_a_step_that_meets_the_end_includes_it(start: float, step: float, count: int) -> None:
    values = values_of("device.r_on", {"from": start, "to": start + count * step, "step": step})
    assert len(values) == count + 1
    assert values[-1] == pytest.approx(start + count * step, rel=1e-9, abs=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(1.1, 10), st.integers(1, 20))
def test_a_factor_that_meets_the_end_includes_it(start: float, factor: float, count: int) -> None:
    values = values_of(
        "device.r_on", {"from": start, "to": start * factor**count, "factor": factor}
    )
    assert len(values) == count + 1
    assert values[-1] == pytest.approx(start * factor**count, rel=1e-9, abs=0)


def test_order_is_files_then_choices_then_numbers() -> None:
    backwards = dict(reversed(MIXED.items()))
    paths = [axis.path for axis in dimensions(sweep_of(backwards))]
    assert paths[0] == "technology"
    names = {"device", "design", "chip.adc.kind", "chip.hierarchy.duplication"}
    assert set(paths[1:5]) == names
    assert paths[5:] == ["tsb.copies", "tsb.channels", "chip.adc.bits", "chip.crossbar.rows"]


def test_an_axis_that_follows_another_has_its_values() -> None:
    space = space_of(
        {"chip.crossbar.rows": [64, 128], "chip.crossbar.cols": {"same_as": "chip.crossbar.rows"}}
    )
    assert space.grid.size == 2
    assert space.settings(1) == {"chip.crossbar.rows": 128, "chip.crossbar.cols": 128}


def test_where_a_condition_does_not_hold_there_is_one_point() -> None:
    space = space_of(
        {"design": ["none", "common"], "tsb.channels": {"values": [8, 4], "when": "design != none"}}
    )
    box = Box((slice(0, 2), slice(0, 2)))
    assert space.grid.kept(box, space.grid.tables(box)).tolist() == [[True, False], [True, True]]
    assert space.settings(0) == {"design": "none"}
    assert space.settings(3) == {"design": "common", "tsb.channels": 4}
    narrow = space.grid.narrowed(Box((slice(0, 1), slice(0, 2))))
    assert narrow == Box((slice(0, 1), slice(0, 1)))


@pytest.mark.parametrize("channels", [[8, 4], [4, 8]])
def test_where_asks_nothing_of_an_axis_that_a_point_does_not_have(channels: list[int]) -> None:
    grid = grid_of(
        sweep_of(
            {
                "design": ["none", "common"],
                "tsb.channels": {"values": channels, "when": "design != none"},
            },
            where=["tsb.channels <= 4"],
        )
    )
    box = Box((slice(0, 2), slice(0, 2)))
    kept = grid.kept(box, grid.tables(box))
    assert kept[0].tolist() == [True, False]
    assert kept[1].tolist() == [value == 4 for value in channels]


def test_where_compares_axes() -> None:
    grid = grid_of(
        sweep_of(
            {"chip.crossbar.rows": [64, 128, 256], "chip.crossbar.cols": [64, 128]},
            where=["chip.crossbar.cols >= chip.crossbar.rows"],
        )
    )
    box = Box((slice(0, 3), slice(0, 2)))
    kept = grid.kept(box, grid.tables(box))
    assert kept.tolist() == [[True, True], [False, True], [False, False]]


ROWS = [64, 128]


@pytest.mark.parametrize(
    ("axes", "keys", "code", "field", "facts"),
    [
        ({}, {}, "empty", "sweep.axes", {"allowed": "one"}),
        (
            {"chip.crossbar.rows": []},
            {},
            "wrong-type",
            "sweep.axes.chip.crossbar.rows.values",
            {"value": [], "allowed": "one"},
        ),
        (
            {"chip.crossbar.rows": 3},
            {},
            "wrong-type",
            "sweep.axes.chip.crossbar.rows",
            {"value": 3},
        ),
        (
            {"chip.crossbar.rows": [64, 64]},
            {},
            "given-twice",
            "sweep.axes.chip.crossbar.rows.values",
            {"value": 64},
        ),
        (
            {"chip.crossbar.rows": [64, 64.0]},
            {},
            "given-twice",
            "sweep.axes.chip.crossbar.rows.values",
            {"value": 64.0},
        ),
        (
            {"chip.crossbar.rows": [[1]]},
            {},
            "wrong-type",
            "sweep.axes.chip.crossbar.rows.values",
            {"value": [1], "allowed": ["numbers", "texts"]},
        ),
        (
            {"device.r_on": [math.inf]},
            {},
            "out-of-range",
            "sweep.axes.device.r_on.values",
            {"value": math.inf, "allowed": "-9e+15 to 9e+15"},
        ),
        (
            {"device.r_on": [math.nan]},
            {},
            "out-of-range",
            "sweep.axes.device.r_on.values",
            {"value": math.nan, "allowed": "-9e+15 to 9e+15"},
        ),
        (
            {"chip.crossbar.rows": [10**30]},
            {},
            "out-of-range",
            "sweep.axes.chip.crossbar.rows.values",
            {"value": 10**30, "allowed": "-9e+15 to 9e+15"},
        ),
        (
            {"chip.crossbar.rows": {"from": 1}},
            {},
            "missing-key",
            "sweep.axes.chip.crossbar.rows.to",
            {},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 2, "step": 1}},
            {},
            "conflict",
            "sweep.axes.chip.crossbar.rows.from",
            {"value": 2.0, "allowed": "below 2"},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 4}},
            {},
            "missing-key",
            "sweep.axes.chip.crossbar.rows",
            {"value": [], "allowed": ["step"]},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 4, "step": 1, "points": 2}},
            {},
            "conflict",
            "sweep.axes.chip.crossbar.rows",
            {"value": ["step", "points"], "allowed": ["step"]},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 4, "step": 0}},
            {},
            "out-of-range",
            "sweep.axes.chip.crossbar.rows.step",
            {"value": 0, "allowed": "> 0.0"},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 4, "factor": 1}},
            {},
            "out-of-range",
            "sweep.axes.chip.crossbar.rows.factor",
            {"value": 1, "allowed": "> 1.0"},
        ),
        (
            {"chip.crossbar.rows": {"from": 2, "to": 4, "points": 1}},
            {},
            "out-of-range",
            "sweep.axes.chip.crossbar.rows.points",
            {"value": 1, "allowed": ">= 2"},
        ),
        (
            {"device.r_on": {"from": 0, "to": 4, "factor": 2}},
            {},
            "out-of-range",
            "sweep.axes.device.r_on.from",
            {"value": 0.0, "allowed": "above 0"},
        ),
        (
            {"device.r_on": {"from": 1, "to": 4, "factor": 1.0001}},
            {},
            "out-of-range",
            "sweep.axes.device.r_on.factor",
            {"value": 1.0001, "allowed": "at most 10000"},
        ),
        (
            {"device.r_on": {"from": 1, "to": 4, "step": 1e-9}},
            {},
            "out-of-range",
            "sweep.axes.device.r_on.step",
            {"value": 1e-09, "allowed": "at most 10000"},
        ),
        (
            {"device.r_on": {"from": 1, "to": 4, "step": 1, "scale": "log"}},
            {},
            "conflict",
            "sweep.axes.device.r_on.scale",
            {"value": "log"},
        ),
        (
            {"chip.crossbar.rows": {"values": ROWS, "step": 1}},
            {},
            "conflict",
            "sweep.axes.chip.crossbar.rows",
            {"value": ["values", "step"]},
        ),
        (
            {"chip.crossbar.rows": {"values": ROWS, "from": 1}},
            {},
            "conflict",
            "sweep.axes.chip.crossbar.rows",
            {"value": ["values", "from/to"], "allowed": ["values"]},
        ),
        (
            {"chip.crossbar.rows": {"when": "design != none"}},
            {},
            "missing-key",
            "sweep.axes.chip.crossbar.rows",
            {"value": [], "allowed": ["values"]},
        ),
        (
            {"chip.crossbar.rows": {"valuse": ROWS}},
            {},
            "unknown-key",
            "sweep.axes.chip.crossbar.rows.valuse",
            {"value": "valuse", "nearest": "values"},
        ),
        (
            {"chip.crossbar.rows": {"same_as": "chip.crossbar.cols"}},
            {},
            "unknown-name",
            "sweep.axes.chip.crossbar.rows.same_as",
            {"value": "chip.crossbar.cols"},
        ),
        (
            {"chip.crossbar.rows": {"same_as": "design", "when": "design != none"}},
            {},
            "conflict",
            "sweep.axes.chip.crossbar.rows.same_as",
            {"value": "design"},
        ),
        (
            {"crossbar.rows": ROWS},
            {},
            "unknown-key",
            "sweep.axes",
            {"value": "crossbar.rows", "nearest": "chip.crossbar.rows"},
        ),
        (
            {"desing": ["none"]},
            {},
            "unknown-key",
            "sweep.axes",
            {"value": "desing", "nearest": "design"},
        ),
        (
            {"design": ["none", "comon"]},
            {},
            "unknown-name",
            "sweep.axes.design",
            {"value": "comon", "nearest": "common"},
        ),
        (
            {"device": ["rramm"]},
            {},
            "unknown-name",
            "sweep.axes.device",
            {"value": "rramm", "nearest": "rram"},
        ),
        (
            {"technology": [22]},
            {},
            "unknown-name",
            "sweep.axes.technology",
            {"value": 22, "allowed": ["10nm-lstp"]},
        ),
        (
            {"network": [3]},
            {},
            "wrong-type",
            "sweep.axes.network",
            {"value": 3, "allowed": "names"},
        ),
        (
            {"device": ["rram"], "chip.device": ["pcm"]},
            {},
            "given-twice",
            "sweep.axes",
            {"value": ("chip.device", "device")},
        ),
        (
            {"chip.crossbar.rows": {"values": ROWS, "when": "desing == none"}, "design": ["none"]},
            {},
            "unknown-name",
            "sweep.axes.chip.crossbar.rows.when",
            {"value": "desing", "nearest": "design"},
        ),
        (
            {
                "design": {"values": ["none"], "when": "chip.crossbar.rows > 3"},
                "chip.crossbar.rows": {"values": ROWS, "when": "design == none"},
            },
            {},
            "unknown-name",
            "sweep.axes.design.when",
            {"value": "chip.crossbar.rows"},
        ),
        (
            {"chip.crossbar.rows": ROWS},
            {"where": ["area_mm2 < 3"]},
            "unknown-name",
            "sweep.where",
            {"value": "area_mm2", "allowed": ["chip.crossbar.rows"]},
        ),
        (
            {"chip.crossbar.rows": ROWS},
            {"where": ["rows"]},
            "wrong-form",
            "condition",
            {"value": "rows"},
        ),
        (
            {"chip.crossbar.rows": ROWS},
            {"fidelity": "accuracy"},
            "missing-key",
            "sweep.accuracy",
            {},
        ),
        (
            {"chip.crossbar.rows": ROWS},
            {"part_points": 0},
            "out-of-range",
            "sweep.part_points",
            {"value": 0, "allowed": ">= 1"},
        ),
        (
            {"chip.crossbar.rows": ROWS},
            {"foo": 1},
            "unknown-key",
            "sweep.foo",
            {"value": "foo", "allowed": ["name"]},
        ),
        (
            {f"device.x{place}": list(range(1000)) for place in range(7)},
            {},
            "out-of-range",
            "sweep.axes",
            {"value": 1000000000000000000000, "allowed": "at most 4.61e+18"},
        ),
    ],
)
def test_refused(
    axes: dict[str, Any], keys: dict[str, Any], code: str, field: str, facts: dict[str, Any]
) -> None:
    with refused(ConfigError, code=code, field=field, **facts):
        grid_of(sweep_of(axes, **keys))


@pytest.mark.parametrize(
    ("axes", "code", "field", "facts"),
    [
        (
            {"chip.crossbar.rowz": ROWS},
            "unknown-key",
            "chip.crossbar.rowz",
            {"value": "rowz", "nearest": "rows"},
        ),
        (
            {"chip.crossbar.rows": [64, "many"]},
            "wrong-type",
            "chip.crossbar.rows",
            {"value": "many"},
        ),
        (
            {"chip.adc.bits": [5, 99]},
            "out-of-range",
            "chip.adc.bits",
            {"value": 99, "allowed": "<= 14"},
        ),
        ({"chip.adc.bits": [5, 5.5]}, "wrong-type", "chip.adc.bits", {"value": 5.5}),
        ({"chip.crossbar.rows": [True, 64]}, "wrong-type", "chip.crossbar.rows", {"value": True}),
        (
            {"chip.adc.kind": ["sar", "sarr"]},
            "unknown-name",
            "chip.adc.kind",
            {"value": "sarr", "allowed": ["'flash-current'", "'sar'", "'oscillator'"]},
        ),
        ({"device.name": ["one", "two"]}, "unsupported", "sweep.axes.device.name", {}),
    ],
)
def test_refused_by_the_schema_of_the_setting(
    axes: dict[str, Any], code: str, field: str, facts: dict[str, Any]
) -> None:
    space = space_of(axes)
    with refused(ConfigError, code=code, field=field, **facts):
        space.base(())


@pytest.mark.parametrize(
    ("where", "allowed"), [("design > 3", "=="), ("chip.crossbar.rows == none", "a number")]
)
def test_conditions_on_the_wrong_kind(where: str, allowed: str) -> None:
    grid = grid_of(sweep_of({"design": ["none"], "chip.crossbar.rows": ROWS}, where=[where]))
    box = Box((slice(0, 1), slice(0, 2)))
    facts: dict[str, Any] = {"code": "wrong-type", "field": "condition", "value": where}
    with refused(ConfigError, **facts, allowed=allowed):
        grid.kept(box, grid.tables(box))


def test_numbers_of_an_axis_stay_exact() -> None:
    whole = int(MAX_NUMBER)
    assert column_array((whole, whole - 1)).tolist() == [whole, whole - 1]
    assert float(whole) == whole
    assert float(whole - 1) == whole - 1


def test_a_long_list_is_read() -> None:
    values = [float(value) for value in range(10_000)]
    assert len(values_of("device.r_on", values)) == 10_000
    facts: dict[str, Any] = {"code": "out-of-range", "field": "sweep.axes.device.r_on.values"}
    with refused(ConfigError, **facts, value=10_001, allowed="10000"):
        values_of("device.r_on", [*values, 0.5])


def test_axes_of_the_command_line() -> None:
    found = load_sweep(
        "full-chip", axes=["chip.adc.bits=[4, 5]", "device.r_on={from: 1, to: 2, points: 2}"]
    )
    assert found.axes["chip.adc.bits"].values == [4, 5]
    assert found.axes["device.r_on"].numbers() == [1.0, 2.0]
    assert isinstance(found, Sweep)
    facts: dict[str, Any] = {"code": "wrong-type", "field": "--axis", "allowed": ["list", "range"]}
    with refused(ConfigError, **facts, value="chip.adc.bits=5"):
        parse_axis("chip.adc.bits=5")
    for text in ("chip.adc.bits", "=[1]"):
        with refused(ConfigError, code="wrong-form", field="--set", value=text):
            parse_axis(text)


def test_settings_of_the_file_and_of_the_base() -> None:
    found = load_sweep("full-chip", ["sweep.part_points=10", "chip.adc.model=isaac"])
    assert found.part_points == 10
    assert found.settings == ["chip.adc.model=isaac"]
    facts: dict[str, Any] = {"code": "unknown-name", "field": "sweep", "value": "full-chop"}
    with refused(ConfigError, **facts, nearest="full-chip"):
        load_sweep("full-chop")
