"""Refined points: no worse than their starts, inside their ranges, and what `map` says of them."""

import math
from unittest.mock import ANY

import numpy as np
import pytest
import torch

from archsim.api.sweep import open_sweep
from archsim.api.sweep import sweep as run_sweep
from archsim.arch.design import DesignBatch
from archsim.config.sweep import Sweep
from archsim.cost.engine import evaluate
from archsim.errors import ConfigError, DataError
from archsim.explore.run.exhaustive import run_exhaustive
from archsim.explore.run.rows import point_rows
from archsim.explore.run.sweep import Job, open_store
from archsim.explore.search.gradient import Refinement, check_refinement, dials
from archsim.explore.search.refine import refine
from archsim.explore.space.points import Space
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan
from tests.refusals import refused

AXES = {
    "design": ["none", "common"],
    "chip.crossbar.rows": [64, 128],
    "device.r_on": {"from": 20, "to": 200, "points": 3, "scale": "log"},
    "chip.read.access_resistance_ratio": {
        "from": 0.1,
        "to": 0.9,
        "points": 2,
        "when": "chip.crossbar.rows == 64",
    },
}


CHIP = "rram-22nm-neurosim"


def sweep_of(**changes):
    strategy = {"kind": "gradient", "steps": 12, "starts": 3, **changes.pop("strategy", {})}
    content = {"name": "small", "network": "lenet3", "chip": CHIP, "axes": AXES, **changes}
    return Sweep.model_validate({**content, "strategy": strategy})


def sweep(asked, *, out, resume=False):
    """Run a sweep without counting and timing it first."""
    job = Job(asked)
    store = open_store(job, out, resume=resume)
    run_exhaustive(job, store)
    refine(job, store)
    return open_sweep(out)


@pytest.fixture(scope="module")
def refined(tmp_path_factory):
    return run_sweep(sweep_of(), out=tmp_path_factory.mktemp("gradient") / "s")


def test_refined_points_are_no_worse_and_in_their_ranges(refined):
    rows = refined.frame().set_index("point")
    found = refined.refinements()
    assert found["point"].tolist() == [-1, -2]
    assert sorted(rows.index[rows.index < 0]) == [-2, -1]
    for own in found.to_dict("records"):
        start, end = rows.loc[own["start"]], rows.loc[own["point"]]
        before = math.log(start["edp_Js"]) + math.log(start["area_m2"])
        after = math.log(end["edp_Js"]) + math.log(end["area_m2"])
        assert after < before - 1e-3
        assert own["before.edp_Js"] == start["edp_Js"]
        assert own["after.edp_Js"] == end["edp_Js"]
        assert 20 <= end["device.r_on_kohm"] <= 200
        assert end["design"] == start["design"]
        assert end["chip.crossbar.rows"] == start["chip.crossbar.rows"]
        ratio = end["chip.read.access_resistance_ratio"]
        if end["chip.crossbar.rows"] == 64:
            assert 0.1 <= ratio <= 0.9
        else:
            assert math.isnan(ratio)


def test_a_refined_point_costs_what_the_engine_says_of_its_settings(refined):
    rows = refined.frame().set_index("point")
    space = Space(refined.sweep)
    for own in refined.refinements().to_dict("records"):
        settings = space.settings(own["start"])
        settings["device.r_on"] = own["settings.device.r_on"]
        if "chip.read.access_resistance_ratio" in settings:
            name = "chip.read.access_resistance_ratio"
            settings[name] = own[f"settings.{name}"]
        resolved, design, _ = space.resolve(settings)
        base = space.base(())
        one = DesignBatch.from_resolved(resolved, design)
        plan = compile_plan(design=one, table=base.table, points=base.points)
        cost = evaluate(design=one, plan=plan)
        for metric in shown_in(Place.SWEEP):
            name, expected = metric.column, float(metric.in_column(cost, plan))
            assert rows.loc[own["point"], name] == pytest.approx(expected, rel=1e-9, abs=0), name
        command = refined.map_command(own["point"])
        assert f"device.r_on={own['settings.device.r_on']}" in command


def test_the_gradient_is_that_of_finite_differences():
    space = Space(sweep_of())
    refinement = Refinement(space, [4])
    place = torch.tensor([[60.0, 0.4]], dtype=torch.float64).log().requires_grad_()
    refinement.at(place.exp()).score.sum().backward()
    step = 1e-5
    for column in range(2):
        ends = []
        for sign in (-1, 1):
            moved = place.detach().clone()
            moved[0, column] += sign * step
            ends.append(float(refinement.at(moved.exp()).score.sum()))
        slope = (ends[1] - ends[0]) / (2 * step)
        assert abs(slope) > 1e-4
        assert float(place.grad[0, column]) == pytest.approx(slope, rel=1e-4, abs=0)


def test_an_optimum_beyond_the_range_ends_on_its_bound():
    axes = {**AXES, "device.r_on": {"from": 20, "to": 30, "points": 2}}
    space = Space(sweep_of(axes=axes, objectives=["edp"], strategy={"learning_rate": 0.5}))
    points = [0]
    refinement = Refinement(space, points)
    rows = point_rows(space, points).table.to_pandas()
    after, values = refinement.run(rows)
    bounds = (20.0, 30.0)
    assert float(values[0, 0]) in bounds
    assert after["edp_Js"].iloc[0] <= rows["edp_Js"].iloc[0]


def test_constraints_are_kept(tmp_path):
    free = sweep(sweep_of(objectives=["edp"]), out=tmp_path / "a").frame()
    fastest = free.loc[free["edp_Js"].idxmin()]
    bound = float(free["latency_s"].min()) * 1e6 * 1.05
    result = sweep(
        sweep_of(objectives=["energy"], constraints=[f"latency < {bound!r} us"]),
        out=tmp_path / "b",
    )
    rows = result.frame()
    assert len(result.refinements()) > 0
    assert (rows.loc[rows["point"] < 0, "latency_s"] * 1e6 < bound).all()
    assert fastest["feasible"]


def test_nothing_to_start_from_is_no_error(tmp_path):
    result = sweep(sweep_of(constraints=["area < 1 um2"]), out=tmp_path / "s")
    assert result.store.is_complete
    assert result.refinements().empty
    assert (result.frame()["point"] >= 0).all()


def test_a_folder_resumes_and_its_refinement_is_not_repeated(tmp_path):
    first = sweep(sweep_of(), out=tmp_path / "s")
    whole = first.frame()
    assert first.store.is_complete
    last = first.store.path(max(first.store.done()))
    before = last.stat().st_mtime_ns
    sweep(sweep_of(), out=tmp_path / "s", resume=True)
    assert last.stat().st_mtime_ns == before
    last.unlink()
    again = sweep(sweep_of(), out=tmp_path / "s", resume=True).frame()
    assert again.equals(whole)
    with refused(DataError, code="wrong-file", field=tmp_path / "s", value=ANY, says=["13"]):
        sweep(sweep_of(strategy={"steps": 13}), out=tmp_path / "s", resume=True)
    facts = {"code": "out-of-range", "field": "point", "value": -9}
    with refused(ConfigError, **facts, allowed="-1 to -2"):
        first.map_command(-9)


def test_a_sweep_without_refinement_says_so(tmp_path):
    axes = {"chip.crossbar.rows": [64, 128]}
    plain = Sweep.model_validate({"name": "plain", "network": "lenet3", "axes": axes})
    result = run_sweep(plain, out=tmp_path / "s")
    with refused(DataError, code="empty", field=tmp_path / "s"):
        result.refinements()
    facts = {"code": "out-of-range", "field": "point", "value": -1}
    with refused(ConfigError, **facts, allowed="0 to 1"):
        result.map_command(-1)


@pytest.mark.parametrize(
    ("changes", "code", "field", "facts"),
    [
        ({"axes": {"chip.crossbar.rows": [64, 128]}}, "empty", "sweep.axes", {}),
        ({"axes": {"device.r_on": [20, 50]}}, "empty", "sweep.axes", {}),
        (
            {"axes": {"chip.interconnect.toggle_in": {"from": 0, "to": 1, "points": 3}}},
            "conflict",
            "sweep.axes.chip.interconnect.toggle_in",
            {"allowed": "above 0", "says": ["from = 0"]},
        ),
        (
            {"objectives": ["tiles"]},
            "conflict",
            "sweep.objectives",
            {"value": "tiles", "allowed": ["edp_Js"]},
        ),
        (
            {"strategy": {"weights": [1.0]}},
            "shape-mismatch",
            "sweep.strategy.weights",
            {"says": ["1", "2"]},
        ),
        (
            {"fidelity": "accuracy", "accuracy": {"study": "tsb-lenet3", "method": "TSB"}},
            "conflict",
            "sweep.fidelity",
            {"says": ["fidelity = hardware"]},
        ),
    ],
)
def test_what_cannot_be_refined_is_said(changes, code, field, facts):
    with refused(ConfigError, code=code, field=field, **facts):
        check_refinement(Space(sweep_of(**changes)))


def test_an_axis_that_a_condition_asks_for_stays():
    axes = {
        "device.r_on": {"from": 20, "to": 200, "points": 3},
        "device.r_off": {"from": 1000, "to": 2000, "points": 2},
        "chip.crossbar.rows": {"values": [64, 128], "when": "device.r_on > 50"},
    }
    assert [dial.axis.path for dial in dials(Space(sweep_of(axes=axes)))] == ["device.r_off"]


def test_weights_decide_between_objectives():
    def score(weights):
        space = Space(sweep_of(strategy={"weights": weights}))
        refinement = Refinement(space, [0])
        state = refinement.at(refinement.start)
        return float(state.score), {k: float(v) for k, v in state.results.items()}

    found, results = score([2.0, 0.5])
    expected = 2 * math.log(results["edp_Js"]) + 0.5 * math.log(results["area_m2"])
    assert found == pytest.approx(expected, rel=1e-12, abs=0)
    assert np.isfinite(found)


@pytest.mark.parametrize(
    ("changes", "code", "field", "facts"),
    [
        (
            {"objectives": ["tiles"]},
            "conflict",
            "sweep.objectives",
            {"value": "tiles", "allowed": ["edp_Js"]},
        ),
        ({"strategy": {"weights": [1.0]}}, "shape-mismatch", "sweep.strategy.weights", {}),
        ({"axes": {"device.r_on": [20, 50]}}, "empty", "sweep.axes", {}),
    ],
)
def test_it_is_said_before_anything_runs(tmp_path, changes, code, field, facts):
    with refused(ConfigError, code=code, field=field, **facts):
        run_sweep(sweep_of(**changes), out=tmp_path / "s")
    assert not (tmp_path / "s").exists()
