"""Reference data of the read path: a small folder of our own, whose values are written plainly."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from archsim.analysis.read_path import products
from archsim.analysis.row_groups import mapped_row_groups
from archsim.api.validate import validate_read_path
from archsim.config.load import Setting
from archsim.config.resolve import resolve
from archsim.errors import DataError
from archsim.network.load import load_network
from tests.cli.conftest import Run
from tests.cli.conftest import run as run_command
from tests.refusals import command_refused, refused
from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import example, expected

run = run_command
_COLUMNS = ("case", "rule", "encoding", "pair", "offset_subtraction", "weight_bits",
            "bits_per_cell", "dac_bits", "rows", "rows_read", "adc_bits", "on_off",
            "ranges_lo:hi_per_slice")  # fmt: skip
_CASES: list[dict[str, Any]] = [
    {"rule": "none", "encoding": "offset", "adc_bits": 0},
    {"rule": "full-scale", "encoding": "offset", "adc_bits": 5, "on_off": 16.3},
    {"rule": "full-scale-used", "encoding": "separate-sign", "adc_bits": 4, "rows_read": 8},
    {"rule": "unit-step", "encoding": "differential", "pair": "analog", "adc_bits": 4},
    {"rule": "calibrated", "encoding": "offset", "adc_bits": 3, "offset_subtraction": "off-column",
     "on_off": 16.3, "ranges_lo:hi_per_slice": "1:20;0:30;2:19;0:9"},
    {"rule": "full-scale", "encoding": "offset", "adc_bits": 6, "dac_bits": 2},
]  # fmt: skip


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _products(folder: Path) -> None:
    tensors, rows = {}, []
    for number, case in enumerate(_CASES):
        ranges = [
            tuple(map(float, one.split(":")))
            for one in case.get("ranges_lo:hi_per_slice", "").split(";")
            if one
        ]
        chip = oracle.settings(
            encoding=case["encoding"],
            rows=16,
            rows_at_once=case.get("rows_read"),
            bits=case["adc_bits"],
            range="full-scale" if case["rule"] == "none" else case["rule"],
            on_off_ratio=case.get("on_off", math.inf),
            pair=case.get("pair", "digital"),
            offset_subtraction=case.get("offset_subtraction", "digital"),
            dac_bits=case.get("dac_bits", 1),
        )
        codes, inputs = example(number, chip)
        wanted = expected(codes, inputs, chip, ranges=ranges or None)
        tensors[f"{number:03d}.q"] = torch.from_numpy(codes)
        tensors[f"{number:03d}.u"] = torch.from_numpy(inputs.astype(np.int64))
        tensors[f"{number:03d}.y"] = torch.from_numpy(wanted)
        rows.append({"case": number, "weight_bits": 8, "bits_per_cell": 2, "rows": 16, **case})
    save_file(tensors, folder / "mvm_data.safetensors")
    _write(folder / "mvm_cases.csv", rows)


def _currents(folder: Path) -> None:
    """Two rows whose two cells and wires of 10 ohm are networks by hand."""
    wire, on = 10.0, 1e5
    # One column, all on: a ladder for the bit line; each word line adds a segment in series.
    series = on + wire
    first = 1 / (series + wire)
    driven = 0.2 / (1 / (first + 1 / series) + wire)
    (folder / "irdrop_currents.csv").write_text(
        "case,rows,cols,wire_ohm,pattern,input,I0\n"
        f"0,2,1,{wire},all-on,all-on,{driven!r}\n"
        f"1,1,2,{wire},gradient,all-on,{_gradient(wire, on)}\n"
    )
    gated = 1 / (1 / (1 / (on + wire) + 1 / on) + wire)
    (folder / "irdrop_gated_currents.csv").write_text(
        f"rows,cols,wire_ohm,pattern,input,I0\n2,1,{wire},all-on,all-on,{gated!r}\n"
    )


def _gradient(wire: float, on: float) -> str:
    """One row, two columns: the cell at level 0, and the one at the top behind another segment."""
    near, far = 1.7e6 + wire, on + 2 * wire
    volts = 0.2 / (1 + wire * (1 / near + 1 / far))
    return f"{volts / near!r},{volts / far!r}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of reference data."""
    place = tmp_path / "reference"
    place.mkdir()
    _products(place)
    _currents(place)
    return place


def test_the_read_path_agrees_with_values_written_plainly(folder: Path) -> None:
    groups = validate_read_path(folder).summary()
    assert (groups["mvm"]["n"], groups["irdrop"]["n"], groups["irdrop_gated"]["n"]) == (6, 2, 1)
    assert groups["mvm"]["worst_rel"] < 1e-12
    assert groups["irdrop"]["worst_rel"] < 1e-9
    assert groups["irdrop_gated"]["worst_rel"] < 1e-12
    assert groups["accuracy"]["n"] == 0
    assert groups["accuracy"]["worst_points"] is None
    assert groups["accuracy"]["reason"]


def test_a_wrong_value_shows(folder: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(folder / "mvm_data.safetensors")
    tensors["001.y"][3, 2] += 40.0
    save_file(tensors, folder / "mvm_data.safetensors")
    cases = {case.case: case for case in products.compare_products(folder)}
    assert cases["1"].worst_abs == pytest.approx(40.0)
    assert max(case.worst_abs for name, case in cases.items() if name != "1") < 1e-6


def test_the_command_prints_groups(run: Run, folder: Path) -> None:
    done = run("validate", "--read-path", folder, "--format", "json")
    assert done.exit_code == 0, done.stderr
    groups = json.loads(done.stdout)["groups"]
    assert groups["mvm"]["n"] == len(_CASES)
    assert groups["mvm"]["worst_abs"] < 1e-6
    assert groups["irdrop"]["worst_rel"] < 1e-9
    assert "mvm" in run("validate", "--read-path", folder).stdout


def test_folders_that_hold_nothing_of_it_are_refused(run: Run, tmp_path: Path) -> None:
    with refused(DataError, code="missing-file", field=tmp_path):
        validate_read_path(tmp_path)
    command_refused(run("validate", "--read-path", tmp_path), "mvm_cases.csv", code="missing-file")
    command_refused(run("validate", "--read-path", tmp_path, "--reference", tmp_path))
    (tmp_path / "mvm_cases.csv").write_text("case,rows\n0,8\n")
    save_file({"x": torch.zeros(1)}, tmp_path / "mvm_data.safetensors")
    with refused(DataError, code="wrong-file", field=tmp_path / "mvm_cases.csv"):
        validate_read_path(tmp_path)


@pytest.mark.parametrize(("rows", "crossbars"), [(16, 9), (32, 9), (64, 1), (128, 1)])
def test_rows_are_cut_as_the_mapping_cuts_them(rows: int, crossbars: int) -> None:
    """LeNet-3's second convolution: by kernel position where it does not fit into a crossbar."""
    overrides = [Setting("chip.crossbar.rows", rows), Setting("chip.read.rows_at_once", 4)]
    groups = mapped_row_groups(
        load_network("lenet3"), resolve(chip="rram-22nm", overrides=overrides)
    )["conv2"]
    assert sorted(groups.order.tolist()) == list(range(45))
    assert int((groups.first == 0).sum()) == crossbars
    assert groups.sizes.max() == 4
    if crossbars == 9:
        assert groups.members(0).tolist() == [0, 9, 18, 27]
        assert groups.members(1).tolist() == [36]
        assert groups.members(2).tolist() == [1, 10, 19, 28]
    else:
        assert groups.order.tolist() == list(range(45))
