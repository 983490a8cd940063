"""Accuracies of points: which points share one, and what is done about those that are missing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pyarrow.parquet as pq
import pytest
import yaml

from archsim.config.sweep import AccuracyOfPoints, Sweep
from archsim.errors import ConfigError
from archsim.explore.accuracy import accuracy
from archsim.explore.accuracy.accuracy import evaluate_cases, plan_cases, sigmas, with_accuracy
from archsim.explore.accuracy.backbones import Backbones
from archsim.explore.accuracy.case_study import run_folder, study_of
from archsim.explore.accuracy.effort import Effort
from archsim.explore.run.exhaustive import run_exhaustive
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job, open_store
from archsim.explore.space.cases import all_cases
from archsim.explore.space.identity import identity_hash
from archsim.explore.space.points import Space
from archsim.util.paths import configs_dir
from tests.refusals import refused
from tsb.data import load_dataset

CONFIGS = configs_dir()
DATA = load_dataset("mnist-part")

AXES: dict[str, Any] = {
    "chip.precision.bits_per_cell": [1, 2],
    "design": ["none", "common", "separate"],
    "tsb.channels": {"values": [2, 5], "when": "design != none"},
    "chip.adc.bits": [4, 5],
}


def sweep(axes: dict[str, Any] | None = None, **changes: Any) -> Sweep:
    content = {
        "name": "accurate",
        "network": "lenet3",
        "axes": AXES if axes is None else axes,
        "fidelity": "accuracy",
        "accuracy": {"study": "tsb-lenet3", "method": "TSB"},
    }
    return Sweep.model_validate({**content, **changes})


def cases(axes: dict[str, Any], **changes: Any) -> list[Any]:
    return list(all_cases(Space(sweep(axes, **changes))).values())


def test_points_that_differ_in_cost_alone_share_a_case():
    """12 + 4 points of bits, block and placement; ADC bits and placement change no accuracy."""
    assert len(all_cases(Space(sweep()))) == 2 * (1 + 2)


@pytest.mark.parametrize(
    "axis",
    [
        {"device": ["rram", "fefet", "pcm"]},
        {"chip.device": ["rram", "fefet", "pcm"]},
        {"device.sigma": [0.1, 0.2, 0.3]},
        {"chip.programming.policy": ["none", "tsb", "all"]},
        {"tsb.depth": [1, 2, 3]},
    ],
)
def test_what_accuracy_depends_on_makes_cases(axis):
    assert len(cases(axis, design="common")) == 3


def test_another_chip_brings_its_device_and_bits(tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(
        yaml.safe_dump(
            {
                "extends": "rram-22nm",
                "name": "other",
                "device": "pcm",
                "precision": {"bits_per_cell": 4},
            }
        )
    )
    found = cases({"chip": ["rram-22nm", str(other)]})
    assert [(case.device, case.bits_per_cell) for case in found] == [("rram", 2), ("pcm", 4)]


@pytest.mark.parametrize(
    ("axis", "settings", "code", "field", "facts"),
    [
        (
            {"device.stuck_on_rate": [0.0, 0.05]},
            [],
            "unsupported",
            "device.stuck_on_rate",
            {"value": (0.05, "1")},
        ),
        (
            {"device.write_verify.tolerance": [0.01, 0.05]},
            [],
            "unsupported",
            "device.write_verify",
            {
                "value": {
                    "model": "incremental",
                    "tolerance": (0.01, "1"),
                    "max_pulses": (100.0, "1"),
                    "step_gain": (0.055, "1"),
                    "step_sigma": (0.02, "1"),
                }
            },
        ),
        (
            {"chip.adc.bits": [4, 5]},
            ["device.sigma_profile={kind: level, factor: {value: 4, unit: 1, source: mine}}"],
            "unsupported",
            "device.sigma_profile",
            {"value": {"kind": "level", "factor": (4.0, "1")}},
        ),
        (
            {"chip.hierarchy.linear_copies": [1, 2]},
            [],
            "unsupported",
            "chip.hierarchy.linear_copies",
            {"value": 2, "allowed": "1"},
        ),
        (
            {"chip.programming.policy": ["none", "fraction"]},
            [],
            "unsupported",
            "chip.programming.policy",
            {"value": "fraction", "allowed": ["none"]},
        ),
    ],
)
def test_what_studies_do_not_know_is_refused_before_anything_runs(
    axis, settings, code, field, facts
):
    with refused(ConfigError, code=code, field=field, **facts):
        plan_cases(Space(sweep(axis, set=settings)))


def test_constants_of_cost_alone_are_no_reason_to_refuse():
    assert len(cases({"device.v_write": [1, 2], "device.r_on": [50, 100]})) == 1


def test_networks_of_an_axis_are_those_of_the_cases():
    base = "archsim.network.zoo:lenet3"
    found = cases({"network": ["lenet3", "vgg8"]}, network=base)
    assert [case.network for case in found] == ["lenet3", "vgg8"]


@pytest.mark.parametrize(
    ("place", "slip", "nearest"), [("when", "nonee", "none"), ("where", "commom", "common")]
)
def test_a_text_that_an_axis_never_has_is_a_slip(place, slip, nearest):
    axes: dict[str, Any] = {"design": ["none", "common"], "tsb.channels": [2, 5]}
    where = []
    if place == "when":
        axes["tsb.channels"] = {"values": [2, 5], "when": f"design != {slip}"}
    else:
        where = [f"design == {slip}"]
    facts: dict[str, Any] = {"code": "unknown-name", "field": "design", "value": slip}
    with refused(ConfigError, **facts, nearest=nearest):
        Space(sweep(axes, where=where))


@pytest.mark.parametrize("key", ["method", "base"])
def test_unknown_methods_are_refused_even_where_no_point_has_them(key):
    asked = {"study": "tsb-lenet3", "method": "TSB", key: "nope"}
    facts: dict[str, Any] = {"code": "unknown-name", "field": "sweep.accuracy", "value": "nope"}
    with refused(ConfigError, **facts, allowed=["TSB"]):
        plan_cases(Space(sweep({"chip.adc.bits": [4, 5]}, accuracy=asked)))


def test_the_study_of_a_case_has_its_block_and_policy():
    (case,) = cases({"chip.adc.bits": [4, 5]}, design="common", set=["tsb.channels=7"])
    asked = sweep().accuracy
    assert asked is not None
    study = study_of(case, asked)
    (method,) = study.methods
    assert "tsb:channels=7,depth=1" in method.corrections
    assert study.sigma == [0.1]


def test_another_study_has_other_runs_and_the_same_name_no_old_result(tmp_path):
    """The study is changed under its name: its tuning, then what its method corrects."""
    own = tmp_path / "own.yaml"
    base = yaml.safe_load((CONFIGS / "study" / "tsb-lenet3.yaml").read_text())

    def asked(**changes: Any) -> tuple[Path, str, str]:
        own.write_text(yaml.safe_dump({**base, **changes}, sort_keys=False))
        job = Job(sweep(design="common", accuracy={"study": str(own), "method": "TSB"}))
        case = next(case for case in all_cases(job.space).values() if case.block)
        study = study_of(case, AccuracyOfPoints(study=str(own), method="TSB"))
        return run_folder(study, tmp_path), study.methods[0].name, identity_hash(job.identity())

    before = asked()
    assert asked() == before
    tuned = asked(tuning={"steps": 7})
    assert tuned[0] != before[0]
    methods = [{**own, "steps": 9} for own in base["methods"]]
    changed = asked(methods=methods)
    assert changed[1] != before[1]
    assert len({before[2], tuned[2], changed[2]}) == 3  # no store of one goes on with another


@pytest.fixture
def store(tmp_path: Path) -> Store:
    job = Job(sweep())
    store = open_store(job, tmp_path / "out", resume=False)
    run_exhaustive(job, store)
    return store


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the methods that were trained; training takes no time and gives 0.9."""
    names: list[str] = []

    def run_study(run: Any, **_: Any) -> None:
        names.append(run.study.methods[0].name)
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / run.study.methods[0].name.replace("/", "-")).touch()

    def known(study: Any, folder: Path, _: str | None) -> dict[str, Any] | None:
        there = (folder / study.methods[0].name.replace("/", "-")).is_file()
        return dict.fromkeys(accuracy.COLUMNS, 0.9) if there else None

    monkeypatch.setattr(accuracy, "run_study", run_study)
    monkeypatch.setattr(accuracy, "_known", known)
    return names


def values(store: Store) -> list[float]:
    frame = with_accuracy(store, store.frame())
    return [float(value) for value in frame["accuracy_mean"]]


def test_each_case_is_evaluated_once_and_joined_to_all_its_points(store, begun, tmp_path):
    assert evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache") == 0
    assert len(begun) == 6
    assert values(store) == [0.9] * len(store.frame())
    assert sigmas(store) == {key: case.sigma for key, case in all_cases(Space(sweep())).items()}
    assert evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache") == 0
    assert len(begun) == 6  # all in the cache


def test_cheap_cases_come_first(store, begun, tmp_path):
    evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache")
    assert all("noise injection" in name for name in begun[:2])


def test_no_minutes_begin_nothing_and_nothing_is_guessed(store, begun, tmp_path):
    left = evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache", max_minutes=0.0)
    assert (left, begun) == (6, [])
    assert all(math.isnan(value) for value in values(store))


def test_what_was_evaluated_is_not_lost_again(store, begun, tmp_path):
    evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache")
    left = evaluate_cases(Space(sweep()), store, cache=tmp_path / "empty", max_minutes=0.0)
    assert left == 0
    assert values(store) == [0.9] * len(store.frame())
    assert len(pq.read_table(store.folder / "accuracy.parquet")) == 6


def test_designs_that_cannot_be_built_are_not_trained_for(begun, tmp_path):
    tight = sweep(AXES, set=["chip.hierarchy.max_tiles=1"])
    job = Job(tight)
    store = open_store(job, tmp_path / "out", resume=False)
    run_exhaustive(job, store)
    assert not store.frame()["feasible"].any()
    assert evaluate_cases(job.space, store, cache=tmp_path / "cache") == 0
    assert begun == []


def test_a_first_guess_of_the_time(store, begun, tmp_path):
    """What is missing takes time, a backbone that cases share only once, what is known none."""
    works = plan_cases(Space(sweep()), cache=tmp_path / "cache")
    assert len(works) == 6
    assert all(work.known is None and work.seconds > 0 for work in works)
    shared = [work for work in works if work.folder == works[0].folder]
    assert len(shared) > 1
    none = Backbones(tmp_path / "cache")
    passes = [Effort(none).add(work.study, work.folder, DATA) for work in shared]
    assert shared[0].seconds == pytest.approx(passes[0], rel=1e-9, abs=0)
    assert all(work.seconds < alone for work, alone in zip(shared[1:], passes[1:], strict=True))
    assert plan_cases(Space(sweep()), cache=tmp_path / "cache", max_minutes=0.0)[0].seconds == 0
    news: list[accuracy.Evaluated] = []
    evaluate_cases(Space(sweep()), store, cache=tmp_path / "cache", news=news.append)
    assert [step.done for step in news] == [1, 2, 3, 4, 5, 6]
    left = [step.left_s for step in news]
    assert left[-1] == pytest.approx(0, abs=1e-9)
    assert all(seconds is not None and seconds > 0 for seconds in left[:-1])
    again = plan_cases(Space(sweep()), cache=tmp_path / "cache")
    assert all(work.known and not work.seconds for work in again)


def test_accuracies_of_other_images_are_refused(monkeypatch, tmp_path):
    """The cache holds an accuracy, but its images were not those of --data-root."""
    work = plan_cases(Space(sweep()), cache=tmp_path, max_minutes=0.0)[0]
    result = work.folder / "methods" / "any" / "result.json"
    result.parent.mkdir(parents=True)
    result.write_text('{"settings": {"data_hash": {"test": "0123"}}}')
    monkeypatch.setattr(accuracy, "seed_results", lambda study, folder: [{}] * len(study.seeds))
    monkeypatch.setattr(accuracy, "dataset_of", lambda study, root: DATA)
    facts: dict[str, Any] = {"code": "conflict", "field": result.parent, "value": ANY}
    with refused(ConfigError, **facts, says=["data_hash.test:", '"0123"']):
        plan_cases(Space(sweep()), cache=tmp_path, data_root=str(tmp_path), max_minutes=0.0)
