"""`archsim read`: LeNet-3 as chips read it, and what limits its accuracy."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.refusals import command_refused, tells

_WEIGHTS = Path(__file__).parents[1] / "data" / "checkpoints" / "lenet3.safetensors"
_FEW = ("--data", "mnist-part", "--images", "60", "--chips", "1")


def _arguments(*settings: str, sigma: float = 0.0) -> list[object]:
    given = [part for setting in settings for part in ("--set", setting)]
    chip = ("--chip", "rram-22nm-neurosim")
    return ["read", "lenet3", "--checkpoint", _WEIGHTS, *_FEW, *chip, "--sigma", sigma, *given]


def _read(run: Run, *settings: str, sigma: float = 0.0) -> dict[str, Any]:
    done = run(*_arguments(*settings, sigma=sigma), "--format", "json")
    assert done.exit_code == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def _effects(data: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {one["effect"]: one for one in data["effects_off"]}


def test_a_converter_that_loses_nothing_limits_nothing(run: Run) -> None:
    data = _read(
        run, "chip.adc.bits=10", "chip.adc.range=unit-step", "chip.read.offset_subtraction=analog"
    )
    accuracy = data["accuracy"]
    assert accuracy["exact"] == accuracy["codes_alone"]
    assert accuracy["off"] == accuracy["ideal"]  # cells without errors
    assert data["limited_by"] is None
    assert "cells" not in _effects(data)
    for layer in data["layers"]:
        for one in layer["slices"]:
            assert (one["clip_rate"], one["effective_bits"]) == (0, None)
            assert sum(one["counts"]) == one["sums"]
    assert data["read_path"] == {
        "mode": "exact",
        "range": "unit-step",
        "adc_bits": 10,
        "clip_rate": 0,
    }


def test_too_few_bits_limit(run: Run) -> None:
    data = _read(run, "chip.adc.bits=3")
    effects = _effects(data)
    assert data["limited_by"] == "bits"
    assert effects["bits"]["gain"] > 0.1
    # Fine steps in the same ranges are as good as no converter: next to nothing is clipped.
    assert abs(effects["bits"]["accuracy"] - effects["converter"]["accuracy"]) < 0.05
    assert effects["bits"]["accuracy"] == pytest.approx(
        data["accuracy"]["exact"] + effects["bits"]["gain"]
    )


def test_a_range_that_is_too_wide_limits_and_its_layers_are_warned_of(run: Run) -> None:
    data = _read(run, "chip.adc.range=full-scale")
    assert data["limited_by"] == "range"
    warned = [line for line in data["warnings"] if "conv1.weight" in line]
    assert len(warned) == 1
    tells(warned[0], "chip.adc.range", "chip.adc.bits", "chip.read.rows_at_once")
    conv1 = data["layers"][0]
    assert min(one["codes_used"] for one in conv1["slices"]) < 4


def test_a_range_that_cuts_off_is_warned_of(run: Run) -> None:
    data = _read(run, "chip.adc.percentile=80", "chip.adc.bits=6")
    clipped = [
        layer["layer"] for layer in data["layers"]
        if max(one["clip_rate"] for one in layer["slices"]) > 0.01
    ]  # fmt: skip
    assert clipped
    assert len(data["warnings"]) == len(clipped)
    for layer, line in zip(clipped, data["warnings"], strict=True):
        tells(line, f"{layer}.weight:", "chip.adc.percentile,")
    assert _effects(data)["range"]["gain"] > _effects(data)["bits"]["gain"]


def test_noise_of_cells_limits(run: Run) -> None:
    data = _read(run, "chip.adc.bits=8", sigma=0.2)
    assert data["limited_by"] == "cells"
    assert data["sigma"] == 0.2
    assert _effects(data)["cells"]["accuracy"] > data["accuracy"]["exact"] + 0.1


def test_wires_limit_and_are_drawn(run: Run, tmp_path: Path) -> None:
    wires = ("chip.crossbar.wire_ohm=400", "chip.adc.bits=8", "device.r_off=1e6")
    done = run(*_arguments(*wires), "--format", "json", "--plot", "read.svg")
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["limited_by"] == "wires"
    first = data["layers"][0]["wires"]
    assert 0 < first["mean"] < first["worst"] < 1
    assert (len(first["places"]), len(first["places"][0])) == (32, 32)
    drawn = (tmp_path / "read.svg").read_text()
    for word in ("conv1", "conv2", "fc", "wires"):
        assert word in drawn


def test_table_and_csv_hold_every_layer_and_slice(run: Run) -> None:
    text = run(*_arguments(), "--format", "csv").stdout
    rows = pd.read_csv(io.StringIO(text))
    assert list(zip(rows["layer"], rows["slice"], strict=True)) == [
        (layer, index) for layer in ("conv1", "conv2", "fc") for index in range(4)
    ]
    assert rows["group_rows"].tolist()[-1] == "106 to 128"  # as mapped
    shown = run(*_arguments())
    assert shown.exit_code == 0, shown.stderr
    tells(shown.stdout, "conv2", "rram-22nm", "calibrated", "clip")


def test_write_verify_is_in_the_cells(run: Run) -> None:
    once = _read(run, "chip.adc.bits=8", sigma=0.2)
    verified = json.loads(
        run(*_arguments("chip.adc.bits=8", sigma=0.2), "--write", "all", "--format", "json").stdout
    )
    assert verified["accuracy"]["exact"] > once["accuracy"]["exact"] + 0.1


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--images", "0"], ["--images"], "out-of-range"),
        (["--chips", "0"], ["--chips"], "out-of-range"),
        (["--sigma", "2"], ["sigma", "0 to 1"], "out-of-range"),
        (["--encoding", "sign"], ["sign", "separate-sign"], "unknown-name"),
        (["--set", "chip.adc.percentile=40"], ["chip.adc.percentile", "50"], "out-of-range"),
        (["--set", "chip.adc.percentile=50"], ["chip.adc.percentile", "50"], "out-of-range"),
        (["--set", "chip.adc.percentile=101"], ["chip.adc.percentile", "100"], "out-of-range"),
        (["--set", "chip.read.rows_at_once=200"], ["chip.read.rows_at_once"], "conflict"),
        (["--set", "chip.precision.encoding=magnitude"], ["'differential'"], "unknown-name"),
        (["--set", "chip.adc.levels=lloyd-max", "--set", "chip.adc.kind=sar"],
         ["chip.adc.levels", "linear,"], "conflict"),
        (["--set", "chip.read.dac_bits=2"], ["chip.read.dac_bits"], "conflict"),
        (["--set", "chip.crossbar.wire_ohm=null"], ["chip.crossbar.wire_ohm", "0"], "unsupported"),
        (["--plot", "read.gif"], ["--plot", ".png"], "wrong-form"),
        (["--plot", "nowhere/read.png"], ["nowhere/read.png:"], "missing-file"),
        (["--checkpoint", "none.safetensors"], ["none.safetensors"], "cannot-read"),
    ],
)  # fmt: skip
def test_bad_input(run: Run, arguments: list[str], words: list[str], code: str | None) -> None:
    chip = ("--chip", "rram-22nm-neurosim")
    done = run("read", "lenet3", "--checkpoint", _WEIGHTS, *_FEW, *chip, *arguments)
    command_refused(done, *words, code=code)
