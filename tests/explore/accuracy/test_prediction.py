"""Accuracies that are predicted: their intervals, their columns, and fronts that are verified."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.api.sweep import sweep as run_sweep
from archsim.config.study import load_study
from archsim.config.sweep import Sweep
from archsim.errors import ConfigError
from archsim.explore.accuracy import accuracy, prediction, verified_front
from archsim.explore.accuracy.accuracy import Work, evaluate_cases, measured, plan_cases
from archsim.explore.accuracy.prediction import (
    ENOUGH,
    PREDICTED,
    UNKNOWN_FACTOR,
    Prediction,
    coverage,
    factor_of,
    pilots,
    predict,
    with_prediction,
    write_predictions,
)
from archsim.explore.accuracy.verified_front import front_of, verify_front
from archsim.explore.query.result import SweepResult
from archsim.explore.run.exhaustive import run_exhaustive
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job, open_store
from reports.tables.sweep import points
from tests.refusals import refused
from tsb.read_path.response import Response

#: Falls evenly with the standard deviation of the noise; so many images that none are drawn.
EVEN = Response((0.0, 1.0), (1.0, 0.0), {"layer": 1.0}, 10**9)
MANY = 10**9


def sweep(study: str = "tsb-lenet3", **changes: Any) -> Sweep:
    content = {
        "name": "predicted",
        "network": "lenet3",
        "axes": {"chip.adc.bits": [3, 4, 5, 6, 7, 8], "chip.crossbar.rows": [64, 128]},
        "objectives": ["area", "accuracy"],
        "fidelity": "accuracy",
        "accuracy": {"study": study, "method": "TSB", "read_path": "exact", "predict": True},
    }
    return Sweep.model_validate({**content, **changes})


def predicted(levels: list[float]) -> list[Prediction]:
    return [Prediction(str(place), level, EVEN, MANY) for place, level in enumerate(levels)]


@pytest.mark.parametrize(("ratio", "factor"), [(1.2, 1.25), (1.9, 2.0), (0.4, 3.0), (5.9, 6.0)])
def test_the_factor_is_the_least_that_holds_the_measured_cases(ratio, factor):
    """All measured accuracies are those of so many times the noise that was predicted."""
    cases = predicted([0.01 * (1 + place) for place in range(ENOUGH)])
    known = {one.key: EVEN.at((one.level or 0.0) * ratio) for one in cases}
    assert factor_of(cases, known) == factor
    assert coverage(cases, known, factor) == 1.0


def test_few_measured_cases_choose_no_factor():
    cases = predicted([0.1] * (ENOUGH - 1))
    assert factor_of(cases, {one.key: EVEN.at(0.1) for one in cases}) == UNKNOWN_FACTOR
    assert math.isnan(coverage(cases, {}, 2.0))


def test_an_interval_holds_its_prediction_and_widens_with_fewer_images():
    (one,) = predicted([0.09])
    found = one.interval(4.0)
    assert found == pytest.approx((0.7, 0.4, 0.85), abs=1e-3)
    few = Prediction("few", 0.09, EVEN, 100).interval(4.0)
    assert few is not None
    assert found is not None
    assert few[1] < found[1] < few[0] < found[2] < few[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    job = Job(sweep())
    store = open_store(job, tmp_path / "out", resume=False)
    run_exhaustive(job, store)
    return store


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bits of the cases that were measured; the accuracy rises with the bits, and 3 say nothing.

    What is predicted is a little less noise than there is.
    """
    bits: list[int] = []

    def true(work_or_study: Any) -> tuple[int, int]:
        chip = work_or_study.resolve().chip
        return chip.adc.bits, chip.crossbar.rows

    def run_study(run: Any, **_: Any) -> None:
        bits.append(true(run.study)[0])
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "done").touch()

    def level(study: Any) -> float:
        adc, rows = true(study)
        return float(4.0**-adc * rows / 8)

    def known(study: Any, folder: Path, _: str | None) -> dict[str, Any] | None:
        there = (folder / "done").is_file()
        return dict.fromkeys(accuracy.COLUMNS, EVEN.at(1.2 * level(study))) if there else None

    def foretold(works: list[Work], **_: Any) -> list[Prediction]:
        found = []
        for work in works:
            why = "too coarse" if true(work.study)[0] == 3 else ""
            noise = None if why else level(work.study)
            found.append(Prediction(work.case.key, noise, EVEN, MANY, why))
        return found

    monkeypatch.setattr(accuracy, "run_study", run_study)
    monkeypatch.setattr(accuracy, "_known", known)
    monkeypatch.setattr(verified_front, "predict", foretold)
    return bits


def test_predictions_are_never_among_measured_accuracies(store, truth, tmp_path):
    space = Job(sweep()).space
    works = plan_cases(space, cache=tmp_path / "cache", max_minutes=0.0)
    evaluate_cases(space, store, cache=tmp_path / "cache", max_minutes=0.0)
    write_predictions(store, verified_front.predict(works))
    frame = SweepResult(store, sweep()).frame()
    assert frame["accuracy_mean"].isna().all()
    coarse = frame["chip.adc.bits"] == 3
    assert frame.loc[coarse, list(PREDICTED)].isna().all(axis=None)
    assert frame.loc[~coarse, list(PREDICTED)].notna().all(axis=None)
    assert (frame["accuracy_low"] <= frame["accuracy_high"])[~coarse].all()
    reasons = with_prediction(store, store.frame())["prediction_refused"]
    assert set(reasons[coarse]) == {"too coarse"}
    assert reasons[~coarse].isna().all()
    shown = points(frame, ["area_m2"], "Points", None)
    assert not [column.key for column in shown.columns if "refused" in column.key]
    front = SweepResult(store, sweep()).pareto("area,max:accuracy_predicted")[1]
    assert front.mask.any()


def test_all_of_the_front_is_measured_and_not_all_cases(store, truth, tmp_path):
    space = Job(sweep()).space
    assert verify_front(space, store, cache=tmp_path / "cache")
    assert len(measured(store)) == len(truth) < 12
    assert front_of(space, store, PREDICTED[0])[1] == []
    result = SweepResult(store, sweep())
    (note,) = result.accuracy_notes
    both = len([row for row in truth if row > 3])
    assert f"{both} of the {both} that are both" in note
    rows, front = result.pareto()
    assert rows["accuracy_mean"][front.mask].notna().all()
    # Nothing that was left would be on the front, as the accuracies really are.
    everything = {work.case.key for work in plan_cases(space, cache=tmp_path, max_minutes=0.0)}
    assert not everything <= {*measured(store)}


def test_constraints_hold_for_what_stands_in(store, truth, tmp_path):
    """With at most 70 % wanted the best converters are no part of the front, and not measured."""
    asked = sweep(constraints=["accuracy < 70 %", "area_mm2 < 50"])
    space = Job(asked).space
    assert verify_front(space, store, cache=tmp_path / "cache")
    points, missing = front_of(space, store, PREDICTED[0])
    assert not missing
    rows, front = SweepResult(store, asked).pareto()
    assert rows["point"][front.mask].tolist() == points
    assert (rows["accuracy_mean"][front.mask] < 0.7).all()


def test_no_minutes_verify_nothing(store, truth, tmp_path):
    space = Job(sweep()).space
    assert not verify_front(space, store, cache=tmp_path / "cache", max_minutes=0.0)
    assert truth == []


def test_what_is_off_cannot_be_predicted(tmp_path):
    asked = {"study": "tsb-lenet3", "method": "TSB", "read_path": "off", "predict": True}
    path = tmp_path / "off.yaml"
    content = sweep(accuracy=asked).model_dump(mode="json", by_alias=True, exclude_none=True)
    axes = {name: axis["values"] for name, axis in content["axes"].items()}
    path.write_text(yaml.safe_dump({**content, "axes": axes}))
    with refused(ConfigError, code="conflict", field="sweep.accuracy.predict", value=True,
                 allowed=["false", "exact"]):  # fmt: skip
        run_sweep(str(path), out=tmp_path / "out")


def test_lenet3_is_predicted_as_it_is_measured(tmp_path):
    """Trained shortly, on one chip: the measured accuracies lie in the intervals."""
    given = {
        "chips": 1,
        "train_images": 1500,
        "validation_images": 200,
        "test_images": 200,
        "backbones": {"noise": {"epochs": 4}},
        "methods": [{"name": "plain"}, {"name": "TSB", "corrections": "tsb"}],
        "published_claims": [],
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({**load_study("tsb-lenet3").model_dump(mode="json"), **given}))
    asked = sweep(
        str(path),
        axes={"chip.adc.bits": [4, 5, 8], "chip.adc.range": ["calibrated", "full-scale"]},
        set=["chip.precision.encoding=differential"],
    )
    job = Job(asked)
    store = open_store(job, tmp_path / "out", resume=False)
    run_exhaustive(job, store)
    shared: dict[str, Any] = {"cache": tmp_path / "cache"}
    works = plan_cases(job.space, **shared, max_minutes=0.0)
    assert [one.refused != "" for one in predict(works, **shared)] == [True] * len(works)
    assert len(pilots(works)) == 2
    evaluate_cases(job.space, store, **shared)
    found = predict(works, **shared)
    known = measured(store)
    assert len(known) == 6
    said = [one for one in found if not one.refused]
    assert len(said) >= 3
    assert coverage(said, known, UNKNOWN_FACTOR) == 1.0
    ends = [one.interval(UNKNOWN_FACTOR) or (0.0, 0.0, 1.0) for one in said]
    assert all(high - low < 0.7 for _, low, high in ends)
    refused_ones = [one for one in found if one.refused]
    assert all(one.interval(2.0) is None for one in refused_ones)
    assert not prediction.has_predictions(store)
