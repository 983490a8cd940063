"""Oracle: what exporters take apart is put together again, as PyTorch's own trace has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from onnx import helper
from torch import nn
from torch.nn import functional

from archsim.network import from_graph, load_network, trace
from tests.network.onnx_models import exported, model, random, read

node = helper.make_node


@pytest.mark.parametrize(
    ("activation", "target"),
    [
        (nn.SiLU(), "silu"),
        (nn.Hardswish(), "hardswish"),
        (nn.GELU(), "gelu"),
        (nn.ReLU6(), "relu6"),
        (nn.Sigmoid(), "sigmoid"),
    ],
)
def test_activations_before_a_pooling(activation: nn.Module, target: str, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), activation, nn.MaxPool2d(2))
    path = exported(tmp_path / "m.onnx", net, torch.zeros(1, 3, 8, 8), dynamo=False)
    found, own = load_network(str(path)), trace(net, (3, 8, 8))
    assert [op.kind for op in found.ops] == [op.kind for op in own.ops]
    assert found.ops[2].target == target
    assert (found.layers[0].activation, own.layers[0].pool) == (target, found.layers[0].pool)
    assert found.layers[0].pool is not None


def test_linear_layers_of_three_axes(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3, bias=False))
    path = exported(tmp_path / "m.onnx", net, torch.zeros(1, 5, 6), dynamo=False)
    assert load_network(str(path)).layers == trace(net, (5, 6)).layers


def kinds_of(nodes: list[object], tmp_path: Path) -> list[str]:
    tensors = {"w": random(5, 5), "k": random(5), "one": random(1)}
    proto = model(nodes, {"x": (1, 5)}, tensors)  # type: ignore[arg-type]
    return [op.target for op in read(tmp_path, proto).ops[1:]]


def test_a_gate_that_others_read_stays(tmp_path: Path) -> None:
    first = [node("MatMul", ["x", "w"], ["a"]), node("Sigmoid", ["a"], ["g"])]
    gated = [node("Mul", ["g", "a"], ["y"])]
    assert kinds_of([*first, *gated], tmp_path) == ["linear", "silu"]
    twice = [node("Mul", ["g", "a"], ["b"]), node("Add", ["b", "g"], ["y"])]
    assert kinds_of([*first, *twice], tmp_path) == ["linear", "sigmoid", "mul", "add"]
    other = [node("Mul", ["g", "x"], ["y"])]
    assert kinds_of([*first, *other], tmp_path) == ["linear", "sigmoid", "mul"]
    same = [node("Identity", ["g"], ["g1"]), node("Mul", ["g1", "a"], ["b"])]
    read_behind_a_copy = [*same, node("Add", ["b", "g1"], ["y"])]
    assert kinds_of([*first, *read_behind_a_copy], tmp_path)[1] == "sigmoid"


def test_a_sum_that_others_read_is_no_bias(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Identity", ["a"], ["a1"]),
        node("Add", ["a1", "k"], ["b"]),
    ]
    assert kinds_of([*nodes, node("Relu", ["b"], ["y"])], tmp_path) == ["linear", "relu"]
    assert kinds_of([*nodes, node("Mul", ["a1", "b"], ["y"])], tmp_path) == ["linear", "add", "mul"]


def test_an_error_function_of_another_value_is_no_gelu(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Div", ["a", "one"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["f"]),
    ]
    own = [node("Mul", ["f", "a"], ["g"]), node("Mul", ["one", "g"], ["y"])]
    assert kinds_of([*nodes, *own], tmp_path) == ["linear", "gelu"]
    other = [node("Mul", ["x", "f"], ["g"]), node("Mul", ["g", "one"], ["y"])]
    assert kinds_of([*nodes, *other], tmp_path) == ["linear", "div", "erf", "add", "mul", "mul"]


class Attention(nn.Module):
    def __init__(self, dim: int = -1, twice: bool = False) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(8, 8) for _ in range(3))
        self.dim, self.twice = dim, twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).view(1, -1, 2, 4).transpose(1, 2) for part in (self.q, self.k, self.v))
        mask = torch.ones(5, 5).tril().log()
        scores = torch.softmax(q @ k.transpose(-2, -1) / 2 + mask, -1)
        out: torch.Tensor = (scores @ v).transpose(1, 2).flatten(2)
        return out


class Scaled(Attention):
    """As exporters write it, but for one thing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).view(1, -1, 2, 4).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = torch.softmax((q * 0.7) @ (k.transpose(-2, -1) * 0.7), self.dim)
        out: torch.Tensor = (scores @ v).transpose(1, 2).flatten(2)
        return out + scores.sum() if self.twice else out


class Fused(Attention):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).view(1, -1, 2, 4).transpose(1, 2) for part in (self.q, self.k, self.v))
        mask = torch.ones(5, 5).tril().bool()
        out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return out.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("net", [Fused(), Attention()])
def test_attention_is_what_pytorch_has(net: Attention, dynamo: bool, tmp_path: Path) -> None:
    path = exported(tmp_path / "m.onnx", net, torch.zeros(1, 5, 8), dynamo=dynamo)
    found, own = load_network(str(path), name="net"), trace(net, (5, 8), name="net")
    kinds = [str(op.kind) for op in found.ops if op.macs or op.kind == "softmax"]
    assert kinds == (["attention"] if isinstance(net, Fused) else ["matmul", "softmax", "matmul"])
    assert sum(op.macs for op in found.ops) == sum(op.macs for op in own.ops) == 2 * 2 * 5 * 5 * 4
    assert from_graph(found).equals(from_graph(own))


@pytest.mark.parametrize("net", [Scaled(dim=-2), Scaled(twice=True)])
def test_what_is_no_attention_stays(net: nn.Module, tmp_path: Path) -> None:
    path = exported(tmp_path / "m.onnx", net, torch.zeros(1, 5, 8), dynamo=False)
    kinds = [str(op.kind) for op in load_network(str(path)).ops]
    assert kinds.count("matmul") == 2
    assert "attention" not in kinds
