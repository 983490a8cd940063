"""Searches with Optuna: their rows are those of the grid, whatever happens to them in between."""

import dataclasses
import math
import sys
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest

from archsim.api.sweep import open_sweep, sweep
from archsim.config.sweep import Sweep
from archsim.errors import ConfigError, DataError
from archsim.explore.run.goals import Goals
from archsim.explore.run.rows import allowed_points, point_rows
from archsim.explore.run.sweep import Job, open_store
from archsim.explore.search.proposals import FILE, Proposer, Record, load_optuna
from archsim.explore.search.search import run_search
from archsim.explore.space.cases import box_keys
from archsim.explore.space.constraint import excess, parse_constraint, satisfied
from archsim.explore.space.grid import Cut
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Flat
from tests.refusals import refused

SAMPLERS = ("nsga2", "nsga3", "tpe", "random")
AXES = {
    "technology": ["22nm-lstp", "32nm-lstp"],
    "design": ["none", "common"],
    "chip.precision.bits_per_cell": [1, 4, 2],
    "chip.crossbar.cols": [64, 72],
    "chip.crossbar.mux_ratio": [16, 8],  # 16 does not divide 72
    "chip.adc.bits": {"from": 4, "to": 6, "step": 1},
    "device.r_on": {"from": 50, "to": 200, "points": 3, "scale": "log"},
    "tsb.channels": {"values": [16, 32], "when": "design != none"},
}
#: Fewer, for tests of what happens around a search.
FEW = {
    "design": ["none", "common"],
    "chip.crossbar.cols": [64, 72],
    "chip.crossbar.mux_ratio": [16, 8],
    "chip.adc.bits": {"from": 4, "to": 6, "step": 1},
    "tsb.channels": {"values": [16, 32, 64], "when": "design != none"},
}
POPULATION = 8
#: More kills.
LATER = [("random", 3), ("nsga2", 0), ("tpe", 3)]


def sweep_of(kind="optuna", **changes):
    strategy = {"kind": kind}
    if kind == "optuna":
        strategy |= {"trials": 24, "population": POPULATION}
    strategy |= changes.pop("strategy", {})
    content = {"name": "small", "network": "lenet3", "axes": FEW, **changes}
    return Sweep.model_validate({**content, "strategy": strategy})


@pytest.fixture(scope="module")
def everything():
    """All rows of the grid, in order."""
    job = Job(sweep_of("exhaustive", axes=AXES))
    return pd.concat([job.rows(part).table.to_pandas() for part in range(job.parts)])


def same(found, expected):
    """Compare rows of the same points: settings exactly, results to rounding."""
    expected = expected.set_index("point").loc[found["point"]].reset_index()
    for name in found:
        one, other = found[name], expected[name]
        if one.dtype == np.float64:
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=0, err_msg=name)
        else:
            assert one.astype(object).where(one.notna(), None).tolist() == (
                other.astype(object).where(other.notna(), None).tolist()
            ), name


def run(folder, **changes):
    resume = changes.pop("resume", False)
    return sweep(sweep_of(**changes), out=folder, resume=resume)


def search(folder, resume=False, **changes):
    """Run a search without the rehearsal that says how long it takes."""
    job = Job(sweep_of(**changes))
    store = open_store(job, folder, resume=resume)
    store.verify()
    run_search(job, store, resume=resume)
    return store.frame()


def study_in(folder):
    optuna = load_optuna()
    url = f"sqlite:///{folder / FILE}"
    (name,) = optuna.get_all_study_names(url)
    return optuna.load_study(study_name=name, storage=url)


def test_rows_of_single_points_are_those_of_the_grid(everything):
    generator = np.random.default_rng(1)
    points = generator.choice(everything["point"].to_numpy(), 40, replace=False)
    rows = point_rows(Space(sweep_of(axes=AXES)), points.tolist())
    assert rows.combinations == 40
    assert rows.forbidden == {}
    assert rows.table.column("point").to_pylist() == sorted(points.tolist())
    same(rows.table.to_pandas(), everything)


def test_points_that_there_are_not_have_no_rows(everything):
    space = Space(sweep_of(axes=AXES))
    kept = allowed_points(space, list(range(space.grid.size)))
    assert np.flatnonzero(kept).tolist() == everything["point"].tolist()
    assert 0 < kept.sum() < space.grid.size
    gone = np.flatnonzero(~kept)[:5].tolist()
    rows = point_rows(space, gone)
    assert rows.table.num_rows == 0
    assert sum(rows.forbidden.values()) <= 5


def test_accuracy_keys_of_single_points_are_those_of_the_grid():
    accuracy = {"study": "tsb-lenet3", "method": "TSB", "base": "noise injection"}
    axes = {
        "design": ["none", "common"],
        "tsb.channels": {"values": [16, 32], "when": "design != none"},
        "chip.crossbar.rows": [64, 128],
    }
    space = Space(sweep_of(fidelity="accuracy", accuracy=accuracy, axes=axes))
    cut = Cut.of(space.grid, 100)
    box = cut.box(0)
    whole = dict(
        zip(
            space.grid.points(box).reshape(-1).tolist(),
            box_keys(space, box).reshape(-1).tolist(),
            strict=True,
        )
    )
    points = np.array([7, 0, 5, 2])
    found = box_keys(space, Flat(space.grid.digits_of(points)))
    assert found.tolist() == [whole[point] for point in points.tolist()]
    assert len(set(whole.values())) == 3


def test_proposals_are_points_with_a_number():
    space = Space(sweep_of(axes=AXES))
    goals = Goals.of(space)
    proposer = Proposer(space.grid, space.sweep.strategy, [False, False])
    found, failed = proposer.propose(30, lambda points: allowed_points(space, points))
    assert len(found) == 30
    assert failed > 0
    assert allowed_points(space, [own.point for own in found]).all()
    assert len({own.point for own in found}) > 10
    known = goals.verdicts(point_rows(space, [own.point for own in found]).table)
    trials = proposer.tell(found, known)
    assert [proposer.point_of(trial) for trial in trials] == [own.point for own in found]
    states = [trial.state.name for trial in proposer.study.trials]
    assert states.count("COMPLETE") == 30
    assert states.count("PRUNED") == failed
    asked = trials[0].distributions
    assert type(asked["device.r_on"]).__name__ == "IntDistribution"
    assert type(asked["technology"]).__name__ == "CategoricalDistribution"
    for trial, own in zip(trials, found, strict=True):
        settings = space.settings(own.point)
        assert ("tsb.channels" in trial.params) == (settings["design"] == "common")
        assert trial.params["technology"] == settings["technology"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_writes_rows_of_the_grid_and_records_its_trials(sampler, tmp_path, everything):
    news = []
    result = sweep(
        sweep_of(axes=AXES, strategy={"sampler": sampler}), out=tmp_path / "s", news=news.append
    )
    rows = result.frame()
    assert rows["point"].is_unique
    same(rows, everything)
    assert [(step.parts, step.of) for step in news] == [(1, 3), (2, 3), (3, 3)]
    trials = study_in(tmp_path / "s").trials
    assert len(trials) == 24
    proposer = Proposer(result_grid(result), result.sweep.strategy, [False, False])
    known = rows.set_index("point")
    for trial in trials:
        row = known.loc[proposer.point_of(trial)]
        assert trial.values == [row["edp_Js"], row["area_m2"]]
    opened = open_sweep(tmp_path / "s")
    table, front = opened.pareto()
    assert front.mask.any()
    assert opened.store.parts is None
    assert opened.map_command(int(table["point"].iloc[0])).startswith("archsim map lenet3")


def result_grid(result):
    return Space(result.sweep).grid


def test_the_same_seed_finds_the_same_points_and_another_others(tmp_path):
    def points(name, **strategy):
        return search(tmp_path / name, strategy={**strategy, "trials": 16})["point"].tolist()

    assert points("a", seed=3) == points("b", seed=3)
    assert points("c", seed=4) != points("d", seed=3)


def test_a_longer_search_goes_on_where_a_shorter_ended(tmp_path):
    whole = search(tmp_path / "whole", strategy={"sampler": "random"})
    search(tmp_path / "s", strategy={"sampler": "random", "trials": 16})
    with refused(DataError, code="in-the-way", field=ANY, value=ANY, says=["--resume"]):
        search(tmp_path / "s", strategy={"sampler": "random"})
    grown = search(tmp_path / "s", strategy={"sampler": "random"}, resume=True)
    assert grown.equals(whole)
    assert len(study_in(tmp_path / "s").trials) == 24
    with refused(
        DataError, code="wrong-file", field=tmp_path / "s", value=ANY, says=["search.seed"]
    ):
        search(tmp_path / "s", strategy={"sampler": "random", "seed": 1}, resume=True)


class KilledError(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize(
    ("sampler", "kept"),
    [("random", 0), ("nsga2", 3), *(pytest.param(*own, marks=pytest.mark.slow) for own in LATER)],
)
def test_a_search_that_is_killed_between_rows_and_trials_resumes(
    sampler, kept, tmp_path, monkeypatch
):
    whole = search(tmp_path / "whole", strategy={"sampler": sampler})
    add, calls = Record.add, []

    def dies(self, trials):
        calls.append(1)
        if len(calls) == 2:
            add(self, trials[:kept])
            raise KilledError
        add(self, trials)

    monkeypatch.setattr(Record, "add", dies)
    with pytest.raises(KilledError):
        search(tmp_path / "s", strategy={"sampler": sampler})
    monkeypatch.undo()
    assert len(study_in(tmp_path / "s").trials) == POPULATION + kept
    found = search(tmp_path / "s", strategy={"sampler": sampler}, resume=True)
    assert len(study_in(tmp_path / "s").trials) == 24
    assert found["point"].is_unique
    if sampler == "random" and kept == 0:
        assert found.equals(whole)


def test_rows_that_are_lost_are_worked_out_again(tmp_path):
    before = search(tmp_path / "s").sort_values("point", ignore_index=True)
    lost = tmp_path / "s" / "parts" / "part-0000001.parquet"
    lost.write_bytes(lost.read_bytes()[:100])
    after = search(tmp_path / "s", resume=True).sort_values("point", ignore_index=True)
    assert after["point"].tolist() == before["point"].tolist()
    same(after, before)


def test_infeasible_points_and_constraints_are_told_as_such(tmp_path, everything):
    bound = float(everything["area_m2"].median()) * 1e6
    result = run(
        tmp_path / "s",
        axes={**FEW, "chip.hierarchy.max_tiles": [1, 1000]},
        constraints=[f"area_mm2 < {bound!r}"],
        strategy={"trials": 48},
    )
    rows = result.frame().set_index("point")
    proposer = Proposer(result_grid(result), result.sweep.strategy, [False, False])
    missed = {True: 0, False: 0}
    for trial in study_in(tmp_path / "s").trials:
        row = rows.loc[proposer.point_of(trial)]
        told = list(trial.constraints.values())
        assert told[0] == 1.0 - row["feasible"]
        assert all(math.isinf(value) for value in trial.values) == (not row["feasible"])
        if row["feasible"]:
            over = row["area_m2"] * 1e6 / bound - 1
            assert told[1] == (pytest.approx(over, rel=1e-6, abs=0) if over > 0 else 0.0)
        missed[bool(row["feasible"])] += 1
    assert min(missed.values()) > 0


def test_excess_is_zero_exactly_where_a_constraint_is_met():
    frame = pd.DataFrame(
        {"area_m2": [1e-6, 2e-6, 3e-6, np.nan], "design": ["none", "common", None, "none"]}
    )
    one = parse_constraint("area_mm2 < 2")
    assert excess(frame, one).tolist() == pytest.approx([0, 1e-12, 0.5, 1.0], rel=1e-9, abs=0)
    for text in ("area_mm2 < 2", "area_mm2 >= 2", "area_mm2 > 0", "design == none", "design != no"):
        own = parse_constraint(text)
        assert ((excess(frame, own) == 0) == satisfied(frame, own)).all(), text


@pytest.mark.slow
def test_a_space_that_nobody_can_enumerate_is_searched(tmp_path):
    paths = ("r_on", "r_off", "v_write", "pulse_width", "reset_width", "sigma", "verify_read_time")
    ranges = {
        "r_on": (50, 90),
        "r_off": (1000, 5000),
        "sigma": (0.01, 0.02),
    }  # in the units of the preset
    axes = {
        f"device.{path}": dict(
            zip(("from", "to"), ranges.get(path, (1.0, 3.0)), strict=True), points=12
        )
        for path in paths
    }
    space = Space(sweep_of(axes={**FEW, **axes}))
    assert space.grid.size > 1e9
    rows = search(tmp_path / "s", axes={**FEW, **axes})
    assert len(rows) > 15
    assert rows["device.r_off_kohm"].between(1000, 5000).all()
    for point, width in zip(rows["point"], rows["device.pulse_width_ns"], strict=True):
        assert space.settings(point)["device.pulse_width"] == width


@pytest.mark.slow
def test_any_storage_of_optuna(tmp_path):
    url = f"sqlite:///{tmp_path / 'mine.db'}"
    search(tmp_path / "s", strategy={"storage": url, "trials": 8})
    assert not (tmp_path / "s" / FILE).exists()
    assert [own.n_trials for own in load_optuna().get_all_study_summaries(url)] == [8]
    with refused(DataError, code="in-the-way", field=url, value=8):
        search(tmp_path / "other", strategy={"storage": url})
    with refused(DataError, code="unreachable", field="nothing://...@host/db"):
        search(tmp_path / "third", strategy={"storage": "nothing://me:secret@host/db"})


@pytest.mark.parametrize(
    ("changes", "code", "field", "facts"),
    [
        (
            {"objectives": ["edp", "max:accuracy"]},
            "conflict",
            "sweep.strategy.kind",
            {"value": "optuna", "says": ["'max:accuracy':"]},
        ),
        ({"objectives": ["edp", "aera"]}, "unknown-name", "column", {"value": "aera"}),
        (
            {"constraints": ["accuracy > 90 %"]},
            "conflict",
            "sweep.strategy.kind",
            {"value": "optuna", "says": ["'accuracy"]},
        ),
        ({"constraints": ["size < 3"]}, "unknown-name", "column", {"value": "size"}),
        (
            {"strategy": {"population": 1}},
            "out-of-range",
            "sweep.strategy.population",
            {"value": 1, "allowed": "2 or more", "says": ["nsga2;"]},
        ),
        (
            {"where": ["chip.crossbar.cols == 72", "chip.crossbar.mux_ratio == 16"]},
            "empty",
            "sweep.where",
            {"value": 800},
        ),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_runs(
    changes, code, field, facts, tmp_path
):
    with refused(ConfigError, code=code, field=field, **facts):
        run(tmp_path / "s", **changes)
    assert not (tmp_path / "s").exists()


def test_other_processes_do_not_search(tmp_path):
    for options in ({"jobs": 2}, {"scheduler": "tcp://127.0.0.1:1"}):
        option = "--jobs" if "jobs" in options else "--scheduler"
        with refused(ConfigError, code="conflict", field=option, says=["optuna:"]):
            sweep(sweep_of(), out=tmp_path / "s", **options)


def test_without_optuna_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    facts = {"code": "missing-package", "field": "sweep.strategy.kind", "value": "optuna"}
    with refused(ConfigError, **facts, says=["pip", "install", "'archsim[search]'"]):
        run(tmp_path / "s")


def test_samplers_of_optuna_before_version_5_ask_for_constraints(monkeypatch):
    space = Space(sweep_of(axes=AXES))
    proposer = Proposer(space.grid, space.sweep.strategy, [False, False])
    asked = {}

    def sampler(**options):
        asked.update(options)
        return load_optuna().samplers.RandomSampler(seed=0)

    monkeypatch.setattr(proposer, "_sets_constraints", False)
    monkeypatch.setattr(proposer.optuna.samplers, "NSGAIISampler", sampler)
    found, _ = proposer.propose(2, lambda points: allowed_points(space, points))
    verdict = Goals.of(space).verdicts(point_rows(space, [own.point for own in found]).table)
    missed = {point: dataclasses.replace(own, excess=(0.0, 0.25)) for point, own in verdict.items()}
    (first, _) = proposer.tell(found, missed)
    assert asked["constraints_func"](first) == (0.0, 0.25)
    assert first.constraints == {}
