"""Data runs no code: a name in a file is not enough, the caller says it too."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Run
from tests.refusals import command_refused

NAME = "own_code_of_a_user:network"
MODULE = """
from pathlib import Path
MARKS = Path({folder!r})
(MARKS / "imported").touch()
def network():
    (MARKS / "called").touch()
    from archsim.network.zoo import entry
    return entry("lenet3").build(device="cpu")
"""
STUDY = {
    "name": "own",
    "network": NAME,
    "data": "mnist-part",
    "sigma": [0.1],
    "chips": 2,
    "runs": 2,
    "train_images": 64,
    "validation_images": 32,
    "test_images": 32,
    "backbones": {"noise": {"epochs": 1, "batch_size": 32, "validation_instances": 1}},
    "tuning": {"steps": 1, "batch_size": 32},
    "methods": [{"name": "plain"}, {"name": "TSB", "corrections": "tsb+biases"}],
}
SWEEP = {"name": "own", "network": NAME, "axes": {"chip.adc.bits": [4, 5]}}


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder in which the module of the user leaves a mark when it is imported or called."""
    folder = tmp_path / "marks"
    folder.mkdir()
    code = tmp_path / "code"
    code.mkdir()
    (code / "own_code_of_a_user.py").write_text(MODULE.format(folder=str(folder)))
    monkeypatch.syspath_prepend(code)
    monkeypatch.delitem(sys.modules, "own_code_of_a_user", raising=False)
    from archsim.explore.space.points import load_graph
    from tsb.study.network import _graph

    load_graph.cache_clear()
    _graph.cache_clear()
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(STUDY))
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    return folder


def nothing_ran(marks: Path) -> bool:
    return list(marks.iterdir()) == [] and "own_code_of_a_user" not in sys.modules


def forget(marks: Path) -> None:
    from archsim.explore.space.points import load_graph
    from tsb.study.network import _graph

    load_graph.cache_clear()
    _graph.cache_clear()
    sys.modules.pop("own_code_of_a_user", None)
    for mark in marks.iterdir():
        mark.unlink()


@pytest.mark.parametrize(
    "command",
    [
        "train own.yaml",
        "report own.yaml --no-train",
        "report own.yaml",
        "report own-run",
        "train own.yaml --run own-run",
        "train own-run/study.json",
        "sweep sweep.yaml",
        "sweep axis.yaml",
        "report published.yaml --no-train",
    ],
)
def test_code_that_only_a_file_names_is_not_run(
    run: Run, marks: Path, tmp_path: Path, command: str
) -> None:
    from archsim.config.study import Study

    (tmp_path / "own-run").mkdir()
    (tmp_path / "own-run" / "study.json").write_text(Study.model_validate(STUDY).model_dump_json())
    cost = {"design": "none", "quantity": "area_mm2", "number": 1, "chip": "rram-22nm"}
    published = [{**cost, "network": NAME, "source": "a paper"}]
    study = {**STUDY, "network": "lenet3", "published_costs": published}
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(study))
    axes = {**SWEEP, "network": "lenet3", "axes": {"network": ["lenet3", NAME]}}
    (tmp_path / "axis.yaml").write_text(yaml.safe_dump(axes))
    command_refused(run(*command.split()), f"--network {NAME}".split()[1], code="unsafe-file")
    assert nothing_ran(marks)


def test_another_name_is_not_enough(run: Run, marks: Path) -> None:
    done = run("train", "own.yaml", "--network", "lenet3")
    command_refused(done, "--network", NAME, code="wrong-file")
    assert nothing_ran(marks)


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    "said", [["--network", NAME], ["--set", f"study.network={NAME}"]], ids=["option", "setting"]
)
def test_a_run_of_own_code_is_shown_without_it(
    run: Run, marks: Path, tmp_path: Path, said: list[str]
) -> None:
    done = run("train", "own.yaml", "--run", "r", *said)
    assert done.exit_code == 0, done.stderr
    assert (marks / "called").exists()
    forget(marks)
    before = run("evaluate", "r", "--format", "json")
    assert before.exit_code == 0, before.stderr
    report = run("report", "r", "--format", "json")
    assert report.exit_code in (0, 1), report.stderr
    assert nothing_ran(marks)
    priced = run("report", "r", "--format", "json", "--network", NAME)
    assert (marks / "called").exists()

    def numbers(text: str) -> object:
        content = json.loads(text)
        return [{k: v for k, v in row.items() if k != "command"} for row in content["designs"]]

    assert numbers(priced.stdout) == numbers(report.stdout)


DATA = "own_data_of_a_user:data"
DATA_MODULE = """
from pathlib import Path
MARKS = Path({folder!r})
(MARKS / "imported").touch()
def data():
    (MARKS / "called").touch()
    from tests.tsb.data.own_data import arrays
    return arrays()
"""


@pytest.mark.usefixtures("light")
def test_data_that_only_a_file_names_are_not_called(run: Run, marks: Path, tmp_path: Path) -> None:
    (tmp_path / "code" / "own_data_of_a_user.py").write_text(DATA_MODULE.format(folder=str(marks)))
    study = {**STUDY, "network": "lenet3", "data": DATA, "methods": [{"name": "plain"}]}
    study["backbones"] = {"noise": {"epochs": 1, "batch_size": 16, "validation_instances": 1}}
    study["tuning"] = {"steps": 1, "batch_size": 16}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(study))
    for command in ("train data.yaml", "report data.yaml", "train data.yaml --data mnist-part"):
        done = run(*command.split())
        code = "wrong-file" if "mnist-part" in command else "unsafe-file"
        command_refused(done, "--data", DATA, code=code)
        assert nothing_ran(marks)
    done = run("train", "data.yaml", "--run", "r", "--set", f"study.data={DATA}")
    assert done.exit_code == 0, done.stderr
    assert (marks / "called").exists()
    note = json.loads((tmp_path / "r" / "run.json").read_text())["data_note"]
    assert "no validation part" in note
    sys.modules.pop("own_data_of_a_user")
    forget(marks)
    assert run("evaluate", "r").exit_code == 0
    assert run("report", "r", "--format", "json").exit_code in (0, 1)
    assert nothing_ran(marks)
    assert run("train", "data.yaml", "--run", "r", "--data", DATA).exit_code == 0


def test_a_chip_runs_no_code(run: Run, marks: Path, tmp_path: Path) -> None:
    from tests.house.helpers import ROOT

    weights = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
    done = run("deploy", NAME, "--checkpoint", weights, "--chips", 1, "--chips-to", "chips")
    if done.exit_code == 2 and "No such option" in done.stderr:
        done = run("deploy", NAME, "--checkpoint", weights, "--chips", 1)
    assert done.exit_code == 0, done.stderr
    assert (marks / "called").exists()
    forget(marks)
    chip = next(tmp_path.rglob("chip-0.safetensors"))
    measure = ("evaluate", chip, "--data", "mnist-part", "--test-images", 20)
    command_refused(run(*measure), NAME, code="unsafe-file")
    tune = ("tune", chip, "--method", "biases", "--data", "mnist-part", "--steps", 1)
    command_refused(run(*tune), NAME, code="unsafe-file")
    assert nothing_ran(marks)
    assert run(*measure, "--network", NAME).exit_code == 0
    assert (marks / "called").exists()


def test_a_sweep_is_shown_without_its_code(run: Run, marks: Path, tmp_path: Path) -> None:
    done = run("sweep", "sweep.yaml", "--out", "s", "--network", NAME)
    assert done.exit_code == 0, done.stderr
    forget(marks)
    shutil.rmtree(tmp_path / "code")
    for question in (
        ["--pareto", "edp,area"], ["--effects", "edp"], ["--point", "1"], ["--compare", "0,1"],
        ["--cheapest", "edp"], ["--where", "chip.adc.bits == 4"],
    ):  # fmt: skip
        shown = run("sweep", "show", "s", *question)
        assert shown.exit_code == 0, (question, shown.stderr)
    assert nothing_ran(marks)
