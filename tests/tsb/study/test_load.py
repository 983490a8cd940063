"""Names in a study file that come from registries, checked where a study is read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn
from typer.testing import CliRunner

import archsim
from archsim.cli.app import app
from archsim.config.load import preset_names
from archsim.config.study import Study
from archsim.errors import ArchsimError, ConfigError, DataError, NetworkError
from tests.house.helpers import ROOT
from tests.refusals import holds, refused
from tsb.study import open_run
from tsb.study.load import checked_study, choices, load_study
from tsb.study.results import method_folder
from tsb.study.units import method_settings, method_units

MNIST = ROOT / "tests" / "data" / "mnist"

SMALL: dict[str, Any] = {
    "name": "x",
    "network": "lenet3",
    "data": "mnist",
    "backbones": {"noise": {}},
    "methods": [{"name": "plain"}],
}


def written(path: Path, *methods: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump({**SMALL, "methods": list(methods)}))
    return str(path)


@pytest.mark.parametrize("name", preset_names("study"))
def test_shipped_studies_pass(name: str) -> None:
    assert load_study(name).name == name


UNKNOWN: dict[str, Any] = {"code": "unknown-name", "field": "study.methods.1.write"}
FRACTION: dict[str, Any] = {"code": "conflict", "field": "study.methods.1", "allowed": ["u-swim"]}


@pytest.mark.parametrize(
    ("method", "facts"),
    [
        (
            {"write": "swimm"},
            {**UNKNOWN, "value": "swimm", "allowed": ["none", "all"], "nearest": "swim"},
        ),
        ({"write": "tsb"}, {**UNKNOWN, "value": "tsb", "allowed": ["last-layers"]}),
        ({"write": "swim"}, {**FRACTION, "value": ("swim", None)}),
        ({"fraction": 0.1}, {**FRACTION, "value": ("none", 0.1)}),
        ({"write": "all", "fraction": 0.1}, {**FRACTION, "value": ("all", 0.1)}),
    ],
)
def test_bad_write_policies(method: dict[str, Any], facts: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / "study.yaml", {"name": "plain"}, {"name": "it", **method})
    with refused(ConfigError, **facts):
        load_study(path)


def test_every_problem_has_a_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "study.yaml", {"name": "a", "write": "swimm"}, {"name": "b", "fraction": 0.1}
    )
    with pytest.raises(ConfigError) as caught:
        load_study(path)
    first, second = caught.value.problems
    holds(first, code="unknown-name", field="study.methods.0.write", value="swimm")
    holds(second, code="conflict", field="study.methods.1", value=("none", 0.1))
    assert str(caught.value).splitlines() == [first.text, second.text]


@pytest.mark.parametrize("command", ["train", "report"])
def test_the_command_line_refuses_them(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "study.yaml", {"name": "it", "write": "swimm"})
    done = CliRunner().invoke(app, [command, path])
    assert done.exit_code == 2
    assert "study.methods.0.write = 'swimm'" in done.stderr
    assert sorted(tmp_path.iterdir()) == [tmp_path / "study.yaml"]


def test_a_study_from_python_is_checked_before_its_folder_is_made(tmp_path: Path) -> None:
    study = Study.model_validate({**SMALL, "methods": [{"name": "it", "write": "swimm"}]})
    field = "study.methods.0.write"
    with refused(ConfigError, code="unknown-name", field=field, value="swimm"):
        archsim.train(study, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert checked_study(Study.model_validate(SMALL)).methods[0].write == "none"


def test_a_run_with_another_versions_names_says_how_to_make_it_anew(tmp_path: Path) -> None:
    open_run(tmp_path, Study.model_validate(SMALL))
    path = tmp_path / "study.json"
    content = json.loads(path.read_text())
    content["methods"][0]["write"] = "from-another-version"
    path.write_text(json.dumps(content))
    says = ["study.methods.0.write", "archsim", "train", "STUDY"]
    with refused(DataError, code="wrong-file", field=path, says=says):
        open_run(tmp_path)


def test_choices_are_keys_of_the_schema() -> None:
    schema = Study.model_json_schema()
    for (model, key), names in choices().items():
        described = {Study.__name__: schema, **schema["$defs"]}[model]["properties"][key]
        assert described["type"] == "string"
        assert described.get("default", names[0]) in names


#: What is wrong with names of a study, beside those of its methods.
NAMES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"network": "lenet33"},
        {"field": "study.network", "value": "lenet33", "allowed": ["vgg8"], "nearest": "lenet3"},
    ),
    (
        {"data": "mnits"},
        {"field": "study.data", "value": "mnits", "allowed": ["cifar10"], "nearest": "mnist"},
    ),
    (
        {"backbones": {"noise": {"objective": "nosie-injection"}}},
        {
            "field": "study.backbones.noise.objective",
            "value": "nosie-injection",
            "allowed": ["neft-ovf", "lipschitz"],
            "nearest": "noise-injection",
        },
    ),
]


@pytest.mark.parametrize(("changes", "facts"), NAMES)
def test_bad_names(changes: dict[str, Any], facts: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    with refused(ConfigError, code="unknown-name", **facts):
        load_study(str(path))


def test_a_file_of_shapes_is_no_network_of_a_study() -> None:
    study = Study.model_validate({**SMALL, "network": "model.onnx"})
    facts: dict[str, Any] = {"field": "study.network", "value": "model.onnx"}
    with refused(ConfigError, code="unsupported", **facts):
        checked_study(study)


def test_a_network_of_the_users_own_is_not_imported_to_check_its_name() -> None:
    study = Study.model_validate({**SMALL, "network": "no_such_package:network"})
    assert checked_study(study) is study


class Flat(nn.Sequential):
    """A network without convolutions, for MNIST."""

    input_shape = (1, 28, 28)

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(28 * 28, 10))


UNFIT: list[tuple[dict[str, Any], type[ArchsimError], dict[str, Any]]] = [
    (
        {"network": "vgg8"},
        ConfigError,
        {"code": "shape-mismatch", "field": "study.data", "value": "mnist"},
    ),
    (
        {"network": "no_such_package:network"},
        NetworkError,
        {"code": "call-failed", "field": "network", "value": "no_such_package"},
    ),
    (
        {"network": f"{__name__}:Flat", "backbones": {"it": {"objective": "neft-irs"}}},
        ConfigError,
        {"code": "unsupported", "field": "study.backbones.it.objective", "value": "neft-irs"},
    ),
    (
        {"tuning": {"batch_size": 99999}},
        ConfigError,
        {"code": "out-of-range", "field": "study.tuning.batch_size", "value": 99999},
    ),
]


@pytest.mark.parametrize(
    ("changes", "error", "facts"),
    [
        *UNFIT,
        *((changes, ConfigError, {"code": "unknown-name", **facts}) for changes, facts in NAMES),
    ],
)
def test_nothing_is_written_for_a_study_that_is_refused(
    changes: dict[str, Any], error: type[ArchsimError], facts: dict[str, Any], tmp_path: Path
) -> None:
    """Neither a folder, nor into one that holds results of the study as it was."""
    study = Study.model_validate({**SMALL, **changes})
    with refused(error, **facts):
        archsim.train(study, out=tmp_path / "run", data_root=MNIST)
    assert not (tmp_path / "run").exists()
    before = open_run(tmp_path / "run", Study.model_validate(SMALL))
    unit = method_folder(before.folder, method_units(before.study)[0])
    unit.mkdir(parents=True)
    settings = method_settings(before.study, method_units(before.study)[0])
    (unit / "result.json").write_text(json.dumps({"settings": settings}))
    saved = (before.folder / "study.json").read_bytes()
    with refused(error, **facts):
        archsim.train(study, out=before.folder, data_root=MNIST)
    assert (before.folder / "study.json").read_bytes() == saved


def test_whoever_reads_a_study_reads_it_checked() -> None:
    """The schema's own reader, which knows no registry, is called at one place."""
    own = re.compile(r"archsim\.config\.study import [^\n]*\bload_study\b|\bschema\.load_study\b")
    found = [
        str(path.relative_to(ROOT))
        for package in ("archsim", "mapping", "tsb", "reports")
        for path in (ROOT / package).rglob("*.py")
        if own.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["tsb/study/load.py"]
