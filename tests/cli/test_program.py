"""``archsim program``: a trained LeNet-3 on real digits, its numbers and its refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cli.conftest import Run
from tests.house.helpers import ROOT

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
MNIST = ROOT / "tests" / "data" / "mnist"
WEIGHTS, CELLS = 5395, 4 * 5395
#: The contract of DESIGN.md, section 8.
CONTRACT = {
    *("weights", "verified_weights", "write_pulses", "verify_reads", "time_ms", "energy_uJ"),
    *("unconverged_cells", "residual_sigma"),
}


def program(run: Run, *arguments: object) -> dict[str, object]:
    """Run with JSON output and return it."""
    done = run("program", "lenet3", *arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    data: dict[str, object] = json.loads(done.stdout)
    return data


def test_swim_on_a_trained_network(run: Run) -> None:
    found = program(
        run, "--checkpoint", CHECKPOINT, "--data-root", MNIST, "--policy", "swim",
        "--fraction", 0.1, "--chips", 8, "--score-images", 200,
    )  # fmt: skip
    assert set(found) >= CONTRACT
    assert found["weights"] == WEIGHTS
    assert found["verified_weights"] == round(0.1 * WEIGHTS)
    assert found["cells"] == CELLS
    assert found["verified_cells"] == 4 * round(0.1 * WEIGHTS)
    pulses, reads = found["write_pulses"], found["verify_reads"]
    assert isinstance(pulses, int)
    assert isinstance(reads, int)
    # A cell that is not verified takes one pulse, a verified one as many as it is read.
    assert pulses == CELLS - 4 * round(0.1 * WEIGHTS) + reads
    assert found["energy_uJ"] == pytest.approx(pulses * 0.6e-6 + reads * 0.1e-6, rel=1e-9, abs=0)
    assert found["expected_write_pulses"] == pytest.approx(pulses, rel=0.1, abs=0)
    accuracy = found["accuracy"]
    assert isinstance(accuracy, dict)
    assert accuracy["images"] == 300
    assert accuracy["ideal"] > 0.95
    assert 0.9 < accuracy["mean"] <= accuracy["ideal"]
    assert accuracy["worst"] <= accuracy["mean"]
    assert accuracy["loss"] == pytest.approx(accuracy["ideal"] - accuracy["mean"])
    change = found["expected_loss_change"]
    assert isinstance(change, float)
    assert change > 0


def test_verifying_more_costs_more_and_leaves_less_error(run: Run) -> None:
    costs = [program(run, "--policy", "magnitude", "--fraction", f) for f in (0, 0.3, 1)]
    for key, order in (
        ("write_pulses", 1),
        ("time_ms", 1),
        ("energy_uJ", 1),
        ("residual_sigma", -1),
    ):
        values = [order * float(str(cost[key])) for cost in costs]
        assert values == sorted(values), key
        assert len(set(values)) == 3, key
    whole = program(run, "--policy", "all")
    assert whole["write_pulses"] == costs[2]["write_pulses"]
    nothing = program(run, "--policy", "none")
    assert nothing["write_pulses"] == CELLS
    assert nothing["verify_reads"] == 0
    assert nothing["verified_residual_sigma"] is None


def test_the_same_seed_gives_the_same_chip(run: Run) -> None:
    first, again = (program(run, "--policy", "random", "--seed", 3) for _ in range(2))
    assert first == again
    assert program(run, "--policy", "random", "--seed", 4) != first


def test_rows_wait_and_are_fewer(run: Run) -> None:
    scattered = program(run, "--policy", "random", "--fraction", 0.1)
    rows = program(run, "--policy", "random", "--fraction", 0.1, "--granularity", "row")
    assert float(str(rows["time_ms"])) < 0.5 * float(str(scattered["time_ms"]))


@pytest.mark.parametrize(("encoding", "cells"), [("offset", 4), ("differential", 8)])
def test_encodings_have_their_cells(run: Run, encoding: str, cells: int) -> None:
    found = program(run, "--encoding", encoding)
    assert found["cells"] == cells * WEIGHTS


def test_a_shared_block_is_programmed_too(run: Run) -> None:
    found = program(run, "--policy", "tsb", "--design", "common")
    assert found["weights"] == WEIGHTS + 25
    assert found["verified_weights"] == 25


def test_separate_blocks_are_those_of_the_plan(run: Run) -> None:
    found = program(run, "--policy", "tsb", "--design", "separate")
    done = run(
        "map", "lenet3", "--design", "separate", "--format", "json",
        "--set", "chip.hierarchy.duplication=none",
    )  # fmt: skip
    rows = [row for row in json.loads(done.stdout)["layers"] if row["kind"] == "tsb"]
    assert found["verified_weights"] == sum(25 * row["instances"] for row in rows) > 25


def test_the_curve_refuses_what_it_does_not_use(run: Run) -> None:
    for option, value in (("--policy", "swim"), ("--out", "x.json"), ("--format", "csv")):
        done = run("program", "lenet3", "--curve", "folder", option, value)
        assert done.exit_code == 2
        assert option in done.stderr


def test_csv_and_table(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "program.csv"
    done = run("program", "lenet3", "--format", "csv", "--out", target)
    assert done.exit_code == 0, done.stderr
    (row,) = csv.DictReader(target.read_text(encoding="utf-8").splitlines())
    assert row["weights"] == str(WEIGHTS)
    assert row["accuracy_mean"] == ""
    done = run("program", "lenet3", "--checkpoint", CHECKPOINT, "--data-root", MNIST, "--chips", 2)
    assert done.exit_code == 0, done.stderr
    for words in ("Programming", "write pulses", "accuracy lost", "Assumed and left out"):
        assert words in done.stdout


def test_a_tolerance_out_of_reach_is_said(run: Run) -> None:
    found = program(run, "--policy", "all", "--set", "device.write_verify.tolerance=0.001")
    assert float(str(found["unconverged_cells"])) > 0.1 * CELLS
    assert any("never converged" in note for note in found["notes"])  # type: ignore[attr-defined]


def test_odd_settings_are_said(run: Run) -> None:
    padded = program(
        run, "--set", "chip.precision.bits_per_cell=3", "--set", "chip.precision.pad_top_slice=true"
    )
    assert any("never used" in note for note in padded["notes"])  # type: ignore[attr-defined]
    exact = program(run, "--set", "device.sigma=0")
    assert exact["residual_sigma"] == 0
    assert any("sigma = 0" in note for note in exact["notes"])  # type: ignore[attr-defined]


def test_an_all_zero_layer_is_said(run: Run, tmp_path: Path) -> None:
    tensors = load_file(CHECKPOINT)
    tensors["conv2.weight"].zero_()
    save_file(tensors, tmp_path / "zero.safetensors")
    found = program(run, "--checkpoint", tmp_path / "zero.safetensors", "--policy", "all")
    assert any("conv2.weight" in note for note in found["notes"])  # type: ignore[attr-defined]


REFUSED = {
    "a fraction above 1": (["--policy", "swim", "--fraction", "1.5"], "--fraction 1.5; allowed: 0"),
    "a fraction for all": (["--policy", "all", "--fraction", "0.5"], "which takes none"),
    "no network for scores": (["--policy", "swim"], "needs a trained network"),
    "no block": (["--policy", "tsb"], "--design common"),
    "no write-verify": (
        ["--policy", "all", "--device", "sram", "--set", "chip.precision.bits_per_cell=1"],
        "no write_verify",
    ),
    "too many layers": (["--policy", "last-layers", "--last-layers", "9"], "allowed: 0 to 3"),
    "no such file": (["--checkpoint", "nowhere.safetensors"], "nowhere.safetensors"),
    "no data": (
        ["--checkpoint", str(CHECKPOINT), "--data-root", "nowhere", "--policy", "swim"],
        "nowhere",
    ),
    "another data set": (
        ["--checkpoint", str(CHECKPOINT), "--data-root", str(MNIST), "--data", "cifar10"],
        "cifar10",
    ),
    "a curve of nothing": (["--curve", "folder"], "needs a trained network"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(run: Run, case: str) -> None:
    arguments, words = REFUSED[case]
    done = run("program", "lenet3", *arguments)
    assert done.exit_code == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_checkpoints_are_refused(run: Run, tmp_path: Path) -> None:
    tensors = load_file(CHECKPOINT)
    tensors["fc.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "nan.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle.safetensors")
    for name, words in (("nan", "fc.bias"), ("pickle", "save_file")):
        done = run("program", "lenet3", "--checkpoint", tmp_path / f"{name}.safetensors")
        assert done.exit_code == 2
        assert words in done.stderr
    done = run("program", "lenet3-bn", "--checkpoint", CHECKPOINT)
    assert done.exit_code == 2
    assert "bn1" in done.stderr


def test_the_curve_in_one_command(run: Run, tmp_path: Path) -> None:
    done = run(
        "program", "lenet3", "--checkpoint", CHECKPOINT, "--data-root", MNIST, "--curve", "out",
        "--instances", 3, "--test-images", 60, "--score-images", 60,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "out"
    runs = list(csv.DictReader((folder / "runs.csv").read_text(encoding="utf-8").splitlines()))
    policies = {"random", "magnitude", "fisher", "swim", "u-swim"}
    assert {row["policy"] for row in runs} == policies
    assert {row["device"] for row in runs} == {"rram", "rram, non-uniform s = 4"}
    assert (folder / "write_verify_curve.png").stat().st_size > 10_000
    for name in ("write_verify_curve.csv", "speed_up.csv"):
        assert (folder / name).is_file()
    assert "Needed to come close" in done.stdout
