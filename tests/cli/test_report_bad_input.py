"""What `archsim report` refuses, and that it does so before anything is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.refusals import command_refused

pytestmark = pytest.mark.usefixtures("light")
STUDY = """
name: tiny
network: lenet3
data: mnist-part
device: rram
sigma: [0.1]
seeds: [0]
chips: 2
runs: 1
train_images: 200
test_images: 100
backbones:
  noise: {epochs: 1}
methods:
  - {name: noise injection}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of the study above."""
    from tests.explore.sweeps import run_cli

    place = tmp_path_factory.mktemp("run")
    (place / "tiny.yaml").write_text(STUDY)
    done = run_cli("train", place / "tiny.yaml", "--run", place / "run")
    assert done.exit_code == 0, done.stderr
    return place / "run"


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    (tmp_path / "tiny.yaml").write_text(STUDY)
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_a_folder_with_something_else_is_left_alone(run: Run, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    done = run("report", folder, "--folder", other)
    command_refused(done, "'index.html'", "--folder", code="in-the-way")
    assert (other / "index.html").read_text() == "mine"
    assert [path.name for path in other.iterdir()] == ["index.html"]
    command_refused(run("report", folder, "--folder", folder), "--folder", code="in-the-way")
    (folder / "report" / "tables").mkdir(parents=True)  # of a report that was stopped
    assert run("report", folder).exit_code == 0
    assert run("report", folder).exit_code == 0  # over its own


@pytest.mark.parametrize(
    ("arguments", "code", "facts"),
    [
        (("--chip", "nosuchchip"), "unknown-name", ("'nosuchchip'", "rram-22nm")),
        (("--folder", "file"), "cannot-write", ("file:",)),
        (("--sweep", "nosuch"), "missing-file", ("nosuch:", "sweep.json")),
    ],
)
def test_nothing_is_trained_for_what_cannot_be_reported(
    run: Run, tmp_path: Path, arguments: tuple[str, str], code: str, facts: tuple[str, ...]
) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY)
    (tmp_path / "file").touch()
    command_refused(run("report", "tiny.yaml", *arguments), *facts, code=code)
    assert not (tmp_path / "runs" / "tiny" / "backbones").exists()


def test_another_study_is_not_reported_in_silence(run: Run, folder: Path, tmp_path: Path) -> None:
    given = ("report", "tiny.yaml", "--run", folder, "--no-train")
    done = run(*given, "--set", "study.chips=3")
    command_refused(done, "chips:", "2", "3", "--run", code="conflict")
    (tmp_path / "tiny.yaml").write_text(STUDY.replace("name: tiny", "name: other"))
    command_refused(run(*given), "'tiny'", "'other'", "--run", code="wrong-file")


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, [1, 2]), ("accuracy", [["x"]]), ("accuracy", []), ("accuracy", [[]])],
)
def test_damaged_results_are_named(run: Run, folder: Path, key: str | None, value: object) -> None:
    (path,) = (folder / "methods").glob("*/result.json")
    content = json.loads(path.read_text())
    path.write_text(json.dumps(value if key is None else {**content, key: value}))
    command_refused(run("report", folder), str(path), *filter(None, [key]), code="damaged-file")


def test_the_command_of_the_page_goes_on_with_the_run(run: Run, folder: Path) -> None:
    """The study is no preset: the file in the report names it."""
    assert run("report", folder).exit_code == 0
    before = json.loads((folder / "report" / "report.json").read_text())
    command = before["commands"][0]
    assert command == f"archsim train {folder}/report/study.yaml --run {folder}"
    done = run(*command.split()[1:])
    assert done.exit_code == 0, done.stderr
    assert run("report", folder).exit_code == 0
    after = json.loads((folder / "report" / "report.json").read_text())
    assert after["inputs"] == before["inputs"]


def test_a_refused_report_leaves_no_folder(run: Run, folder: Path, tmp_path: Path) -> None:
    (path,) = (folder / "methods").glob("*/result.json")
    path.write_text("{")
    done = run("report", folder, "--folder", tmp_path / "made")
    command_refused(done, str(path), code="damaged-file")
    assert not (tmp_path / "made").exists()


def test_a_folder_that_is_not_there_is_said_to_be_so(run: Run, tmp_path: Path) -> None:
    command_refused(run("report", "lost/run"), "lost/run:", code="missing-file")


def test_without_a_run_the_command_names_the_file_that_was_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(STUDY)
    done = run("report", "tiny.yaml", "--no-train", "--run", "none")
    assert done.exit_code == 0, done.stderr
    assert "archsim train tiny.yaml --run none measures the accuracies" in done.stderr


def test_a_damaged_account_of_a_run_is_said(run: Run, folder: Path) -> None:
    (folder / "run.json").write_text("{")
    done = run("report", folder)
    assert done.exit_code == 0, done.stderr
    assert "run.json: damaged: which version made the run is not known" in done.stderr


def test_a_chip_that_holds_no_design_is_said(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(
        "extends: rram-22nm\nname: small\nhierarchy: {max_tiles: 1}\n"
    )
    done = run("report", folder, "--chip", "small.yaml")
    assert done.exit_code == 1, done.stderr
    assert "infeasible: " in done.stderr
    assert "tiles" in done.stderr
