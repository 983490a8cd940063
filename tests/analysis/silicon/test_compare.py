"""The silicon model against the shipped table: calibration and leave-one-out, frozen."""

from __future__ import annotations

import json

import pytest
import torch

from archsim.analysis.silicon.calibrate import calibrate, leave_one_out, load_prior
from archsim.analysis.silicon.compare import calibration_table, validate_table
from archsim.analysis.silicon.rows import read_macros
from archsim.arch.silicon import load_constants


@pytest.fixture(scope="module")
def left_out():
    return validate_table(calibration_table())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "klass", "n", "median", "p90"),
    [  # archsim validate --silicon configs/silicon/macros.csv, 2026-11-30
        ("energy", "nvm", 9, 2.03, 4.37),
        ("energy", "sram", 25, 1.63, 4.38),
        ("energy", "digital", 7, 1.28, 1.78),
        ("latency", "nvm", 9, 2.01, 17.74),
        ("latency", "sram", 23, 1.81, 19.36),
        ("latency", "digital", 7, 1.55, 3.23),
        ("area", "nvm", 7, 2.37, 3.88),
        ("area", "sram", 22, 1.95, 3.96),
        ("area", "digital", 7, 2.44, 4.01),
    ],
)
def test_factors_with_each_macro_left_out(left_out, metric, klass, n, median, p90):
    found = left_out.summary(metric, klass, left_out=True)
    assert found.n == n
    assert found.median_factor == pytest.approx(median, rel=0.01)
    assert found.p90_factor == pytest.approx(p90, rel=0.01)


@pytest.mark.slow
def test_intervals_hold_what_they_say(left_out):
    for metric in ("energy", "latency", "area"):
        classes = [left_out.summary(metric, k, left_out=True) for k in ("nvm", "sram", "digital")]
        held = sum(found.coverage * found.n for found in classes) / sum(e.n for e in classes)
        assert 0.80 <= held <= 0.97, metric


@pytest.mark.slow
def test_json_has_the_promised_form(left_out):
    found = json.loads(json.dumps(left_out.to_dict()))
    entry = found["metrics"]["energy"]["nvm"]
    assert set(entry) == {"n", "median_factor", "p90_factor", "bias", "spread", "coverage"}
    assert set(found["metrics"]) == {"energy", "latency", "area"}
    assert len(found["rows"]) == 59
    assert len(found["skipped"]) == 8
    assert found["leave_one_out"]["energy"]["nvm"]["median_factor"] > entry["median_factor"]


def test_shipped_constants_are_those_of_the_fit():
    prior = load_prior()
    found = prior.at(calibrate(read_macros(calibration_table()), prior))
    shipped = load_constants("calibrated")
    for field in prior.fields:
        torch.testing.assert_close(
            getattr(found, field), getattr(shipped, field), rtol=0.02, atol=0, msg=field
        )


def test_a_macro_that_is_left_out_does_not_move_its_constants():
    rows = [row for row in read_macros(calibration_table()) if row.klass == "digital"]
    name = rows[0].macro
    other = [row if row.macro != name else _ten_times(row) for row in rows]
    prior = load_prior()
    first = leave_one_out(rows, prior, only=[name])[name]
    second = leave_one_out(other, prior, only=[name])[name]
    torch.testing.assert_close(first.digital_F, second.digital_F, rtol=1e-3, atol=0)


def test_a_table_of_other_chips_is_out_of_sample_by_itself(tmp_path):
    file = tmp_path / "other.csv"
    lines = calibration_table().read_text().replace("UIUC#", "other ").splitlines(keepends=True)
    file.write_text("".join(lines))
    found = validate_table(file)
    assert found.calibrated == ()
    assert found.metrics() == found.metrics(left_out=True)


def _ten_times(row):
    import dataclasses

    return dataclasses.replace(row, energy_J=10 * row.energy_J)
