"""Designs and rows of a space are what resolving and mapping each point by itself gives."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from archsim.api.map import map_network
from archsim.config.rules import RULES
from archsim.errors import ConfigError
from archsim.explore.query.result import map_command
from archsim.explore.run.rows import box_rows
from archsim.explore.run.sweep import Job
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Box
from archsim.results.mapped import MapResult
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from tests.explore.space.pair_check import box_of, telling_points
from tests.explore.sweeps import MIXED, SPACES, run_cli, space_of, sweep_of
from tests.refusals import refused

RESULTS = tuple(metric.column for metric in shown_in(Place.SWEEP))


def some_points(space: Space, count: int) -> list[int]:
    """Allowed points, spread by a fixed generator; those that tell most among them."""
    generator = torch.Generator().manual_seed(1)
    order = torch.randperm(space.grid.size, generator=generator)[:count].tolist()
    return sorted({*order, *telling_points(space, count)})


def map_point(space: Space, settings: dict[str, Any]) -> MapResult:
    """Map a point by itself, with nothing of the sweep's code but what it says it sets."""
    sweep = space.sweep
    dotted = [f"{path}={value}" for path, value in settings.items() if "." in path]
    return map_network(
        settings.get("network", sweep.network),
        design=settings.get("design", sweep.design),
        chip=settings.get("chip", sweep.chip),
        technology=settings.get("technology", sweep.technology),
        device=settings.get("device", sweep.device),
        tsb=settings.get("tsb", sweep.tsb),
        overrides=[*sweep.settings, *dotted],
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_rows_are_those_of_map(name: str) -> None:
    axes, keys = SPACES[name]
    space = space_of(axes, **keys)
    checked = 0
    for point in some_points(space, 4):
        rows = box_rows(space, box_of(space, point)).table.to_pylist()
        if not rows:
            continue
        (row,) = rows
        result = map_point(space, space.settings(point))
        assert row["point"] == point
        assert row["feasible"] == result.feasible
        checked += 1
        if not result.feasible:
            violated = [own.name for own in result.cost.constraints if bool(own.violated)]
            assert row["infeasible_because"] == violated[0]
            assert {row[column] for column in RESULTS} == {None}
            continue
        assert row["infeasible_because"] is None
        for metric in shown_in(Place.SWEEP):
            value = metric.from_column(row[metric.column])
            assert value == pytest.approx(result.totals[metric.key], rel=1e-12, abs=0), metric.key
        assert row["tiles"] == result.totals["tiles"]
        assert row["subarrays_used"] == result.totals["subarrays_used"]
    assert checked >= 4


def test_rows_of_a_box_are_those_of_its_points() -> None:
    space = space_of(MIXED)
    generator = torch.Generator().manual_seed(2)
    box = Box((slice(1, 2), *(slice(0, len(axis)) for axis in space.grid.axes[1:])))
    rows = box_rows(space, box).table.to_pylist()
    kept = space.grid.kept(box, space.grid.tables(box))
    assert [row["point"] for row in rows] == space.grid.points(box)[kept].tolist()
    for place in torch.randperm(len(rows), generator=generator)[:20].tolist():
        row = rows[place]
        (alone,) = box_rows(space, box_of(space, row["point"])).table.to_pylist()
        for column, value in row.items():
            is_result = column in RESULTS and value is not None
            wanted = pytest.approx(value, rel=1e-12, abs=0) if is_result else value
            assert alone[column] == wanted, column
        expected = space.settings(row["point"])
        columns = space.columns
        for path, column in columns.items():
            assert row[column] == expected.get(path), path


def test_null_is_an_empty_cell_in_a_column_of_numbers() -> None:
    limit = "chip.programming.max_power={value: 10, unit: mW, source: test}"
    space = space_of(
        {"chip.programming.max_power": [None, 20, 40], "chip.crossbar.cols": [64, 128]},
        set=[limit, "chip.programming.policy=all"],
    )
    box = Box(tuple(slice(0, len(axis)) for axis in space.grid.axes))
    table = box_rows(space, box).table
    assert table["chip.programming.max_power_mW"].to_pylist() == [None, None, 20, 20, 40, 40]
    for row in table.to_pylist():
        result = map_point(space, {**space.settings(row["point"])} | _null(space, row["point"]))
        assert row["programming_time_s"] == pytest.approx(
            float(result.cost.programming.time_s), rel=1e-12, abs=0
        )


def _null(space: Space, point: int) -> dict[str, str]:
    return {path: "null" for path, value in space.settings(point).items() if value is None}


#: Name of the rule about more last layers than a network has.
LAST_LAYERS = RULES[-1].name


def test_more_last_layers_than_there_are() -> None:
    space = space_of(
        {"chip.programming.policy": ["all", "last-layers"], "chip.programming.last_layers": [3, 4]}
    )
    rows = box_rows(space, Box((slice(0, 2), slice(0, 2))))
    assert rows.table["point"].to_pylist() == [0, 1, 2]
    assert rows.forbidden == {LAST_LAYERS: 1}
    facts: dict[str, Any] = {"code": "conflict", "field": "chip.programming.last_layers"}
    with refused(ConfigError, **facts, value=4, allowed="1 to 3"):
        map_point(space, space.settings(3))
    again = space_of({"chip.programming.rewritten_layers": [0, 3, 4]})
    assert box_rows(again, Box((slice(0, 3),))).forbidden == {LAST_LAYERS: 1}


@pytest.mark.parametrize("name", ["mixed", "numbers", "devices"])
def test_the_command_of_a_point_gives_its_numbers(name: str) -> None:
    axes, keys = SPACES[name]
    space = space_of(axes, **keys)
    for point in telling_points(space, 3):
        (row,) = box_rows(space, box_of(space, point)).table.to_pylist()
        words = shlex.split(map_command(space, point))
        assert words[:2] == ["archsim", "map"]
        done = run_cli(*words[1:], "--format", "json")
        if not row["feasible"]:
            assert done.exit_code == 1
            continue
        assert done.exit_code == 0, done.stderr
        edp = json.loads(done.stdout)["totals"]["edp_uJ_us"]
        assert row["edp_Js"] * 1e12 == pytest.approx(edp, rel=1e-12, abs=0)


def test_there_is_no_point_beyond_the_last() -> None:
    space = space_of({"chip.crossbar.rows": [64, 128]})
    for point in (-1, 2):
        facts: dict[str, Any] = {"code": "out-of-range", "field": "point", "value": point}
        with refused(ConfigError, **facts, allowed="0 to 1"):
            map_command(space, point)


def test_telling_points_have_each_pair_of_values() -> None:
    axes = {**MIXED, "design": ["none", "common", "separate"]}
    space = space_of({name: axis for name, axis in axes.items() if not name.startswith("tsb")})
    points = telling_points(space, 64)
    assert len(set(points)) == len(points) < 30
    digits = [space.grid.digits(point)[1:] for point in points]
    shape = space.grid.shape[1:]
    for one in range(len(shape)):
        for other in range(one):
            pairs = {(own[one], own[other]) for own in digits}
            assert len(pairs) == shape[one] * shape[other]


def test_telling_points_of_long_and_single_axes() -> None:
    long = space_of({"device.r_on": {"from": 20, "to": 200, "points": 20}, "device.sigma": [0.05]})
    points = telling_points(long, 64)
    assert len(points) == 8
    assert {0, 19} <= set(points)
    assert telling_points(space_of({"chip.crossbar.rows": [64, 128]}), 64) == [0, 1]


def test_identity_changes_with_what_rows_depend_on(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = {"chip.adc.bits": [4, 5]}

    def said(**keys: Any) -> Sequence[Any]:
        job = Job(sweep_of(axes, **keys))
        return list(job.identity().values())

    assert said() == said(objectives=["latency"], constraints=["area_mm2 < 3"], description="x")
    for keys in ({"part_points": 1}, {"device": "pcm"}, {"set": ["chip.adc.kind=sar"]}):
        assert said() != said(**keys)
    file = tmp_path / "mine.yaml"
    file.write_text("extends: rram\nsigma: {value: 0.11, unit: '1', source: mine}\n")
    before = said(device=str(file))
    file.write_text("extends: rram\nsigma: {value: 0.12, unit: '1', source: mine}\n")
    assert said(device=str(file)) != before
