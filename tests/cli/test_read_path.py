"""`--read-path`: studies, reports, programmed chips and single ones say how they were read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from archsim.cli.app import app
from tests.cli.conftest import Run
from tests.house.helpers import ROOT
from tests.refusals import command_refused, tells

_WEIGHTS = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
#: Its offset code and its 128 rows lose what converters of few bits cut off.
_CHIP = "rram-22nm-neurosim"
_MNIST = ROOT / "tests" / "data" / "mnist"
_STUDY: dict[str, Any] = {
    "name": "small",
    "network": "lenet3",
    "data": "mnist",
    "chip": _CHIP,
    "sigma": [0.05],
    "chips": 2,
    "runs": 1,
    "test_images": 60,
    "validation_images": 60,
    "backbones": {"noise": {"epochs": 2, "batch_size": 50, "validation_instances": 1}},
    "tuning": {"steps": 3, "batch_size": 20},
    "methods": [{"name": "plain"}, {"name": "biases", "corrections": "biases"}],
}
_COLUMNS = ("read_path", "adc_range", "adc_bits", "clip_rate")


def _train(folder: Path, *more: str) -> tuple[Path, str]:
    study, run = folder / "small.yaml", folder / "run"
    study.write_text(yaml.safe_dump(_STUDY))
    arguments = ["train", study, "--data-root", _MNIST, "--run", run, *more]
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.stderr
    return run, done.stdout


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run whose chips are read with a full-scale range: its first layer uses few codes."""
    folder = tmp_path_factory.mktemp("exact")
    return _train(
        folder,
        "--read-path",
        "exact",
        "--set",
        'study.chip_settings={"chip.adc.range":"full-scale"}',
    )


@pytest.fixture(scope="module")
def off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return _train(tmp_path_factory.mktemp("off"), "--read-path", "off")


def test_a_run_that_is_read_exactly_says_so(exact: tuple[Path, str], run: Run) -> None:
    folder, shown = exact
    tells(shown, "exact:", "full-scale,", "conv1.weight:", "chip.adc.range", "clipped")
    rows = list(csv.DictReader(io.StringIO((folder / "results.csv").read_text())))
    assert {tuple(row[key] for key in _COLUMNS[:3]) for row in rows} == {
        ("exact", "full-scale", "5")
    }
    data = json.loads(run("evaluate", folder, "--format", "json").stdout)
    assert data["read_path"]["mode"] == "exact"
    assert data["read_path"]["clip_rate"] == 0
    assert any("conv1.weight" in line for line in data["read_path"]["warnings"])
    assert {method["read_path"] for method in data["methods"]} == {"exact"}


def test_a_run_with_the_read_path_off_says_what_it_leaves_out(
    off: tuple[Path, str], run: Run
) -> None:
    folder, shown = off
    tells(shown, "off:", "converters", "wires;", "--read-path")
    assert "clipped" not in shown
    # As all runs from before there was a read path: nothing is said of it.
    assert "read_path" not in json.loads(next(folder.rglob("plain*/result.json")).read_text())
    data = json.loads(run("evaluate", folder, "--format", "json").stdout)
    assert data["read_path"] == {
        "mode": "off", "range": None, "adc_bits": None, "clip_rate": None, "warnings": [],
    }  # fmt: skip


def test_a_report_says_how_its_accuracies_were_read(
    exact: tuple[Path, str], run: Run, light: None, tmp_path: Path
) -> None:
    place = tmp_path / "report"
    made = run("report", exact[0], "--no-train", "--folder", place, "--format", "json")
    assert made.exit_code == 0, made.stderr
    data = json.loads(made.stdout)
    assert {tuple(row[key] for key in _COLUMNS) for row in data["designs"]} == {
        ("exact", "full-scale", 5, 0)
    }
    assert len(data["read_path"]) == 1
    tells(data["read_path"][0], "exact:", "full-scale,")
    assert any("conv1.weight" in line for line in data["warnings"])
    page = (place / "index.html").read_text()
    tells(page, "full-scale,", "conv1.weight:")
    shown = run("report", exact[0], "--no-train", "--folder", place)
    tells(shown.stdout, "exact:", "full-scale,")


def test_damaged_words_of_the_read_path_are_one_message(
    off: tuple[Path, str], run: Run, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "damaged"
    shutil.copytree(off[0], folder)
    path = next(folder.rglob("plain*/result.json"))
    for wrong in ("exact", {"mode": 3}, {"mode": "exact", "warnings": "none"}, {"clip_rate": "a"}):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"read_path": wrong}))
        command_refused(run("evaluate", folder), "read_path", code="damaged-file")


def test_program_reads_its_chips(run: Run) -> None:
    asked = ("program", "lenet3", "--checkpoint", _WEIGHTS, "--data", "mnist-part", "--chips", 2,
             "--test-images", 60, "--set", "device.sigma=0.02", "--chip", _CHIP,
             "--format", "json")  # fmt: skip

    def accuracy(*more: object) -> dict[str, Any]:
        done = run(*asked, *more)
        assert done.exit_code == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["accuracy"]
        return found

    plain = accuracy()
    assert [plain[key] for key in _COLUMNS] == ["off", None, None, None]
    read = accuracy("--read-path", "exact")
    assert [read[key] for key in _COLUMNS[:3]] == ["exact", "calibrated", 5]
    assert 0 < read["clip_rate"] < 0.01
    assert read["ideal"] == plain["ideal"]
    few = accuracy("--read-path", "exact", "--set", "chip.adc.bits=3")
    assert few["mean"] < read["mean"] - 0.2
    assert few["images"] == 60
    own = accuracy("--read-path", "exact", "--images-per-chip", 20)
    assert own["images"] == 20


def test_program_in_words(run: Run) -> None:
    shown = run("program", "lenet3", "--checkpoint", _WEIGHTS, "--data", "mnist-part", "--chips",
                1, "--test-images", 20, "--read-path", "exact")  # fmt: skip
    assert shown.exit_code == 0, shown.stderr
    tells(shown.stdout, "calibrated,", "clip")
    text = run("program", "lenet3", "--checkpoint", _WEIGHTS, "--data", "mnist-part", "--chips",
               1, "--test-images", 20, "--format", "csv").stdout  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["accuracy_read_path"] == "off"


@pytest.fixture(scope="module")
def chips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("chips")
    arguments = ["deploy", "lenet3", "--checkpoint", _WEIGHTS, "--chips-to", folder, "--chips", 2,
                 "--sigma", 0.02, "--encoding", "offset"]  # fmt: skip
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.stderr
    return sorted(folder.glob("chip-*.safetensors"))


def test_single_chips_are_read_as_archsim_read_reads_them(chips: list[Path], run: Run) -> None:
    few = ("--data", "mnist-part", "--test-images", 60, "--format", "json")
    read = ("--read-path", "exact", "--chip", _CHIP, "--set", "chip.adc.bits=4")
    done = run("evaluate", *chips, *few, *read)
    assert done.exit_code == 0, done.stderr
    data = json.loads(done.stdout)
    assert (data["read_path"]["mode"], data["read_path"]["adc_bits"]) == ("exact", 4)
    same = run("read", "lenet3", "--checkpoint", _WEIGHTS, "--data", "mnist-part", "--images", 60,
               "--chips", 2, "--sigma", 0.02, *read[2:], "--format", "json")  # fmt: skip
    found = json.loads(same.stdout)
    # Calibrated on rounded weights here, on those of the checkpoint there.
    assert data["accuracy"]["mean"] == pytest.approx(found["accuracy"]["exact"], abs=0.035)
    assert data["read_path"]["clip_rate"] == pytest.approx(found["read_path"]["clip_rate"], rel=0.5)
    plain = json.loads(run("evaluate", *chips, *few).stdout)
    assert plain["read_path"]["mode"] == "off"
    assert plain["accuracy"]["mean"] == pytest.approx(found["accuracy"]["off"])
    tells(run("evaluate", *chips, *few[:4]).stdout, "off:", "wires;")


def test_bad_input(chips: list[Path], off: tuple[Path, str], run: Run, tmp_path: Path) -> None:
    some = ("--data", "mnist-part")
    read = ("--read-path", "exact")
    command_refused(run("train", "tsb-lenet3", "--read-path", "sometimes"), "'sometimes'")
    command_refused(run("program", "lenet3", *read), "--checkpoint", code="conflict")
    with_data = ("program", "lenet3", "--checkpoint", _WEIGHTS, *some, *read)
    command_refused(run(*with_data, "--chips", 0), "--chips", code="conflict")
    command_refused(run(*with_data, "--design", "common"), "--read-path", code="conflict")
    command_refused(
        run("evaluate", off[0], *read), "--read-path", code="unsupported"
    )  # fmt: skip
    command_refused(
        run("evaluate", *chips, *some, "--chip", "rram-22nm"), "--chip", code="conflict"
    )
    other = run("deploy", "lenet3", "--checkpoint", _WEIGHTS, "--chips-to", tmp_path, "--chips", 1,
                "--sigma", 0.1, "--write", "magnitude:0.1")  # fmt: skip
    assert other.exit_code == 0, other.stderr
    part = tmp_path / "chip-0.safetensors"
    command_refused(run("evaluate", part, *some, *read), "--read-path", code="unsupported")
    command_refused(
        run("evaluate", chips[0], part, *some, *read), "deploy", code="conflict"
    )  # fmt: skip
