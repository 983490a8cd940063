"""Unit: every way to name a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from torch import nn

from archsim.errors import NetworkError
from archsim.network import load_network
from archsim.network.load import load_module
from tests.refusals import refused

SOURCE = """
import torch
from torch import nn

def make(width=4):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())

def wrong():
    return 3

def fails():
    raise ValueError("no such day")

def exported():
    return torch.export.export(make(), (torch.zeros(1, 3, 8, 8),)).module()

def within():
    return nn.Sequential(exported(), nn.Flatten())

def shapes_only():
    with torch.device("meta"):
        return make()

class Leaves(nn.Conv2d):
    def forward(self, x):
        raise SystemExit(0)

def leaves():
    return Leaves(3, 4, 3)

value = 3
ready = make(5)
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "archsim_test_user_nets.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "archsim_test_broken_nets.py").write_text("import nothing_here", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "archsim_test_user_nets"


def test_zoo_name_with_options() -> None:
    graph = load_network("vgg8", num_classes=100, name="vgg8-100")
    assert (graph.name, graph.layers[-1].out_channels) == ("vgg8-100", 100)


def test_zoo_name_with_input_shape() -> None:
    graph = load_network("resnet18-cifar", input_shape=(1, 28, 28))
    assert graph.input_shape == (1, 28, 28)
    assert graph.layers[0].in_channels == 1
    facts: dict[str, Any] = {"code": "shape-mismatch", "field": "input_shape"}
    with refused(NetworkError, **facts, value=(32, 32), allowed="channels, height, width"):
        load_network("vgg8", input_shape=(32, 32))
    with refused(NetworkError, **facts, value=(3, 32, 32), allowed="(1, 32, 32)"):
        load_network("vgg8", input_shape=(3, 32, 32), in_channels=1)


def test_a_model_by_its_name_in_a_module(user_module: str) -> None:
    graph = load_network(f"{user_module}:ready", input_shape=(3, 8, 8))
    assert graph.layers[0].out_channels == 5
    with refused(NetworkError, code="conflict", field="options", value=["width"]):
        load_network(f"{user_module}:ready", input_shape=(3, 8, 8), width=3)


def test_module() -> None:
    graph = load_network(nn.Conv2d(3, 4, 3), input_shape=(3, 8, 8), name="one")
    assert (graph.name, len(graph.layers)) == ("one", 1)
    with refused(NetworkError, code="missing-key", field="input_shape"):
        load_network(nn.Conv2d(3, 4, 3))
    with refused(NetworkError, code="conflict", field="options", value=["width"]):
        load_network(nn.Conv2d(3, 4, 3), input_shape=(3, 8, 8), width=3)


def test_function(user_module: str) -> None:
    graph = load_network(f"{user_module}:make", input_shape=(3, 8, 8), width=6)
    assert (graph.name, graph.layers[0].out_channels) == ("make", 6)
    assert load_network("archsim.network.zoo.vgg8:VGG8").layers == load_network("vgg8").layers


@pytest.mark.parametrize(
    ("spec", "code", "value", "says"),
    [
        ("archsim_test_user_nets:absent", "unknown-name", "absent", []),
        ("archsim_test_user_nets:value", "unknown-name", "value", []),
        ("archsim_test_user_nets:wrong", "wrong-type", "int", ["nn.Module"]),
        ("archsim_test_user_nets:fails", "call-failed", "archsim_test_user_nets:fails", ["day"]),
        (
            "archsim_test_broken_nets:make",
            "call-failed",
            "archsim_test_broken_nets",
            ["nothing_here"],
        ),
        ("archsim_no_such_module:make", "call-failed", "archsim_no_such_module", []),
        (":make", "call-failed", "", []),
        ("archsim_test_user_nets:", "unknown-name", "", []),
    ],
)
@pytest.mark.usefixtures("user_module")
def test_bad_functions(spec: str, code: str, value: str, says: list[str]) -> None:
    with refused(NetworkError, code=code, field="network", value=value, says=[f"'{spec}'", *says]):
        load_network(spec, input_shape=(3, 8, 8))


@pytest.mark.parametrize(
    ("function", "field", "value"),
    [("exported", "network", ""), ("within", "network", ""), ("shapes_only", "0.weight", "meta")],
)
def test_models_that_are_mapped_and_hold_no_weights_to_program(
    user_module: str, function: str, field: str, value: str
) -> None:
    """Of torch.export, which has one mode; without values."""
    spec = f"{user_module}:{function}"
    assert load_network(spec, input_shape=(3, 8, 8)).totals.weights == 108
    with refused(NetworkError, code="unsupported", field=field, value=value or spec):
        load_module(spec)


def test_a_model_that_ends_the_process(user_module: str) -> None:
    spec = f"{user_module}:leaves"
    with refused(
        NetworkError, code="call-failed", field="input_shape", value=ANY, says=["SystemExit"]
    ):
        load_network(spec, input_shape=(3, 8, 8))


def test_unknown_name_lists_names() -> None:
    with refused(NetworkError, code="unknown-name", field="network", value="vgg", nearest="vgg8"):
        load_network("vgg")


def test_importing_archsim_imports_no_network() -> None:
    code = "import sys, archsim; sys.exit(any(m in sys.modules for m in ('torch', 'networkx')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    names = "('archsim.network.zoo.resnet', 'onnx')"
    code = f"import sys, archsim.network.zoo; sys.exit(any(m in sys.modules for m in {names}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
