"""Accuracies of points that are read exactly: every setting of the read path makes a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.config.lookup import schema_fields
from archsim.config.resolve import Resolved
from archsim.config.study import Study, load_study
from archsim.config.sweep import Sweep
from archsim.errors import ConfigError, DataError
from archsim.explore.accuracy.accuracy import evaluate_cases, plan_cases, with_accuracy
from archsim.explore.accuracy.case_study import study_of
from archsim.explore.run.exhaustive import run_exhaustive
from archsim.explore.run.sweep import Job, open_store
from archsim.explore.space.cases import AccuracyCase, all_cases
from archsim.explore.space.identity import identity_hash
from archsim.explore.space.points import Space
from archsim.explore.space.read_settings import NOT_READ, READ_NOISE, READ_PATHS, read_value
from tests.refusals import refused
from tsb.study.units import read_path_settings

#: Two values of every setting of the read path, and what else they need.
VALUES: dict[str, tuple[list[Any], list[str]]] = {
    "chip.precision.input_bits": ([8, 6], []),
    "chip.precision.encoding": (["offset", "differential"], []),
    "chip.crossbar.rows": ([64, 128], []),
    "chip.crossbar.cols": ([64, 128], []),
    "chip.crossbar.mux_ratio": ([8, 16], []),
    "chip.crossbar.wire_ohm": ([0.0, 2.5], []),
    "chip.crossbar.wire_model": (["driven", "gated"], ["chip.crossbar.wire_ohm=1"]),
    "chip.adc.kind": (["flash-current", "sar"], []),
    "chip.adc.bits": ([4, 5], []),
    "chip.adc.range": (["calibrated", "full-scale"], []),
    "chip.adc.percentile": ([99.0, 99.9], []),
    "chip.adc.snap": ([True, False], []),
    "chip.adc.slice_ranges": (["free", "power-of-two"], []),
    "chip.adc.levels": (["linear", "lloyd-max"], []),
    "chip.adc.noise_lsb": ([0.0, 0.5], []),
    "chip.adc.offset_lsb": ([0.0, 0.5], []),
    "chip.hierarchy.tile": (["search", 4], []),
    "chip.read.signed_inputs": (["zero-point", "two-pass"], []),
    "chip.read.iv_curve": (["linear", "cubic: 0.2"], []),
    "chip.read.rows_at_once": ([None, 32], []),
    "chip.read.offset_subtraction": (["digital", "analog"], []),
    "chip.read.pair": (["digital", "analog"], ["chip.precision.encoding=differential"]),
    "chip.hierarchy.kernel_per_pe": ([True, False], []),
    "chip.hierarchy.duplication": (["none", "fill"], []),
    "chip.hierarchy.speed_up_degree": ([8, 4], []),
    "chip.hierarchy.copies": ([1, 2], []),
    "chip.hierarchy.max_tiles": ([None, 1000], []),
    "chip.hierarchy.size_check": ([True, False], []),
    "chip.hierarchy.buffer_rule": (["per_pe", "per_side"], []),
    "device.r_on": ([50, 100], []),
    "device.r_off": ([1700, 3000], []),
    "device.access": (["1t1r", "none"], []),
}
#: Has one value: what the cost half does not price, no point has.
UNPRICED = "chip.read.dac_bits"
#: Settings whose two values are read alike where nothing else is changed.
ALIKE = ("chip.adc.kind", "device.access")


CHIP = "rram-22nm-neurosim"


def sweep(axes: dict[str, Any], **changes: Any) -> Sweep:
    """Of LeNet-3; ``read_path`` is the sweep's word."""
    asked = {"study": "tsb-lenet3", "method": "TSB", "read_path": changes.pop("read_path", "exact")}
    content = {
        "name": "read",
        "network": "lenet3",
        "chip": CHIP,
        "axes": axes,
        "fidelity": "accuracy",
    }
    return Sweep.model_validate({**content, "accuracy": asked, **changes})


def cases(axes: dict[str, Any], **changes: Any) -> list[AccuracyCase]:
    return list(all_cases(Space(sweep(axes, **changes))).values())


def studies(axes: dict[str, Any], **changes: Any) -> list[Study]:
    asked = sweep(axes, **changes).accuracy
    assert asked is not None
    return [study_of(case, asked) for case in cases(axes, **changes)]


def own_study(folder: Path, **changes: Any) -> str:
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({**load_study("tsb-lenet3").model_dump(mode="json"), **changes}))
    return str(path)


def test_every_setting_of_the_blocks_that_are_read_is_declared():
    blocks = ("chip.crossbar.", "chip.adc.", "chip.read.", "chip.hierarchy.")
    fields = {path for path in schema_fields(Resolved) if path.startswith(blocks)}
    elsewhere = {"chip.hierarchy.linear_copies"}  # refused for accuracies
    inside = {path for path in fields if path.count(".") > 2}
    declared = {*READ_PATHS, *NOT_READ}
    assert not set(READ_PATHS) & set(NOT_READ)
    assert fields - inside - elsewhere == {path for path in declared if path.startswith(blocks)}
    assert {*VALUES, UNPRICED} == {*READ_PATHS}


@pytest.mark.parametrize("path", VALUES)
def test_what_is_read_makes_cases_whose_chips_are_those_of_the_points(path):
    values, settings = VALUES[path]
    space = Space(sweep({path: values}, set=settings))
    found = studies({path: values}, set=settings)
    assert len(found) == 2
    for value, study in zip(values, found, strict=True):
        resolved, _, _ = space.resolve({path: value})
        here = study.resolve()
        assert [read_value(here, name) for name in READ_PATHS] == [
            read_value(resolved, name) for name in READ_PATHS
        ]
        assert study.read_path == "exact"
    first, second = (read_path_settings(study, 0.1) for study in found)
    assert (first == second) == (path in ALIKE)


@pytest.mark.parametrize("path", [path for path in VALUES if path != "chip.precision.encoding"])
def test_off_knows_no_read_path_and_keys_are_as_they_are_in_old_stores(path):
    values, settings = VALUES[path]
    (case,) = cases({path: values}, set=settings, read_path=None)
    known = {
        "network": "lenet3",
        "chip": CHIP,
        "device": "rram-neurosim",
        "weight_bits": 8,
        "bits_per_cell": 2,
        "encoding": case.encoding,
        "chip_encoding": case.chip_encoding,
        "sigma": case.sigma,
        "policy": "none",
        "block": None,
    }
    assert case.key == identity_hash(known)


@pytest.mark.parametrize("path", NOT_READ)
def test_what_costs_alone_makes_no_case(path):
    values = {"chip.adc.model": ["circuit", "andrulis2024"], "chip.read.idle_sign_plane": [0, 1]}
    two: list[Any] = [bool(v) if v in (0, 1) else v for v in values.get(path, [0.4, 0.5])]
    assert len(cases({path: two})) == 1


def test_accuracy_and_cost_have_one_encoding_where_the_chip_is_read():
    found = studies({"chip.precision.encoding": ["offset", "differential"]})
    assert [study.encoding for study in found] == ["offset", "differential"]
    assert [study.resolve().chip.precision.encoding for study in found] == [
        "offset",
        "differential",
    ]


def test_constants_in_another_unit_are_the_same_case():
    said = "device.r_on={value: 50000, unit: ohm, source: measured here}"
    (here,) = cases({"chip.adc.model": ["circuit", "isaac"]}, set=["chip.adc.bits=8", said])
    (there,) = cases(
        {"chip.adc.model": ["circuit", "isaac"]}, set=["chip.adc.bits=8", "device.r_on=50"]
    )
    assert here.key == there.key


def test_read_noise_is_of_the_case_where_the_study_reads_with_it(tmp_path):
    axis = {"device.read_noise_sigma": [0.01, 0.02]}
    with refused(
        ConfigError, code="unsupported", field="device.read_noise_sigma", value=(0.01, "1")
    ):
        cases(axis)
    asked = {"study": own_study(tmp_path, read_noise=True), "method": "TSB", "read_path": "exact"}
    found = cases(axis, accuracy=asked)
    assert [dict(case.read)[READ_NOISE] for case in found] == [0.01, 0.02]


def test_the_sweep_has_the_last_word_and_its_stores_are_told_apart(tmp_path):
    study = own_study(tmp_path, read_path="exact")
    axis = {"chip.adc.bits": [4, 5]}

    def asked(mode: str | None) -> Sweep:
        return sweep(axis, accuracy={"study": study, "method": "TSB", "read_path": mode})

    assert [len(all_cases(Space(asked(mode)))) for mode in (None, "exact", "off")] == [2, 2, 1]
    hashes = {identity_hash(Job(asked(mode)).identity()) for mode in (None, "exact", "off")}
    assert len(hashes) == 3


def test_what_is_approximate_is_no_accuracy_of_a_point():
    with refused(
        ConfigError,
        code="unsupported",
        field="sweep.accuracy.read_path",
        value="approximate",
        allowed=["exact", "off"],
    ):
        cases({"chip.adc.bits": [4, 5]}, read_path="approximate")


def test_what_cannot_be_read_is_refused_before_anything_runs(tmp_path):
    table = str(tmp_path / "no.txt")
    with refused(DataError, code="missing-file", field=table):
        plan_cases(Space(sweep({"chip.adc.levels": ["linear", table]})), cache=tmp_path)


def test_levels_that_a_sar_cannot_have_make_no_case():
    axes = {"chip.adc.levels": ["linear", "lloyd-max"], "chip.adc.kind": ["flash-current", "sar"]}
    found = all_cases(Space(sweep(axes)))
    levels = [
        (dict(case.read)["chip.adc.kind"], dict(case.read)["chip.adc.levels"])
        for case in found.values()
    ]
    assert sorted(levels) == [
        ("flash-current", "linear"),
        ("flash-current", "lloyd-max"),
        ("sar", "linear"),
    ]


def test_a_sweep_of_converters_trains_once_and_measures_each(tmp_path):
    """3 bits over the full scale lose what calibrated 8 bits keep."""
    study = own_study(
        tmp_path,
        chips=1,
        train_images=1000,
        validation_images=64,
        test_images=100,
        backbones={"noise": {"epochs": 3}},
        methods=[{"name": "plain"}],
        published_claims=[],
    )
    axes = {"chip.adc.bits": [3, 8], "chip.adc.range": ["full-scale", "calibrated"]}
    accuracy = {"study": study, "method": "plain", "read_path": "exact"}
    job = Job(sweep(axes, accuracy=accuracy, set=["device.sigma=0"]))
    store = open_store(job, tmp_path / "out", resume=False)
    run_exhaustive(job, store)
    trained: list[str] = []

    def steps(step: Any) -> None:
        if step.stage == "backbones" and step.epoch is None:
            trained.append(step.unit)

    assert evaluate_cases(job.space, store, cache=tmp_path / "cache", steps=steps) == 0
    assert len(trained) == 2  # one without noise, one with
    frame = with_accuracy(store, store.frame()).set_index(["chip.adc.range", "chip.adc.bits"])
    found = frame["accuracy_mean"]
    assert found["calibrated", 8] > found["full-scale", 3] + 0.2
    # 8 bits are enough for either range, but for an image or two of the 100.
    assert found["calibrated", 8] == pytest.approx(found["full-scale", 8], abs=0.02)
