"""Oracle: torchinfo, which runs a model with hooks, sees the layers that the tracer sees."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
from torch import nn

from archsim.network import LayerGraph, load_network, timm_models, trace, zoo

torchinfo = pytest.importorskip("torchinfo")


def compare(model: nn.Module, graph: LayerGraph) -> int:
    """Compare every convolution and linear layer; return how many there are."""
    names = {id(module): name for name, module in model.named_modules()}
    example = torch.zeros(1, *graph.input_shape, device="meta")
    summary = torchinfo.summary(model, input_data=example, device="meta", verbose=0, depth=30)
    layers = {layer.name: layer for layer in graph.layers}
    seen: list[str] = []
    for info in summary.summary_list:
        module = info.module
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        layer = layers[names[id(module)]]
        seen.append(layer.name)
        assert math.prod(info.output_size) == layer.mvms * layer.out_channels
        assert info.output_size[1 if isinstance(module, nn.Conv2d) else -1] == layer.out_channels
        assert info.num_params == layer.weights + layer.biases
        if isinstance(module, nn.Conv2d):
            assert info.output_size[2:] == [layer.out_height, layer.out_width]
            assert info.kernel_size == [layer.kernel_h, layer.kernel_w]
            with_bias = layer.macs + layer.biases * layer.mvms
            assert info.macs == with_bias
    assert seen == list(layers)  # all of them, in order of execution
    assert summary.total_params == graph.totals.parameters
    return len(seen)


@pytest.mark.parametrize("name", ["vgg8", "resnet20"])
def test_built_in_networks(name: str) -> None:
    model = zoo.build(name, device="meta").eval()
    assert compare(model, load_network(name)) == len(load_network(name).layers)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("mobilenetv2_100", 53),
        ("efficientnet_b0", 82),
        ("convnext_tiny", 59),
        ("swin_tiny_patch4_window7_224", 53),
        ("vit_base_patch16_224", 50),
    ],
)
def test_timm_networks(name: str, layers: int) -> None:
    model, shape = timm_models.build_timm(f"timm:{name}", {})
    assert compare(model, trace(model, shape, name=name)) == layers
