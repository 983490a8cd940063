"""Paper: the built-in networks have the sizes that were published; unit: the registry."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn

from archsim.api.trained import usual_data
from archsim.errors import ConfigError, NetworkError
from archsim.network import load_network, zoo
from tests.refusals import refused
from tsb.data.sources import source

ALL = zoo.names()


def hooked_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of a run on the meta device, counted by forward hooks."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += output[0].numel() * module.weight[0].numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    model.eval()(torch.zeros(1, *shape, device="meta"))
    return total


@pytest.mark.parametrize("name", ALL)
def test_counts_equal_the_module_s_own(name: str) -> None:
    model = zoo.build(name, device="meta")
    graph = load_network(name)
    matrix = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert graph.totals.weights == sum(m.weight.numel() for m in matrix)
    assert graph.totals.biases == sum(m.bias.numel() for m in matrix if m.bias is not None)
    assert graph.totals.parameters == sum(p.numel() for p in model.parameters())
    assert graph.totals.macs == hooked_macs(model, model.input_shape)
    assert graph.unmapped == ()


@pytest.mark.parametrize("name", ALL)
def test_entry_describes_the_model(name: str) -> None:
    entry = zoo.entry(name)
    model = entry.build(device="meta")
    assert entry.input_shape == model.input_shape
    assert entry.description
    assert "\n" not in entry.description
    assert "doi:" in entry.citation or "arXiv:" in entry.citation
    out = model.eval()(torch.zeros(1, *model.input_shape, device="meta"))
    assert out.shape == (1, model.num_classes)


@pytest.mark.parametrize("name", ALL)
def test_usual_data_fit_the_network(name: str) -> None:
    entry = zoo.entry(name)
    if entry.data is None:
        with refused(ConfigError, code="missing-key", field="data", value=name):
            usual_data(name)
        return
    assert usual_data(name) == entry.data
    images, model = source(entry.data), entry.build(device="meta")
    assert (images.shape, images.num_classes) == (model.input_shape, model.num_classes)


def test_a_network_of_the_users_own_has_no_usual_data() -> None:
    """Whatever its name begins with."""
    with refused(ConfigError, code="missing-key", field="data", value="vgg8_of_mine:network"):
        usual_data("vgg8_of_mine:network")


@pytest.mark.paper
def test_resnet18_is_the_published_size() -> None:
    # torchvision model card, resnet18 IMAGENET1K_V1: 11689512 parameters, 1.81 G multiply-adds.
    totals = load_network("resnet18").totals
    assert totals.parameters == 11_689_512
    assert totals.macs == pytest.approx(1.814e9, rel=1e-3)


@pytest.mark.paper
def test_resnet50_is_the_published_size() -> None:
    # torchvision model card, resnet50 IMAGENET1K_V1: 25557032 parameters, 4.09 G multiply-adds.
    totals = load_network("resnet50").totals
    assert totals.parameters == 25_557_032
    assert totals.macs == pytest.approx(4.09e9, rel=1e-3)


@pytest.mark.paper
def test_resnet20_is_the_published_size() -> None:
    # He et al. 2016, table 6: 0.27 M parameters, with option A shortcuts. By hand from table 6's
    # layers: 40,551,040 MACs; the 1x1 shortcuts add 32*16*256 + 64*32*64 = 262,144.
    option_a = load_network("resnet20", downsample="none").totals
    option_b = load_network("resnet20").totals
    assert option_a.parameters == pytest.approx(0.27e6, rel=0.01)
    assert option_a.macs == 40_551_040
    assert option_b.macs == 40_551_040 + 262_144
    assert option_b.weights - option_a.weights == 16 * 32 + 32 * 64


@pytest.mark.paper
def test_lenet3_and_vgg8_have_the_weights_of_the_reference_runs() -> None:
    # Sums of the column "weights" in tests/data/networks/{lenet3,vgg8}.csv.
    for batch_norm in (False, True):
        assert load_network("lenet3", batch_norm=batch_norm).totals.weights == 45 + 450 + 4900
    assert load_network("vgg8").totals.weights == 12_973_440


def test_downsample_can_be_switched() -> None:
    with_convolutions = load_network("resnet18-cifar")
    without = load_network("resnet18-cifar-nodown")
    assert [str(layer.kind) for layer in with_convolutions.layers].count("conv") == 20
    assert [str(layer.kind) for layer in without.layers].count("conv") == 17
    assert len(with_convolutions.layers) == 21
    assert len(without.layers) == 18
    same = load_network("resnet18-cifar", downsample="none", name="resnet18-cifar-nodown")
    assert same.dump() == without.dump()


def test_models_train() -> None:
    torch.manual_seed(0)
    for name, options in (
        ("lenet3-bn", {}),
        ("vgg8", {"input_size": 8, "widths": (4, 4, 4), "hidden": 8}),
        ("resnet20", {"input_size": 8}),
        ("resnet18-cifar-nodown", {"input_size": 8}),
    ):
        model = zoo.build(name, **options)
        model.train()(torch.randn(2, *model.input_shape)).square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(g is not None and torch.isfinite(g).all() for g in gradients), name


def test_option_a_shortcut_subsamples_and_pads_with_zeros() -> None:
    from archsim.network.zoo.resnet import shortcut

    x = torch.randn(2, 3, 5, 5)
    out = shortcut(3, 8, 2, "none")(x)
    assert torch.equal(out[:, :3], x[:, :, ::2, ::2])
    assert out.shape == (2, 8, 3, 3)
    assert out[:, 3:].count_nonzero() == 0


def test_rectangular_input() -> None:
    graph = load_network("vgg8", input_size=(16, 32))
    assert graph.input_shape == (3, 16, 32)
    assert graph.layers[6].in_channels == 512 * 2 * 4


def test_meta_device_holds_no_memory() -> None:
    model = zoo.build("resnet50", device="meta")
    assert math.prod(model.input_shape) == 3 * 224 * 224
    assert all(parameter.is_meta for parameter in model.parameters())


def test_unknown_name_lists_close_ones() -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "network", "value": "resnet-18"}
    with refused(NetworkError, **facts, allowed="vgg8", nearest="resnet18", says=["vgg8,"]):
        zoo.build("resnet-18")


def test_unknown_option_and_bad_values_are_refused() -> None:
    facts: dict[str, Any] = {"code": "unknown-key", "field": "options", "value": "num_class"}
    with refused(NetworkError, **facts, nearest="num_classes"):
        zoo.build("vgg8", num_class=3)
    facts = {"code": "unknown-name", "field": "downsample", "value": "pool"}
    with refused(NetworkError, **facts, allowed=["conv", "none"]):
        zoo.build("resnet18", downsample="pool")
    with refused(
        NetworkError, code="out-of-range", field="input_size", value=4, allowed="8 pixels"
    ):
        zoo.build("vgg8", input_size=4)
    says = ["'resnet18'", "'num_classes':", "-1"]
    with refused(NetworkError, code="call-failed", field="options", value=ANY, says=says):
        zoo.build("resnet18", num_classes=-1)
    from archsim.network.zoo.resnet import ResNet

    with refused(NetworkError, code="shape-mismatch", field="depths", value=ANY):
        ResNet(depths=(2, 2), widths=(4,))
