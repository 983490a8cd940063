"""``archsim train``, ``evaluate``, ``deploy`` and ``tune``: real digits, files, and refusals."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from archsim.network.load import load_module
from archsim.util.lock import LOCK
from tests.cli.conftest import Run
from tests.house.helpers import ROOT
from tests.refusals import command_refused
from tsb.checkpoint import load_checkpoint, read_tensors, save_checkpoint, write_tensors
from tsb.program.chip import ProgrammedChip

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
MNIST = ROOT / "tests" / "data" / "mnist"
STUDY = {
    "name": "small",
    "network": "lenet3",
    "data": "mnist",
    "sigma": [0.1, 0.2],
    "chips": 2,
    "runs": 2,
    "backbones": {"noise": {"epochs": 2, "batch_size": 50, "validation_instances": 2}},
    "tuning": {"steps": 10, "batch_size": 50},
    "methods": [{"name": "plain"}, {"name": "TSB", "corrections": "tsb"}],
    "published": [{"method": "TSB", "sigma": 0.1, "accuracy": 0.983, "source": "a paper"}],
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


@pytest.mark.parametrize(
    ("device", "code"), [("rram", "unknown-name"), ("cuda:9999", "unsupported")]
)
def test_a_device_that_is_not_there(
    run: Run, study: Path, tmp_path: Path, device: str, code: str
) -> None:
    """Refused before anything is read or written."""
    done = run("train", study, "--data-root", tmp_path / "none", "--device", device)
    command_refused(done, f"device = '{device}'", "cpu", "auto", code=code)
    assert not (tmp_path / "runs").exists()


def test_train_and_evaluate(run: Run, study: Path, tmp_path: Path) -> None:
    done = run("train", study, "--data-root", MNIST)
    assert done.exit_code == 0, done.stderr
    assert "backbones 3/3: noise-sigma0.2-seed0" in done.stderr
    assert "methods 4/4: TSB-sigma0.2-seed0" in done.stderr
    assert "published" in done.stdout
    assert "98.30" in done.stdout
    folder = tmp_path / "runs" / "small"
    for name in ("results.csv", "learning-curves.png", "gap.png", "study.json", "run.json"):
        assert (folder / name).stat().st_size > 0
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert [(row["method"], row["sigma"]) for row in rows] == [
        (method, sigma) for sigma in ("0.1", "0.2") for method in ("plain", "TSB")
    ]
    found = json.loads(run("evaluate", folder, "--format", "json").stdout)
    assert set(found["accuracy"]) >= {
        *("mean", "std_chip", "std_run", "ci95_low", "ci95_high", "chips", "runs", "images"),
    }
    assert found["schema"] == 2
    best = {
        sigma: max(
            (entry for entry in found["methods"] if entry["sigma"] == sigma),
            key=lambda entry: (entry["validation_accuracy"], -entry["verified_share"]),
        )
        for sigma in (0.1, 0.2)
    }
    assert [(own["sigma"], own["method"]) for own in found["chosen"]] == [
        (sigma, own["method"]) for sigma, own in best.items()
    ]
    assert found["accuracy"] == best[0.1]["accuracy"]
    named = {"method": best[0.1]["method"], "sigma": 0.1, "highest": "validation_accuracy"}
    assert found["accuracy_of"] == named
    assert [entry["chosen"] for entry in found["methods"]] == [
        entry is best[entry["sigma"]] for entry in found["methods"]
    ]
    cheap = json.loads(run("evaluate", folder, "--max-verified", 0.004, "--format", "json").stdout)
    assert (cheap["accuracy_of"]["method"], cheap["max_verified"]) == ("plain", 0.004)
    table = run("evaluate", folder, "--max-verified", 0.004).stdout
    assert "Chosen by validation accuracy, at most 0.4 % verified" in table
    assert "sigma 0.2: plain (" in table
    much = run("evaluate", folder, "--max-verified", 2)
    command_refused(much, "--max-verified", "0 to 1", code="out-of-range")
    few = run("evaluate", folder, "--method", "TSB", "--max-verified", 0)
    command_refused(few, "'TSB'", "0.004634", code="out-of-range")
    assert [entry["method"] for entry in found["methods"]] == ["plain", "TSB"] * 2
    assert found["methods"][0]["accuracy"]["std_run"] is None  # one run: not computed, never 0
    one = json.loads(run("evaluate", folder, "--method", "TSB", "--format", "json").stdout)
    assert {entry["method"] for entry in one["methods"]} == {"TSB"}
    drawn = run("evaluate", folder, "--method", "TSB", "--plot", tmp_path / "tsb.svg")
    assert drawn.exit_code == 0, drawn.stderr
    assert "TSB" in (tmp_path / "tsb.svg").read_text()
    other = run("evaluate", folder, "--plot", tmp_path / "tsb.bmp")
    command_refused(other, "'.bmp';", ".png", code="wrong-form")
    assert json.loads((folder / "run.json").read_text())["computed_on"] == "cpu"
    # a second call has nothing to do
    again = run("train", study, "--data-root", MNIST, "--format", "csv")
    assert "backbones" not in again.stderr
    assert again.stdout == (folder / "results.csv").read_text()


def test_one_method_keeps_the_baseline(run: Run, study: Path, tmp_path: Path) -> None:
    setting = "study.sigma=[0.1]"
    done = run("train", study, "--data-root", MNIST, "--method", "TSB", "--set", setting)
    assert done.exit_code == 0, done.stderr
    assert "plain" in done.stdout
    assert "TSB" in done.stdout
    slip = run("train", study, "--method", "TBS")
    command_refused(slip, "--method", "'TBS'", "'TSB'", code="unknown-name")


def test_killed_and_resumed(study: Path, tmp_path: Path, run: Run) -> None:
    """Killed without warning in the middle, it goes on to the same numbers."""
    command = [sys.executable, "-m", "archsim", "train", str(study), "--data-root", str(MNIST)]
    killed = subprocess.Popen(
        [*command, "--run", str(tmp_path / "killed")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert killed.stderr is not None
    for line in killed.stderr:
        if "noise-sigma0.1-seed0, epoch 1" in line:
            break
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stderr.close()
    command_refused(run("evaluate", tmp_path / "killed"), str(tmp_path / "killed"), code="empty")
    for name in ("killed", "whole"):
        done = run("train", study, "--data-root", MNIST, "--run", tmp_path / name)
        assert done.exit_code == 0, done.stderr
    results = [
        {
            path.parent.name: json.loads(path.read_text())["accuracy"]
            for path in (tmp_path / name / "methods").glob("*/result.json")
        }
        for name in ("killed", "whole")
    ]
    assert results[0] == results[1]
    assert len(results[0]) == 4


def test_deploy_tune_evaluate(run: Run, tmp_path: Path) -> None:
    done = run("deploy", "lenet3", "--checkpoint", CHECKPOINT, "--chips", 2, "--sigma", 0.2)
    assert done.exit_code == 0, done.stderr
    chips = sorted((tmp_path / "chips").glob("*.safetensors"))
    assert [chip.name for chip in chips] == ["chip-0.safetensors", "chip-1.safetensors"]
    done = run("tune", *chips, "--method", "tsb+biases", "--data-root", MNIST, "--steps", 60)
    assert done.exit_code == 0, done.stderr
    corrections = sorted((tmp_path / "corrections").glob("*.safetensors"))
    options = ["--data-root", MNIST, "--format", "json"]
    plain = json.loads(run("evaluate", *chips, *options).stdout)
    given = [item for path in corrections for item in ("--correction", path)]
    tuned = json.loads(run("evaluate", *chips, *given, "--runs", 3, *options).stdout)
    assert (plain["method"], tuned["method"]) == ("", "tsb+biases")
    assert tuned["accuracy"]["mean"] > plain["accuracy"]["mean"]
    assert (plain["accuracy"]["runs"], tuned["accuracy"]["runs"]) == (1, 3)
    assert tuned["accuracy"]["images"] == 300
    again = json.loads(run("evaluate", *chips, *given, "--runs", 3, *options).stdout)
    assert again == tuned
    crossed = [item for path in reversed(corrections) for item in ("--correction", path)]
    swapped = run("evaluate", *chips, *crossed, "--data-root", MNIST)
    command_refused(swapped, "correction-1.safetensors:", code="wrong-file")
    bounded = run("evaluate", *chips, "--max-verified", 1)
    command_refused(bounded, "--max-verified", code="unsupported")
    fewer = run("evaluate", *chips, *given[:2], "--data-root", MNIST)
    command_refused(fewer, "1", "2", code="shape-mismatch")
    table = run("evaluate", chips[0], "--data-root", MNIST).stdout
    assert "lenet3, no correction" in table


def test_options_of_a_network_go_with_its_files(run: Run, tmp_path: Path) -> None:
    """From the study into the checkpoint, from there into the chips, and from them to the rest."""
    changes = {
        "options": {"batch_norm": True, "num_classes": 11},
        "sigma": [0.1],
        "methods": STUDY["methods"][:1],
    }
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump({**STUDY, **changes, "data": "mnist", "name": "other"}))
    done = run("train", path, "--data-root", MNIST, "--set", "study.options.num_classes=10")
    assert done.exit_code == 0, done.stderr
    best = tmp_path / "runs/other/backbones/noise-sigma0.1-seed0/best.safetensors"
    assert load_checkpoint(best).options == {"batch_norm": True, "num_classes": 10}
    done = run("deploy", "lenet3", "--checkpoint", best, "--chips", 1, "--write", "last-layers:1")
    assert done.exit_code == 0, done.stderr
    chip = tmp_path / "chips" / "chip-0.safetensors"
    assert ProgrammedChip.load(chip).options == {"batch_norm": True, "num_classes": 10}
    assert ProgrammedChip.load(chip).verified_weights == 4900
    done = run("tune", chip, "--method", "batch-norm+biases", "--data-root", MNIST, "--steps", 5)
    assert done.exit_code == 0, done.stderr
    correction = tmp_path / "corrections" / "correction-0.safetensors"
    done = run("evaluate", chip, "--correction", correction, "--data-root", MNIST)
    assert "lenet3, batch-norm+biases" in done.stdout, done.stderr
    # Files of before options were recorded say so, and take them from the command line.
    tensors, about = read_tensors(best)
    settings = about["settings"]
    assert isinstance(settings, dict)
    del settings["options"]
    older = tmp_path / "older.safetensors"
    write_tensors(older, tensors, about)
    command_refused(
        run("deploy", "lenet3", "--checkpoint", older), str(older), "'lenet3'", "--option",
        code="shape-mismatch",
    )  # fmt: skip
    given = ("--option", "batch_norm=true", "--chips", 1, "--scaling", "column")
    done = run("deploy", "lenet3", "--checkpoint", older, *given, "--chips-to", "more")
    assert done.exit_code == 0, done.stderr
    more = tmp_path / "more" / "chip-0.safetensors"
    assert ProgrammedChip.load(more).options == {"batch_norm": True}
    assert ProgrammedChip.load(more).storage.scaling == "column"
    mixed = run("evaluate", chip, more, "--data-root", MNIST)
    command_refused(mixed, str(more), "'num_classes':", code="conflict")
    forgotten = tmp_path / "forgotten.safetensors"
    replace(ProgrammedChip.load(chip), options={}).save(forgotten)
    command_refused(
        run("evaluate", forgotten), str(forgotten), "'lenet3'", "--option", code="shape-mismatch"
    )


def test_the_width_reduced_network_of_the_studies(run: Run, tmp_path: Path) -> None:
    """Lists for what the network takes as tuples, from the command line and from the chip."""
    path = tmp_path / "small.safetensors"
    save_checkpoint(path, load_module("vgg8", {"widths": [4, 4, 8], "hidden": 8}), network="vgg8")
    sizes = ("--option", "widths=[4,4,8]", "--option", "hidden=8", "--chips", 1)
    done = run("deploy", "vgg8", "--checkpoint", path, *sizes)
    assert done.exit_code == 0, done.stderr
    chip = tmp_path / "chips" / "chip-0.safetensors"
    assert ProgrammedChip.load(chip).options == {"widths": [4, 4, 8], "hidden": 8}
    # The network is built; what does not fit is the data.
    facts = ("'mnist'", "1x28x28", "'vgg8'", "3x32x32")
    for command in (("tune", chip, "--method", "biases"), ("evaluate", chip)):
        done = run(*command, "--data", "mnist", "--data-root", MNIST)
        command_refused(done, *facts, code="shape-mismatch")


@pytest.mark.parametrize(
    ("options", "code", "facts"),
    [
        (("--option", "widths"), "wrong-form", ("--option", "'widths'", "name=value")),
        (("--option", "channels="), "wrong-form", ("'channels='", "name=value")),
        (("--option", "a.b=1"), "wrong-form", ("'a.b=1'", "name=value")),
        (("--option", "width=3"), "unknown-key", ("'lenet3'", "'width'", "channels")),
        (("--option", "device=meta"), "unknown-key", ("'lenet3'", "'device'")),
        (("--option", "batch_norm=true"), "shape-mismatch", ("'bn1.weight'",)),
        (("--scaling", "row"), "unknown-name", ("scaling = 'row'", "tensor", "column")),
        (("--encoding", "ofset"), "unknown-name", ("encoding = 'ofset'", "'offset'")),
        (("--write", "some"), "unknown-name", ("--write", "'some'", "last-layers:N")),
        (("--write", "last-layers:x"), "unknown-name", ("'last-layers:x'", "last-layers:N")),
        (("--write", "last-layers"), "unknown-name", ("'last-layers'", "last-layers:N")),
        (("--write", "last-layers:0"), "out-of-range", ("'last-layers:0'", "1")),
        (("--write", "all:1"), "unknown-name", ("'all:1'", "all")),
        (("--write", "magnitude:2"), "out-of-range", ("fraction = 2.0", "0 to 1")),
        (("--write", "swim:0.1"), "unknown-name", ("'swim:0.1'", "magnitude:FRACTION")),
        (("--write", "tsb"), "unknown-name", ("'tsb'", "none")),
        (("--write", "last-layers:9"), "out-of-range", ("layers = 9", "1 to 3")),
    ],
)
def test_bad_options_of_deploy(
    run: Run, tmp_path: Path, options: tuple[str, ...], code: str, facts: tuple[str, ...]
) -> None:
    done = run("deploy", "lenet3", "--checkpoint", CHECKPOINT, *options)
    command_refused(done, *facts, code=code)
    assert not (tmp_path / "chips").exists()


DEPLOY = ("deploy", "lenet3", "--checkpoint")


@pytest.mark.parametrize(
    ("arguments", "code", "facts"),
    [
        (("train", "nothing"), "unknown-name", ("'nothing'", "tsb-lenet3")),
        (("train", "--set", "study.sigma=[2]"), "out-of-range", ("study.sigma.0 = 2", "1")),
        (("train", "--out", "."), "cannot-write", (".:", "--run")),
        (
            ("train", "--set", "study.data=mnist", "--data-root", "/none"),
            "missing-file",
            ("--data-root", "'/none':"),
        ),
        (
            ("train", "--set", "study.network=vgg8"),
            "shape-mismatch",
            ("study.data", "28,", "study.network", "32,"),
        ),
        (("evaluate", "nowhere"), "missing-file", ("nowhere:", "study.json);")),
        (("evaluate", "no.safetensors"), "cannot-read", ("no.safetensors:",)),
        ((*DEPLOY, "none.safetensors"), "cannot-read", ("none.safetensors:",)),
        (("deploy", "vgg8", "--checkpoint", CHECKPOINT), "shape-mismatch", (str(CHECKPOINT),)),
        ((*DEPLOY, CHECKPOINT, "--sigma", "-1"), "out-of-range", ("sigma = -1", "0 to 1")),
        ((*DEPLOY, CHECKPOINT, "--device", "sram"), "conflict", ("'sram'", "1 to 1")),
        (("tune", CHECKPOINT), "wrong-file", (str(CHECKPOINT),)),
    ],
)
def test_bad_input(
    run: Run, arguments: tuple[object, ...], code: str, facts: tuple[str, ...]
) -> None:
    command_refused(run(*arguments), *facts, code=code)


@pytest.mark.parametrize(
    ("method", "code", "facts"),
    [
        ("tbs", "unknown-name", ("'tbs'", "'tsb'")),
        ("tsb:channels=99", "out-of-range", ("channels = 99", "1 to 10")),
        ("batch-norm", "unsupported", ("'lenet3'", "biases")),
        ("linear-block", "missing-key", ("'linear-block'", "linear-block:channels=NUMBER")),
        ("", "empty", ("--method", "tsb+biases")),
    ],
)
def test_bad_methods(
    run: Run, method: str, code: str, facts: tuple[str, ...], tmp_path: Path
) -> None:
    run("deploy", "lenet3", "--checkpoint", CHECKPOINT, "--chips", 1)
    done = run("tune", "chips/chip-0.safetensors", "--method", method)
    command_refused(done, *facts, code=code)


def test_a_loss_that_diverges_saves_nothing(run: Run, tmp_path: Path) -> None:
    run("deploy", "lenet3", "--checkpoint", CHECKPOINT, "--chips", 1)
    done = run(
        "tune", "chips/chip-0.safetensors", "--method", "scales", "--learning-rate", 1e30,
        "--data-root", MNIST,
    )  # fmt: skip
    command_refused(done, "learning_rate = 1e+30", code="not-finite")
    assert not (tmp_path / "corrections").exists()


def test_a_chip_that_diverges_leaves_the_others_their_files(run: Run, tmp_path: Path) -> None:
    run("deploy", "lenet3", "--checkpoint", CHECKPOINT, "--chips", 2)
    good, bad = (tmp_path / "chips" / f"chip-{seed}.safetensors" for seed in (0, 1))
    chip = ProgrammedChip.load(bad)
    huge = {n: 1e30 * t if n.endswith("weight") else t for n, t in chip.tensors.items()}
    replace(chip, tensors=huge).save(bad)
    done = run(
        "tune", good, bad, "--method", "scales", "--steps", 5, "--data-root", MNIST
    )  # fmt: skip
    command_refused(done, "learning_rate", "1;", code="not-finite")
    written = sorted(path.name for path in (tmp_path / "corrections").iterdir())
    assert written == [LOCK, "correction-0.safetensors"]


def test_options_of_chips_are_refused_for_a_run(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for option, value in (
        ("--correction", "x"), ("--data-root", "/nowhere"), ("--seed", 0), ("--runs", 7),
    ):  # fmt: skip
        command_refused(run("evaluate", folder, option, value), option, code="unsupported")
    command_refused(run("evaluate", folder, folder), str(folder), code="conflict")


def test_stopped_with_several_processes(study: Path, tmp_path: Path) -> None:
    """Ctrl-C ends workers and parent: one line, no traceback, and the run can go on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "archsim", "train", str(study), "--data-root", str(MNIST)]
    try:
        stopped = subprocess.Popen(
            [*command, "--run", str(tmp_path / "run"), "--jobs", "2"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.stderr is not None
    assert "backbones 1/" in stopped.stderr.readline()
    stopped.send_signal(signal.SIGINT)
    rest = stopped.stderr.read()
    stopped.stderr.close()
    assert stopped.wait() == 130
    assert "stopped; the same command resumes" in rest
    assert "Traceback" not in rest
    assert "internal error" not in rest
