"""Oracle: exports of the built-in networks are the networks themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from archsim.api.map import map_network
from archsim.network import from_graph, load_network, zoo
from tests.network.onnx_models import exported

#: PyTorch's present exporter takes seconds for each, so it has one network of each structure; the
#: older one has the others, and the small ones.
_STRUCTURES = ("lenet3", "lenet3-bn", "vgg8", "resnet18", "resnet18-cifar-nodown", "resnet50")
_SMALL = ("lenet3", "lenet3-bn", "resnet18-cifar-nodown")
_OTHERS = [name for name in zoo.names() if name not in _STRUCTURES]
_EXPORTS = [
    pytest.param(name, True, marks=[pytest.mark.slow] if name == "resnet50" else [])
    for name in _STRUCTURES
]
_EXPORTS += [pytest.param(name, False) for name in (*_SMALL, *_OTHERS)]


@pytest.mark.parametrize(("name", "dynamo"), _EXPORTS)
def test_layers_and_insertion_points_are_the_same(name: str, dynamo: bool, tmp_path: Path) -> None:
    model = zoo.build(name)
    path = exported(tmp_path / "m.onnx", model, torch.zeros(1, *model.input_shape), dynamo=dynamo)
    found, own = load_network(str(path), name=name), load_network(name)
    assert from_graph(found).equals(from_graph(own))
    assert found.input_shape == own.input_shape
    assert found.totals.macs == own.totals.macs
    assert found.insertion_points() == own.insertion_points()
    assert found.unmapped == ()


def test_batch_norms_that_stay_in_the_file(tmp_path: Path) -> None:
    model = zoo.build("resnet20", input_size=8)
    generator = torch.Generator().manual_seed(0)
    for tensor in (*model.parameters(), *model.buffers()):  # the exporter merges equal tensors
        if tensor.is_floating_point():
            tensor.data.uniform_(0.5, 1.5, generator=generator)
    path = exported(
        tmp_path / "m.onnx",
        model,
        torch.zeros(1, 3, 8, 8),
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )
    found = load_network(str(path), name="resnet20")
    own = load_network("resnet20", input_size=8)
    assert found.layers == own.layers
    assert found.totals == own.totals
    assert [op.kind for op in found.ops if op.kind == "batch_norm"] == ["batch_norm"] * 21


def test_plan_and_cost_are_the_same(tmp_path: Path) -> None:
    model = zoo.build("resnet20")
    path = exported(tmp_path / "resnet20.onnx", model, torch.zeros(1, 3, 32, 32), dynamo=False)
    for design in ("none", "common", "separate"):
        found = map_network(str(path), design=design).to_dict()
        assert found == map_network("resnet20", design=design).to_dict()
