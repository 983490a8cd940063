"""``archsim program``: a trained LeNet-3 on real digits, its numbers and its refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from archsim.cost.verify_read import verify_read
from tests.cli.conftest import Run
from tests.designs import make_design
from tests.house.helpers import ROOT
from tests.images import assert_image
from tests.refusals import command_refused

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
MNIST = ROOT / "tests" / "data" / "mnist"
WEIGHTS, CELLS = 5395, 4 * 5395
CHIP = "rram-22nm-neurosim"
#: The JSON contract of the command.
CONTRACT = {
    *("weights", "verified_weights", "write_pulses", "verify_reads", "time_ms", "energy_uJ"),
    *("unconverged_cells", "residual_sigma"),
}


def program(run: Run, *arguments: object) -> dict[str, object]:
    """Run with JSON output and return it."""
    done = run("program", "lenet3", "--chip", CHIP, *arguments, "--format", "json")
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
    read_uJ = 1e6 * float(verify_read(design=make_design()).cell_J)
    assert 0.1e-6 < read_uJ < 0.2e-6
    assert found["energy_uJ"] == pytest.approx(pulses * 0.6e-6 + reads * read_uJ, rel=1e-9, abs=0)
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
    found = program(run, "--policy", "tsb", "--design", "common", "--set", "tsb.copies=1")
    assert found["weights"] == WEIGHTS + 25
    assert found["verified_weights"] == 25


def test_separate_blocks_are_those_of_the_plan(run: Run) -> None:
    found = program(run, "--policy", "tsb", "--design", "separate", "--set", "tsb.copies=1")
    done = run(
        "map", "lenet3", "--design", "separate", "--format", "json", "--chip", CHIP,
        "--set", "chip.hierarchy.duplication=none", "--set", "tsb.copies=1",
    )  # fmt: skip
    rows = [row for row in json.loads(done.stdout)["layers"] if row["kind"] == "tsb"]
    assert found["verified_weights"] == sum(25 * row["instances"] for row in rows) > 25


def test_the_curve_refuses_what_it_does_not_use(run: Run) -> None:
    for option, *value in (
        ("--policy", "swim"),
        ("--out", "x.json"),
        ("--format", "csv"),
        ("--encoding", "offset"),
        ("--chips", "5"),
        ("--read-after", "5"),
        ("--clip-at-zero",),
    ):
        done = run("program", "lenet3", "--curve", "folder", option, *value)
        command_refused(done, option, "--curve", code="conflict")


TRAINED = ("--checkpoint", CHECKPOINT, "--data-root", MNIST)
FEW = ("--score-images", 100, "--test-images", 100)


def number(found: dict[str, object], key: str) -> float:
    value = found[key]
    assert isinstance(value, (int, float)), key
    return float(value)


def notes(found: dict[str, object]) -> str:
    lines = found["notes"]
    assert isinstance(lines, list)
    return " ".join(lines)


def test_every_chip_of_several_has_its_drivers(run: Run) -> None:
    """As many chips as the plan has, and drivers on each of them."""
    several = ("--set", "chip.off_chip.when_full=multi-chip", "--set", "chip.hierarchy.max_tiles=1")
    drivers = "chip.programming.parallel_subarrays="
    found = program(run, "--policy", "all", *several, "--set", f"{drivers}1")
    done = run("map", "lenet3", *several, "--format", "json")
    chips = json.loads(done.stdout)["totals"]["chips"]
    assert found["network_chips"] == chips > 1
    assert any(f"spread over {chips} chips" in note for note in found["notes"])  # type: ignore[attr-defined]
    alone = program(run, "--policy", "all", "--set", f"{drivers}1")
    assert alone["network_chips"] == 1
    assert number(found, "time_ms") < number(alone, "time_ms")
    pooled = program(run, "--policy", "all", "--set", f"{drivers}{chips}")
    assert found["time_ms"] == pooled["time_ms"]
    # Pairs of columns need more tiles, whatever the chip's own encoding is.
    pairs = program(run, "--encoding", "differential", *several)
    own = run("map", "lenet3", *several, "--set", "chip.precision.encoding=differential",
              "--format", "json")  # fmt: skip
    assert pairs["network_chips"] == json.loads(own.stdout)["totals"]["chips"]


@pytest.mark.parametrize(
    "settings",
    [
        ("--encoding", "separate-sign"),
        ("--set", "chip.precision.bits_per_cell=3", "--set", "chip.precision.pad_top_slice=true"),
    ],
)
def test_whole_rows_of_cells_are_verified(run: Run, settings: tuple[str, ...]) -> None:
    """Rows of 16 cells in which some are verified have all of theirs verified (but short ones).

    Without spread such a row takes one read more than another, of 5 ns for each of the 8 columns
    of an ADC.
    """
    common = (
        *("--set", "device.sigma=0", "--set", "chip.programming.parallel_subarrays=1"),
        *("--set", "chip.crossbar.cols=16", *settings),
    )
    nothing = number(program(run, *common), "time_ms")
    found = program(run, "--policy", "random", "--granularity", "row", "--fraction", 0.3, *common)
    rows = (number(found, "time_ms") - nothing) / 40e-6
    assert number(found, "verified_weights") >= 0.3 * WEIGHTS
    assert 15 < number(found, "verified_cells") / rows <= 16 + 1e-9


def test_stuck_cells_are_expected_counted_and_said(run: Run) -> None:
    stuck = ("--set", "device.stuck_on_rate=0.02", "--set", "device.stuck_off_rate=0.03")
    found = program(run, *TRAINED, *FEW, "--chips", 0, "--policy", "all", *stuck)
    assert number(found, "stuck_cells") == pytest.approx(0.05 * CELLS, rel=0.15, abs=0)
    hopeless, lost = number(found, "unconverged_stuck_cells"), number(found, "unconverged_cells")
    assert 0.9 * lost < hopeless <= lost < number(found, "stuck_cells")
    # Those cells take all 100 pulses: a third of what all the others take together.
    assert number(found, "expected_write_pulses") == pytest.approx(
        number(found, "write_pulses"), rel=0.05, abs=0
    )
    assert "are stuck" in notes(found)
    assert "tolerance (device" not in notes(found)
    working = program(run, *TRAINED, *FEW, "--chips", 0, "--policy", "all")
    assert (working["stuck_cells"], working["unconverged_stuck_cells"]) == (0, 0)
    assert number(found, "write_pulses") > 1.2 * number(working, "write_pulses")
    assert number(found, "expected_loss_change") > 3 * number(working, "expected_loss_change")


def test_noisy_reads_make_no_cell_stuck(run: Run) -> None:
    """Thousands of working cells are rejected to the last; stuck ones are counted apart."""
    noisy = (
        *("--set", "device.read_noise_sigma=0.02", "--set", "device.write_verify.tolerance=0.005"),
        *("--set", "device.write_verify.max_pulses=20", "--set", "device.stuck_on_rate=0.001"),
    )
    found = program(run, "--checkpoint", CHECKPOINT, "--policy", "all", *noisy)
    stuck, hopeless = number(found, "stuck_cells"), number(found, "unconverged_stuck_cells")
    assert 0 < hopeless <= stuck < 60
    assert number(found, "unconverged_cells") > 1000
    assert f"{int(hopeless)} are outside the tolerance" in notes(found)


def test_a_tight_tolerance_is_blamed_beside_stuck_cells(run: Run) -> None:
    found = program(
        run, "--policy", "all", "--set", "device.stuck_on_rate=0.02",
        "--set", "device.write_verify.tolerance=0.001",
    )  # fmt: skip
    assert "are stuck" in notes(found)
    assert "pulse limit of 100: the tolerance (device" in notes(found)
    assert number(found, "unconverged_cells") > 10 * number(found, "unconverged_stuck_cells")


def test_the_expected_loss_is_there_for_all_policies_and_encodings(run: Run) -> None:
    found = {
        (policy, encoding): number(
            program(
                run, *TRAINED, *FEW, "--chips", 0, "--policy", policy, "--encoding", encoding
            ),
            "expected_loss_change",
        )
        for policy, encoding in (
            ("none", "magnitude"), ("none", "offset"), ("none", "differential"),
            ("none", "separate-sign"), ("random", "magnitude"), ("all", "magnitude"),
        )
    }  # fmt: skip
    bare = found["none", "magnitude"]
    # A full range for 127 steps instead of 255, and two cells instead of one.
    assert found["none", "offset"] == pytest.approx(bare * (255 / 127) ** 2, rel=1e-6, abs=0)
    assert found["none", "differential"] == pytest.approx(2 * bare, rel=1e-6, abs=0)
    assert found["none", "separate-sign"] == pytest.approx(2 * bare, rel=1e-6, abs=0)
    assert found["all", "magnitude"] < found["random", "magnitude"] < bare


def test_read_noise_and_drift_are_in_the_accuracy(run: Run) -> None:
    def lost(*arguments: object) -> tuple[float, dict[str, object]]:
        found = program(
            run, *TRAINED, "--score-images", 100, "--chips", 10, "--policy", "all",
            "--device", "pcm", *arguments,
        )  # fmt: skip
        accuracy = found["accuracy"]
        assert isinstance(accuracy, dict)
        return float(accuracy["loss"]), found

    quiet, silent = lost("--set", "device.read_noise_sigma=0")
    constant = ("--set", "device.read_noise_law=null")
    noisy, loud = lost("--set", "device.read_noise_sigma=0.15", *constant)
    assert noisy > quiet + 0.005
    change = "expected_loss_change"
    assert number(loud, change) > 2 * number(silent, change)
    assert "Read noise (15.6 % of the range per cell)" in notes(loud)  # 0.15 of the maximum
    assert "see --read-after" in notes(silent)
    later, found = lost("--set", "device.read_noise_sigma=0", "--read-after", "1e7")
    assert later > quiet + 0.005
    assert found["read_after_s"] == 1e7
    assert "drifted for 1e+07 s" in notes(found)
    assert found["write_pulses"] == silent["write_pulses"]


def test_read_noise_of_pcm_goes_by_its_law(run: Run) -> None:
    """Noise of a cell of conductance g: sigma min(g^0.35, bound g), at least g = 0.04."""

    def found(sigma: float, *arguments: object) -> dict[str, object]:
        chosen = ("--policy", "all", "--device", "pcm", "--chips", 0, *arguments)
        noise = ("--set", f"device.read_noise_sigma={sigma}")
        return program(run, *TRAINED, *FEW, *chosen, *noise)

    def added(sigma: float, *arguments: object) -> float:
        change = "expected_loss_change"
        return number(found(sigma, *arguments), change) - number(found(0), change)

    # Up to 0.2 3.809 0.04^0.65 = 0.094 of the maximum no cell is at the bound: a square law.
    assert added(0.08) == pytest.approx(4 * added(0.04), rel=1e-6, abs=0)
    # At 0.4 the lowest level has 0.2 3.809 / 0.4 0.04 = 0.076 of it, in place of 0.324.
    assert 1 < added(0.4) / added(0.08) < 0.95 * 25
    # No cell is noisier than by a constant spread, and none below 0.324 of it.
    share = added(0.08) / added(0.08, "--set", "device.read_noise_law=null")
    assert 0.324**2 < share < 1
    said = notes(found(0.08, "--chips", 1))
    assert "(8.33 % of the range at full conductance, less below, by device." in said


def test_read_noise_beyond_its_law_is_refused(run: Run) -> None:
    """At full conductance the law allows 0.2 sqrt(ln((1 s + 250 ns) / 500 ns)) = 0.762."""
    done = run(
        "program", "lenet3", "--device", "pcm", "--policy", "all",
        "--set", "device.read_noise_sigma=0.8",
    )  # fmt: skip
    command_refused(done, "device.read_noise_sigma", "0.8", "0.762", code="out-of-range")


def test_clipping_at_zero_is_in_the_accuracy(run: Run) -> None:
    """A third of the range, unverified, in pairs of cells of which one is at level 0."""
    common = (
        *(*TRAINED, "--score-images", 100, "--chips", 10, "--encoding", "differential"),
        *("--set", "device.sigma=0.3"),
    )
    plain, clipped = program(run, *common), program(run, *common, "--clip-at-zero")
    lost = [number(dict(found["accuracy"]), "loss") for found in (plain, clipped)]  # type: ignore[call-overload]
    assert lost[1] < lost[0] - 0.05
    assert (plain["clip_at_zero"], clipped["clip_at_zero"]) == (False, True)
    assert number(clipped, "residual_sigma") < 0.9 * number(plain, "residual_sigma")
    same = ("write_pulses", "time_ms", "expected_loss_change", "expected_write_pulses")
    assert [clipped[key] for key in same] == [plain[key] for key in same]
    assert "Cells stop at zero conductance" in notes(clipped)
    assert "Cells stop at zero conductance" not in notes(plain)


def test_a_device_that_does_not_drift_says_so(run: Run) -> None:
    few = (*FEW, "--chips", 3)
    found = program(run, *TRAINED, *few, "--read-after", "1e9")
    assert "does not drift" in notes(found)
    assert "beyond the device's retention time of 3.2e+08 s" in notes(found)
    at_once = program(run, *TRAINED, *few)
    assert found["accuracy"] == at_once["accuracy"]
    assert "drift" not in notes(at_once)


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


def test_a_tolerance_that_is_too_tight_is_said(run: Run) -> None:
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


WITH_DATA = ["--checkpoint", str(CHECKPOINT), "--data-root", str(MNIST)]
SRAM = ["--device", "sram", "--set", "chip.precision.bits_per_cell=1"]
#: Arguments, the code of the problem, and facts that the message must tell.
REFUSED: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "a policy with a slip": (
        ["--policy", "swom"],
        "unknown-name",
        ("--policy", "swom;", "none", "tsb", "'swim'"),
    ),
    "a fraction above 1": (
        ["--policy", "swim", "--fraction", "1.5"],
        "out-of-range",
        ("--fraction", "1.5;", "0 to 1"),
    ),
    "a fraction for all": (
        ["--policy", "all", "--fraction", "0.5"],
        "conflict",
        ("--fraction", "0.5", "--policy", "all", "u-swim"),
    ),
    "no network for scores": (["--policy", "swim"], "missing-key", ("'swim'", "--checkpoint")),
    "no block": (["--policy", "tsb"], "missing-key", ("'tsb'", "--design", "common", "separate")),
    "no write-verify": (["--policy", "all", *SRAM], "conflict", ("'sram'", "write_verify")),
    "no resistances": (
        ["--clip-at-zero", *SRAM],
        "conflict",
        ("clip_at_zero", "'sram'", "r_on", "r_off"),
    ),
    "too many layers": (
        ["--policy", "last-layers", "--last-layers", "9"],
        "out-of-range",
        ("--last-layers", "'lenet3'", "1 to 3"),
    ),
    "no such file": (
        ["--checkpoint", "nowhere.safetensors"],
        "cannot-read",
        ("nowhere.safetensors",),
    ),
    "no data": (
        ["--checkpoint", str(CHECKPOINT), "--data-root", "nowhere", "--policy", "swim"],
        "missing-file",
        ("--data-root", "'nowhere'"),
    ),
    "another data set": ([*WITH_DATA, "--data", "cifar10"], "missing-file", ("cifar10",)),
    "an encoding with a slip": (
        ["--encoding", "ofset"],
        "unknown-name",
        ("encoding = 'ofset'", "'offset'"),
    ),
    "a curve of nothing": (["--curve", "folder"], "missing-key", ("--checkpoint",)),
    "data without a checkpoint": (
        ["--data-root", str(MNIST)],
        "conflict",
        ("--data-root", "--checkpoint"),
    ),
    "a data set without a checkpoint": (
        ["--data", "mnist"],
        "conflict",
        ("--data", "'mnist'", "--checkpoint"),
    ),
    "rows of everything": (
        ["--policy", "all", "--granularity", "row"],
        "conflict",
        ("--granularity", "row", "--policy", "all", "magnitude"),
    ),
    "weights of nothing": (
        ["--granularity", "weight"],
        "conflict",
        ("--granularity", "weight", "--policy", "none"),
    ),
    "layers of a score": (
        ["--policy", "random", "--last-layers", "2"],
        "conflict",
        ("--last-layers", "2", "--policy", "random", "last-layers"),
    ),
    "instances without a curve": (
        ["--instances", "9"],
        "conflict",
        ("--instances", "9", "--curve", "--chips"),
    ),
    "a read without an accuracy": (["--read-after", "10"], "conflict", ("10", "--checkpoint")),
    "a read that never comes": (
        [*WITH_DATA, "--read-after", "inf"],
        "not-finite",
        ("(--read-after) = inf", "0"),
    ),
    "chips without data": (
        ["--checkpoint", str(CHECKPOINT), "--chips", "5"],
        "conflict",
        ("--chips", "5", "--data-root"),
    ),
    "test images without data": (
        ["--test-images", "5"],
        "conflict",
        ("--test-images", "5", "--data-root"),
    ),
    "score images without data": (
        ["--score-images", "5"],
        "conflict",
        ("--score-images", "5", "--data-root"),
    ),
    "no layers": (
        ["--policy", "last-layers", "--last-layers", "0"],
        "out-of-range",
        ("(--last-layers) = 0", "1"),
    ),
    "a seed of many bits": (
        ["--seed", "99999999999999999999999"],
        "out-of-range",
        ("seed = 99999999999999999999999", "0 to 4294967295"),
    ),
    "a negative seed": (["--seed", "-1"], "out-of-range", ("seed = -1", "0 to 4294967295")),
    "too many pulses": (
        ["--set", "device.write_verify.max_pulses=1.0e+12"],
        "out-of-range",
        ("device.write_verify.max_pulses:", "1000000000000.0", "1 to 10000"),
    ),
    "negative chips": ([*WITH_DATA, "--chips", "-3"], "out-of-range", ("(--chips) = -3", "0")),
    "a policy of the chip": (
        ["--set", "chip.programming.policy=all"],
        "unsupported",
        ("chip.programming.policy", "--policy"),
    ),
    "layers of the chip": (
        ["--set", "chip.programming={last_layers: 2}"],
        "unsupported",
        ("chip.programming.last_layers", "--last-layers"),
    ),
    "pairs of columns that an array does not have": (
        [
            *("--encoding", "differential", "--set", "chip.crossbar.cols=8"),
            *("--set", "chip.precision.bits_per_cell=1", "--set", "chip.crossbar.mux_ratio=8"),
        ],
        "conflict",
        ("crossbar.cols = 8", "16"),
    ),
    "layers that are written twice": (
        ["--set", "chip.programming.rewritten_layers=1"],
        "unsupported",
        ("chip.programming.rewritten_layers",),
    ),
    "a curve of one chip": (
        ["--curve", "folder", "--checkpoint", str(CHECKPOINT), "--instances", "1"],
        "out-of-range",
        ("(--instances) = 1", "2"),
    ),
    "a flat curve": (
        [*WITH_DATA, "--curve", "folder", "--set", "device.write_verify.tolerance=5"],
        "conflict",
        ("'rram'", "0.1", "5", "device.write_verify.tolerance"),
    ),
    "a curve with stuck cells": (
        [
            *(*WITH_DATA, "--curve", "folder"),
            *("--set", "device.stuck_on_rate=0.01", "--score-images", "50"),
        ],
        "unsupported",
        ("stuck_on_rate = 0.01", "0"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(run: Run, case: str) -> None:
    arguments, code, facts = REFUSED[case]
    command_refused(run("program", "lenet3", *arguments), *facts, code=code)


def test_wrong_checkpoints_are_refused(run: Run, tmp_path: Path) -> None:
    tensors = load_file(CHECKPOINT)
    tensors["fc.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "nan.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle.safetensors")
    for name, code, fact in (
        ("nan", "not-finite", "'fc.bias'"),
        ("pickle", "unsafe-file", "pickle.safetensors"),
    ):
        done = run("program", "lenet3", "--checkpoint", tmp_path / f"{name}.safetensors")
        command_refused(done, fact, code=code)
    done = run("program", "lenet3-bn", "--checkpoint", CHECKPOINT)
    command_refused(
        done, "--checkpoint", str(CHECKPOINT), "'lenet3-bn'", "'bn1.weight'", code="shape-mismatch"
    )


def test_a_result_says_all_that_it_depends_on(run: Run, tmp_path: Path) -> None:
    few = ("--score-images", 100, "--test-images", 50, "--chips", 2)
    found = program(run, *TRAINED, *few, "--policy", "last-layers", "--last-layers", 2)
    settings = {
        "design": "none", "last_layers": 2, "fraction": None, "data": "mnist",
        "score_images": 100, "test_images": 50, "chips": 2, "seed": 0, "trained": True,
    }  # fmt: skip
    assert {key: found[key] for key in settings} == settings
    digits = str(found["checkpoint_hash"])
    assert len(digits) == 16
    tensors = load_file(CHECKPOINT)
    tensors["fc.bias"][0] += 1
    save_file(tensors, tmp_path / "other.safetensors")
    other = program(run, "--checkpoint", tmp_path / "other.safetensors")
    assert (other["checkpoint_hash"] != digits, other["config_hash"]) == (
        True,
        found["config_hash"],
    )
    assert "No accuracy was measured: give --data-root" in notes(other)
    plain = program(run)
    assert [plain[key] for key in ("checkpoint_hash", "data", "chips")] == [None, None, None]
    done = run("program", "lenet3", "--policy", "last-layers", "--last-layers", 2)
    assert "lenet3, policy last-layers 2, chip" in done.stdout
    done = run("program", "lenet3", "--policy", "tsb", "--design", "common")
    assert "lenet3, design common, policy tsb, chip" in done.stdout


def test_cycles_of_verified_cells_and_all_pulses(run: Run) -> None:
    """Of 9.85 pulses for a cell that is verified; one for each of the others."""
    found = program(run, "--policy", "random", "--fraction", 0.2)
    assert "normalised_cycles" not in found
    share = number(found, "verified_cells") / CELLS
    whole = number(program(run, "--policy", "all"), "expected_write_pulses")
    assert found["verify_cycles"] == pytest.approx(share, rel=1e-6, abs=0)
    assert found["normalised_pulses"] == pytest.approx(share + (1 - share) * CELLS / whole)
    assert number(found, "expected_write_pulses") / whole == pytest.approx(
        number(found, "normalised_pulses")
    )


def test_choices_that_do_something_else_are_said(run: Run) -> None:
    score = ("--policy", "magnitude", "--fraction")
    nothing = program(run, *score, 0.00001)
    assert "is none of them: nothing is verified" in notes(nothing)
    coarse = program(run, *score, 0.1, "--granularity", "subarray")
    assert "Whole subarrays are verified: " in notes(coarse)
    assert "where 10 % were asked for" in notes(coarse)
    wide = program(run, "--policy", "all", "--set", "device.write_verify.tolerance=1")
    assert "Write-verify changes next to nothing on this device: its tolerance (1" in notes(wide)
    usual = notes(program(run, *score, 0.1))
    for words in ("none of them", "Whole ", "next to nothing"):
        assert words not in usual


def test_more_images_than_there_are_is_said(run: Run) -> None:
    found = program(run, *TRAINED, "--test-images", 9999, "--score-images", 9999, "--chips", 1)
    assert "--test-images 9999: mnist has 300; all are used." in notes(found)
    assert "--score-images 9999: mnist has 634; all are used." in notes(found)
    assert (found["test_images"], found["score_images"]) == (300, 634)


def test_the_curve_in_one_command(run: Run, tmp_path: Path) -> None:
    done = run(
        "program", "lenet3", "--chip", CHIP, "--checkpoint", CHECKPOINT, "--data-root", MNIST,
        "--curve", "out",
        "--instances", 2, "--test-images", 60, "--score-images", 60, "--seed", 7,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "out"
    runs = list(csv.DictReader((folder / "runs.csv").read_text(encoding="utf-8").splitlines()))
    policies = {"random", "magnitude", "fisher", "swim", "u-swim"}
    assert {row["policy"] for row in runs} == policies
    assert {row["device"] for row in runs} == {"rram-neurosim", "rram-neurosim, non-uniform s = 4"}
    assert_image(folder / "write_verify_curve.png")
    drawn = list(csv.DictReader((folder / "write_verify_curve.csv").read_text().splitlines()))
    assert {row["policy"] for row in drawn} == policies
    assert "Needed to come close" in done.stdout
    table = list(csv.DictReader((folder / "speed_up.csv").read_text().splitlines()))
    assert {row["effort"] for row in table} == {"fraction", "verify_cycles", "normalised_pulses"}
    assert "replaced" not in done.stderr
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    assert (about["network"], about["seed"], about["encoding"]) == ("lenet3", 7, "magnitude")
    assert len(about["checkpoint_hash"]) == 16
    assert "2 chips per point tell little" in done.stdout
    (tmp_path / "file").write_text("in the way")
    done = run("program", "lenet3", *TRAINED, "--curve", "file")
    command_refused(done, "--curve", "file", code="cannot-write")


def test_chips_on_images_of_their_own_until_the_mean_is_known(run: Run) -> None:
    """Looked at after every 16 chips; a wide interval is reached at the first look."""
    few = (*TRAINED, "--data-root", MNIST, "--score-images", 20, "--images-per-chip", 100)
    wide = program(run, *few, "--chips", 64, "--half-width", 20)["accuracy"]
    narrow = program(run, *few, "--chips", 32, "--half-width", 0.001)["accuracy"]
    assert isinstance(wide, dict)
    assert isinstance(narrow, dict)
    assert (wide["chips"], wide["images"]) == (16, 100)
    assert narrow["chips"] == 32
    refused = run("program", "lenet3", *few, "--images-per-chip", 10**6)
    command_refused(refused, "(--images-per-chip) = 1000000", code="out-of-range")


def test_names_with_a_prefix_are_explained(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "parallel.safetensors"
    save_file({f"module.{k}": t for k, t in load_file(CHECKPOINT).items()}, path)
    done = run("program", "lenet3", "--checkpoint", path)
    assert done.exit_code == 2
    assert "its names begin with 'module.', those of the model do not" in done.stderr


def test_drift_that_has_not_begun_is_said(run: Run) -> None:
    few = (*TRAINED, *FEW, "--chips", 2, "--device", "pcm", "--read-after")
    assert "20 s: no cell has drifted yet" in notes(program(run, *few, 1))
    assert "Cells have drifted for 100 s" in notes(program(run, *few, 100))


def test_tokens_are_named_by_shape_and_format(run: Run) -> None:
    """A decoder that is tied to its table is stored once, beside the table."""
    network = "tests.cli.test_program:tokens"
    done = run(
        "program", network, "--input-shape", "6", "--input-dtype", "int64", "--format", "json"
    )
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["weights"] == 8 * 8 + 8 * 20
    command_refused(run("program", network), "mix", code="unsupported")
    command_refused(
        run("program", "lenet3", "--curve", "folder", "--input-shape", "1,28,28"),
        "--input-shape", code="conflict",
    )  # fmt: skip


class Tokens(torch.nn.Module):
    """A table, a matrix that is a parameter, and the table as a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(20, 8)
        self.mix = torch.nn.Parameter(torch.randn(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.table(x) @ self.mix) @ self.table.weight.T


def tokens() -> torch.nn.Module:
    return Tokens()
