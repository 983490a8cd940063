"""Unit and property: what the tracer sees in a model, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NetworkError
from archsim.network import LayerGraph, OpKind, load_network, trace
from tests.network.models import conv3, traced
from tests.refusals import refused


def kinds(graph: LayerGraph) -> dict[str, OpKind]:
    return {op.name: op.kind for op in graph.ops}


def test_vgg8_order_and_followers() -> None:
    layers = load_network("vgg8").layers
    assert [layer.name for layer in layers] == [*(f"conv{i}" for i in range(1, 7)), "fc1", "fc2"]
    assert [layer.batch_norm for layer in layers] == [*(f"bn{i}" for i in range(1, 7)), None, None]
    assert [layer.activation for layer in layers] == ["relu"] * 7 + [None]
    pooled = {layer.name: str(layer.pool) for layer in layers if layer.pool}
    assert pooled == dict.fromkeys(["conv2", "conv4", "conv6"], "max 2x2/2")
    assert layers[1].pool is not None
    assert layers[1].pool.out_size == (16, 16)


def test_resnet18_names_followers_and_shortcuts() -> None:
    graph = load_network("resnet18")
    layers = {layer.name: layer for layer in graph.layers}
    assert list(layers)[:4] == ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1"]
    assert str(layers["conv1"].pool) == "max 3x3/2"
    assert layers["layer1.0.conv1"].batch_norm == "layer1.0.bn1"
    assert layers["layer1.0.conv1"].activation == "relu"
    assert layers["layer1.0.conv2"].activation is None  # the add comes first
    assert layers["layer4.1.conv2"].pool is None  # the pooling belongs to the add
    assert layers["layer2.0.downsample.0"].batch_norm == "layer2.0.downsample.1"
    assert len(graph.residual_edges) == 8
    assert graph.residual_edges[0] == ("maxpool", "layer1.0.add")
    assert graph.residual_edges[2] == ("layer2.0.downsample.1", "layer2.0.add")
    assert graph.shortcut_layers == tuple(f"layer{i}.0.downsample.0" for i in (2, 3, 4))


def test_names_are_those_of_the_state_dict() -> None:
    from archsim.network import zoo

    state = zoo.build("resnet50", device="meta").state_dict()
    assert all(f"{layer.name}.weight" in state for layer in load_network("resnet50").layers)


def test_groups_dilation_stride_and_conv1d() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x)
        return m.m1(y).flatten(2), m.m2(x.flatten(2))

    graph = traced(
        run,
        nn.Conv2d(3, 6, (3, 2), stride=(2, 1), dilation=2, padding=(2, 1)),
        nn.Conv2d(6, 6, 3, groups=6, bias=False),
        nn.Conv1d(3, 5, 4, stride=3, padding=2),
    )
    first, depthwise, one_d = graph.layers
    assert (first.kernel_h, first.kernel_w, first.stride_h, first.stride_w) == (3, 2, 2, 1)
    assert (first.dilation_h, first.dilation_w, first.padding_h, first.padding_w) == (2, 2, 2, 1)
    assert (first.out_height, first.out_width) == (4, 8)
    assert (depthwise.groups, depthwise.weight_rows, depthwise.weight_cols) == (6, 9, 6)
    assert (one_d.in_height, one_d.in_width, one_d.kernel_h, one_d.kernel_w) == (1, 64, 1, 4)
    assert (one_d.mvms, one_d.padding_h, one_d.padding_w) == (22, 0, 2)


def test_same_padding() -> None:
    layer = traced(lambda m, x: m.m0(x), nn.Conv2d(3, 4, 5, padding="same")).layers[0]
    assert (layer.padding_h, layer.out_height) == (2, 8)
    with refused(NetworkError, code="unsupported-operator", field="m0", value="conv2d"):
        traced(lambda m, x: m.m0(x), nn.Conv2d(3, 4, 2, padding="same"))


def test_padding_may_be_valid_by_name() -> None:
    layer = traced(lambda m, x: m.m0(x), nn.Conv2d(3, 4, 3, padding="valid")).layers[0]
    assert (layer.padding_h, layer.out_height) == (0, 6)


def test_linear_on_tokens_and_on_a_channels_last_map() -> None:
    tokens = trace(nn.Linear(6, 2), (7, 6)).layers[0]
    assert (tokens.mvms, tokens.out_height, tokens.out_width) == (7, 1, 7)
    pixels = traced(lambda m, x: m.m0(x.permute(0, 2, 3, 1)), nn.Linear(3, 2)).layers[0]
    assert (pixels.mvms, pixels.out_height, pixels.out_width) == (64, 8, 8)


def test_matmul_and_addmm_with_a_parameter_are_layers() -> None:
    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.right = nn.Parameter(torch.zeros(6, 4))
            self.left = nn.Parameter(torch.zeros(5, 3))
            self.affine = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Any:
            y = self.left @ (x @ self.right)
            return torch.addmm(self.affine.bias, y[0], self.affine.weight.t())

    right, left, affine = trace(Products(), (3, 6)).layers
    assert (right.name, right.weight_rows, right.weight_cols, right.mvms) == ("right", 6, 4, 3)
    assert (left.name, left.weight_rows, left.weight_cols, left.mvms) == ("left", 3, 5, 4)
    assert (affine.name, affine.biases, affine.mvms) == ("affine", 2, 5)


def test_attention_projections_are_layers_and_products_are_digital() -> None:
    graph = trace(nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True), (5, 8))
    assert {layer.name: layer.weights for layer in graph.layers} == {
        "self_attn.in_proj": 8 * 24,
        "self_attn.out_proj": 64,
        "linear1": 128,
        "linear2": 128,
    }
    assert all(layer.mvms == 5 for layer in graph.layers)
    digital = {op.kind: op for op in graph.digital}
    assert digital[OpKind.ATTENTION].macs == 2 * 5 * 5 * (4 + 4)
    assert digital[OpKind.NORM].elements == 40
    assert graph.unmapped == ()
    assert len(graph.residual_edges) == 2


def test_products_of_two_computed_operands_are_digital() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x).flatten(2)
        return (y @ y.mT).softmax(-1), torch.einsum("bct,bdt->bcd", y, y)

    graph = traced(run, conv3())
    macs = {op.target: op.macs for op in graph.digital if op.kind is OpKind.MATMUL}
    assert macs == {"matmul": 4 * 4 * 64, "einsum": 4 * 4 * 64}
    assert kinds(graph)["softmax"] is OpKind.SOFTMAX


def test_in_place_operators_keep_the_data_flow() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x)
        functional.relu_(y)  # the result is dropped; y itself has changed
        y += m.m1(x)
        return m.m2(y)

    graph = traced(run, conv3(), conv3(), nn.Conv2d(4, 2, 1))
    assert graph.op("m2").inputs == ("add",)
    assert graph.op("add").inputs == ("relu", "m1")


def test_dead_branches_are_left_out() -> None:
    def run(m: Any, x: Tensor) -> Any:
        m.m1(x)
        return m.m0(x)

    assert [layer.name for layer in traced(run, conv3(), conv3()).layers] == ["m0"]


def test_every_way_to_pool() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return (
            functional.avg_pool2d(m.m0(x), 2),
            functional.adaptive_max_pool2d(m.m1(x), (4, 2)),
            m.m2(x).mean((2, 3)),
            functional.relu(functional.max_pool2d(m.m3(x), 3, stride=2, padding=1)),
        )

    graph = traced(run, *(conv3() for _ in range(4)))
    assert [str(layer.pool) for layer in graph.layers] == [
        "avg 2x2/2",
        "max 2x4/2x4",
        "avg 8x8/8",
        "max 3x3/2",
    ]
    assert graph.layers[3].activation == "relu"  # behind the pooling


def test_weights_behind_a_parametrization_keep_their_name() -> None:
    layer = nn.utils.parametrizations.weight_norm(conv3())
    assert traced(lambda m, x: m.m0(x), layer).layers[0].name == "m0"


def test_repeated_module_calls_get_distinct_names() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return m.m1(m.m2(m.m1(m.m0(x))))

    graph = traced(run, conv3(), nn.ReLU(), nn.Conv2d(4, 4, 1))
    assert [op.name for op in graph.ops] == ["input", "m0", "m1", "m2", "m1_2"]


def test_unknown_operators_are_listed_not_dropped() -> None:
    graph = traced(lambda m, x: torch.fft.fft2(m.m0(x)).abs(), conv3())
    (found,) = graph.unmapped
    assert (found.op, found.shape) == ("fft_fft2", (1, 4, 8, 8))


def test_folded_batch_counts_every_product() -> None:
    graph = traced(lambda m, x: m.m0(x.reshape(3, 1, 8, 8)), nn.Conv2d(1, 2, 3))
    assert graph.layers[0].mvms == 3 * 36


def test_example_of_token_indices_and_of_two_inputs() -> None:
    tokens = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 2))
    graph = trace(tokens, example_input=torch.zeros(1, 4, dtype=torch.long))
    assert graph.layers[0].mvms == 4
    assert kinds(graph)["0"] is OpKind.EMBEDDING

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Linear(4, 2)

        def forward(self, x: Tensor, y: Tensor) -> Any:
            return self.a(x) + self.b(y)

    graph = trace(Two(), example_input=(torch.zeros(1, 3), torch.zeros(1, 4)))
    assert graph.first_layers == ("a", "b")
    assert graph.residual_edges == ()


def test_training_flags_come_back() -> None:
    model = nn.Sequential(conv3(), nn.BatchNorm2d(4), nn.ReLU())
    model.train()
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trace(model, (3, 8, 8))
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    with pytest.raises(NetworkError):
        trace(model, (4, 8, 8))
    assert [module.training for module in model.modules()] == [True, True, False, True]


@st.composite
def small_cnns(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, int, int]]:
    """A random stack of convolutions, norms, activations and poolings with a linear head."""
    groups = draw(st.sampled_from([1, 2]))
    channels = groups * draw(st.integers(1, 3))
    shape = (channels, draw(st.integers(9, 14)), draw(st.integers(9, 14)))
    parts: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        out = groups * draw(st.integers(1, 4))
        kernel = draw(st.integers(1, 3))
        parts.append(
            nn.Conv2d(
                channels,
                out,
                kernel,
                stride=draw(st.integers(1, 2)),
                padding=draw(st.integers(kernel - 1, kernel)),
                dilation=draw(st.integers(1, 2)) if kernel == 1 else 1,
                groups=groups,
                bias=draw(st.booleans()),
            )
        )
        if draw(st.booleans()):
            parts.append(nn.BatchNorm2d(out))
        if draw(st.booleans()):
            parts.append(nn.ReLU())
        if draw(st.booleans()):
            parts.append(nn.MaxPool2d(2, draw(st.integers(1, 2)), padding=1, ceil_mode=True))
        channels = out
    parts += [nn.AdaptiveAvgPool2d((2, 1)), nn.Flatten(), nn.Linear(2 * channels, 3)]
    return nn.Sequential(*parts), shape


@settings(max_examples=20, deadline=None)
@given(small_cnns())
def test_traced_shapes_equal_a_real_run(case: tuple[nn.Sequential, tuple[int, int, int]]) -> None:
    model, shape = case
    graph = trace(model, shape)
    seen: dict[str, torch.Size] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out.shape}))
    model.eval()(torch.zeros(1, *shape))
    seen.pop("")
    assert {op.name: torch.Size(op.shape) for op in graph.ops if op.name != "input"} == seen
    for layer in graph.layers:
        module = model.get_submodule(layer.name)
        assert isinstance(module, nn.Conv2d | nn.Linear)
        assert layer.weights == module.weight.numel()
        assert layer.macs == seen[layer.name].numel() * module.weight[0].numel()
