"""Unit: timm models by name, without weights and without torchvision."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import ANY

import pytest
import torch

from archsim.errors import NetworkError
from archsim.network import load_network, timm_models
from archsim.network.load import load_module
from tests.refusals import refused

needs_timm = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None, reason="timm is not installed"
)


@needs_timm
def test_a_model_by_name_has_the_weights_of_timm_and_its_own_input() -> None:
    graph = load_network("timm:resnet18")
    assert (graph.name, graph.input_shape) == ("resnet18", (3, 224, 224))
    # timm's table of results: ResNet-18, 11.69 M parameters.
    assert graph.totals.parameters == 11_689_512
    zoo = load_network("resnet18")
    assert [layer.macs for layer in graph.layers] == [layer.macs for layer in zoo.layers]


@needs_timm
def test_another_input_shape_and_options() -> None:
    small = load_network("timm:vit_tiny_patch16_224", input_shape=(1, 64, 96), name="small")
    assert (small.name, small.input_shape) == ("small", (1, 64, 96))
    assert small.layers[0].in_channels == 1
    assert small.layers[1].mvms == 4 * 6 + 1  # patches and the class token
    assert load_network("timm:resnet18", input_shape=(1, 64, 64)).layers[0].in_channels == 1
    assert load_network("timm:resnet18", num_classes=7).layers[-1].out_channels == 7
    with refused(NetworkError, code="wrong-type", field="input_shape", value=ANY):
        load_network("timm:resnet18", input_shape={"x": (3, 64, 64)})


@needs_timm
@pytest.mark.parametrize(
    ("name", "options", "code", "facts"),
    [
        (
            "resnt18",
            {},
            "unknown-name",
            {"field": "network", "value": "resnt18", "nearest": "resnet18"},
        ),
        ("", {}, "unknown-name", {"field": "network", "value": ""}),
        (
            "resnet18",
            {"pretrained": True},
            "unknown-key",
            {"field": "options", "value": "pretrained"},
        ),
        (
            "resnet18",
            {"num_clases": 3},
            "call-failed",
            {"field": "options", "value": {"num_clases": 3}, "says": ["'num_clases'"]},
        ),
    ],
)
def test_bad_names_and_options(
    name: str, options: dict[str, object], code: str, facts: dict[str, Any]
) -> None:
    with refused(NetworkError, code=code, **facts):
        load_network(f"timm:{name}", **options)


@needs_timm
def test_models_are_built_without_memory() -> None:
    model, shape = timm_models.build_timm("timm:resnet18", {})
    assert shape == (3, 224, 224)
    assert {parameter.device for parameter in model.parameters()} == {torch.device("meta")}


@needs_timm
def test_a_module_with_weights_in_memory() -> None:
    model = load_module("timm:resnet18", {"num_classes": 7})
    state = model.state_dict()
    assert {tensor.device.type for tensor in state.values()} == {"cpu"}
    assert all(f"{layer.name}.weight" in state for layer in load_network("timm:resnet18").layers)
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 7)
    with refused(NetworkError, code="unknown-key", field="options", value="pretrained"):
        load_module("timm:resnet18", {"pretrained": True})


def test_without_timm_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    says = ["pip", "install", "'archsim[timm]'"]
    with refused(NetworkError, code="missing-package", field="timm", says=says):
        load_network("timm:resnet18")


@pytest.fixture
def broken_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A torchvision that fails half way, as one for another PyTorch does."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "part.py").write_text("")
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "import torchvision.part\nraise RuntimeError('operator torchvision::nms does not exist')"
    )
    (tmp_path / "archsim_test_needs_vision.py").write_text(
        "from torchvision.ops.misc import FrozenBatchNorm2d\n"
        "from torchvision.transforms import functional as F\n"
        "MODE = F.InterpolationMode.NEAREST\n"
        "class Own(FrozenBatchNorm2d):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _of_torchvision(name)}
    yield
    sys.modules.pop("archsim_test_needs_vision", None)
    sys.modules.update(kept)


def _of_torchvision(name: str) -> bool:
    return name.partition(".")[0] == "torchvision"


@pytest.mark.usefixtures("broken_torchvision")
def test_placeholders_stand_in_for_a_broken_torchvision_and_go_away() -> None:
    before = list(sys.meta_path)
    with timm_models._torchvision():
        module: ModuleType = importlib.import_module("archsim_test_needs_vision")
        assert not isinstance(torch.nn.Identity(), module.FrozenBatchNorm2d)
        assert module.MODE.__name__.endswith("InterpolationMode.NEAREST")
        for use in (module.FrozenBatchNorm2d, module.Own):
            with refused(NetworkError, code="missing-package", field="torchvision", value=ANY):
                use(3)
    assert sys.meta_path == before
    assert not [name for name in sys.modules if _of_torchvision(name)]
    with pytest.raises(RuntimeError, match="nms"):
        importlib.import_module("torchvision")


def test_timm_is_not_imported_for_other_networks() -> None:
    load = "import sys, archsim.network as network; network.load_network('lenet3')"
    code = f"{load}; sys.exit('timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
