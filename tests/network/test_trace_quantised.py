"""Unit: quantised modules of PyTorch are the layers whose integer weights they hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization
from torch.ao.nn import quantized
from torch.ao.quantization import quantize_fx

from archsim.errors import NetworkError
from archsim.network import trace
from tests.network.models import Model
from tests.refusals import refused

SHAPE = (3, 12, 12)


@pytest.fixture(autouse=True)
def _no_words_about_deprecation() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Plain(nn.Module):
    """Convolutions, a residual add, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.quant = quantization.QuantStub()
        self.first = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.add = quantized.FloatFunctional()
        self.head = nn.Linear(800, 10)
        self.dequant = quantization.DeQuantStub()

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm(self.first(self.quant(x))))
        z = self.add.add(self.second(y), y)
        return self.dequant(self.head(z.flatten(1)))


def shapes(module: nn.Module) -> dict[str, tuple[int, int]]:
    """Name of each layer: its weights and multiply-accumulates."""
    graph = trace(module, SHAPE)
    assert graph.unmapped == ()
    return {layer.name: (layer.weights, layer.macs) for layer in graph.layers}


def test_modules_quantised_while_they_run() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10))
    small = quantization.quantize_dynamic(model, {nn.Linear})
    assert shapes(small) == shapes(model)
    assert type(small[3]) is not nn.Linear
    assert trace(small, SHAPE).notes
    assert trace(small, SHAPE).parameters == trace(model, SHAPE).parameters


def test_modules_quantised_beforehand() -> None:
    model = Plain().eval()
    expected = shapes(model)
    model.qconfig = quantization.get_default_qconfig("x86")
    fused = quantization.fuse_modules(model, [["first", "norm", "relu"]])
    quantization.prepare(fused, inplace=True)
    fused(torch.zeros(1, *SHAPE))
    quantization.convert(fused, inplace=True)
    before = type(fused.first)
    assert shapes(fused) == expected
    assert type(fused.first) is before
    graph = trace(fused, SHAPE)
    assert graph.layers[0].activation == "relu"
    assert len(graph.residual_edges) == 1


def test_a_graph_quantised_by_fx() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10)).eval()
    example = (torch.zeros(1, *SHAPE),)
    mapping = quantization.get_default_qconfig_mapping("x86")
    prepared = quantize_fx.prepare_fx(model, mapping, example)
    prepared(*example)
    converted = quantize_fx.convert_fx(prepared)
    assert sorted(shapes(converted).values()) == sorted(shapes(model).values())


def test_training_with_rounded_weights() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10)).train()
    expected = shapes(model)
    model.qconfig = quantization.get_default_qat_qconfig("x86")
    quantization.prepare_qat(model, inplace=True)
    model(torch.zeros(1, *SHAPE))
    assert shapes(model) == expected


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_modules(kind: type[nn.Module]) -> None:
    def build() -> nn.Module:
        layer = kind(8, 16, num_layers=2, batch_first=True, bidirectional=True)
        return Model(lambda m, x: m.m1(m.m0(x)[0][:, -1]), layer, nn.Linear(32, 2)).eval()

    small = quantization.quantize_dynamic(build(), {kind, nn.Linear})
    ours, theirs = trace(small, (7, 8)), trace(build(), (7, 8))
    assert ours.totals == theirs.totals


def test_a_module_that_is_quantised_itself() -> None:
    small = quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 4)), {nn.Linear})
    assert trace(small[0], (8,)).totals.macs == 32


def test_a_program_quantised_by_export() -> None:
    """Integers in buffers, and operators that take them back to real numbers."""

    class Stored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.ones(4, 3, 3, 3, dtype=torch.int8))

        def forward(self, x: Tensor) -> Tensor:
            ops: Any = torch.ops.quantized_decomposed
            x = ops.quantize_per_tensor(x, 0.1, 0, -128, 127, torch.int8)
            x = ops.dequantize_per_tensor(x, 0.1, 0, -128, 127, torch.int8)
            scales, zeros = torch.ones(4), torch.zeros(4, dtype=torch.int64)
            w = ops.dequantize_per_channel(self.weight, scales, zeros, 0, -128, 127, torch.int8)
            return nn.functional.conv2d(x, w).relu()

    graph = trace(Stored(), SHAPE)
    assert [op.target for op in graph.ops] == ["input", "conv2d", "relu"]
    assert (graph.totals.weights, graph.parameters) == (108, 108)


def test_filters_that_are_not_trained_are_no_parameters() -> None:
    class Blurred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.register_buffer("blur", torch.ones(4, 1, 3, 3))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv2d(self.conv(x), self.blur, groups=4)

    graph = trace(Blurred(), SHAPE)
    assert (graph.totals.weights, graph.parameters) == (108 + 36, 108 + 4)


def test_functions_on_packed_weights_are_refused_by_name() -> None:
    class Functions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 432))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.linear(x.flatten(1), self.weight)

    example = (torch.zeros(1, *SHAPE),)
    mapping = quantization.get_default_qconfig_mapping("x86")
    prepared = quantize_fx.prepare_fx(Functions().eval(), mapping, example)
    prepared(*example)
    converted = quantize_fx.convert_fx(prepared)
    name = "quantized.linear"
    with refused(NetworkError, code="unsupported-operator", field=name, value="linear"):
        trace(converted, SHAPE)


def test_a_quantised_module_without_a_counterpart_is_refused_by_name() -> None:
    class Odd(nn.Module):
        __module__ = "torch.ao.nn.quantized.odd"

    model = nn.Sequential(nn.Linear(8, 8), Odd())
    facts: dict[str, Any] = {"code": "unsupported-operator", "field": "1"}
    with refused(NetworkError, **facts, value="torch.ao.nn.quantized.odd.Odd"):
        trace(model, (8,))
