"""Unit: matrices that a computed index picks, the experts of a mixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from archsim.api.map import map_network
from archsim.network import from_graph, trace
from archsim.network.operation import OpKind
from reports.tables.assumptions import assumptions
from tests.network.onnx_models import model, read

TOKENS, WIDTH, HIDDEN, EXPERTS, TOP = 6, 8, 16, 4, 2


class Mixture(nn.Module):
    """A router, and a way to apply the matrices that it picks."""

    def __init__(self, apply: Callable[[Any, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.up = nn.Parameter(torch.zeros(EXPERTS, HIDDEN, WIDTH))
        self.apply_them = apply

    def forward(self, x: Tensor) -> Tensor:
        share, index = self.router(x[0]).softmax(-1).topk(TOP, -1)
        return (self.apply_them(self, x[0], index) * share.unsqueeze(-1)).sum(1)


def by_einsum(m: Any, x: Tensor, index: Tensor) -> Tensor:
    return torch.einsum("td,tkhd->tkh", x, m.up[index])


def by_bmm(m: Any, x: Tensor, index: Tensor) -> Tensor:
    picked = m.up.index_select(0, index.reshape(-1))
    repeated = x.repeat_interleave(TOP, 0).unsqueeze(-1)
    return torch.bmm(picked, repeated).view(TOKENS, TOP, HIDDEN)


def by_matmul(m: Any, x: Tensor, index: Tensor) -> Tensor:
    return (x[:, None, None] @ m.up[index].transpose(-1, -2)).squeeze(-2)


WAYS = [by_einsum, by_bmm, by_matmul]


@pytest.mark.parametrize("apply", WAYS)
@pytest.mark.parametrize("tokens", [TOKENS])
def test_experts_are_a_layer_of_all_that_is_stored(
    apply: Callable[[Any, Tensor, Tensor], Tensor], tokens: int
) -> None:
    graph = trace(Mixture(apply), (tokens, WIDTH))
    router, up = graph.layers
    assert up.name == "up"
    assert up.weights == EXPERTS * HIDDEN * WIDTH
    assert up.macs == tokens * TOP * HIDDEN * WIDTH
    assert (up.groups, up.weight_rows, up.picks) == (EXPERTS, WIDTH, tokens * TOP)
    (experts,) = graph.experts
    assert (experts.stored, experts.active, experts.picks) == (EXPERTS, TOP, tokens * TOP)
    assert graph.coverage.digital == 0
    assert router.macs == tokens * WIDTH * EXPERTS


def test_the_vectors_are_spread_evenly() -> None:
    """7 tokens through 2 of 4: 3.5 vectors for each matrix, and the energy is linear in them."""
    tables = {n: from_graph(trace(Mixture(by_einsum), (n, WIDTH))) for n in (6, 7, 8)}
    assert [float(tables[n].mvms[1]) for n in (6, 7, 8)] == [3, 3.5, 4]
    assert float(tables[7].macs[1]) == 7 * TOP * HIDDEN * WIDTH
    energies = [
        map_network(trace(Mixture(by_einsum), (n, WIDTH))).layer_rows()[1]["energy_uJ"]
        for n in (6, 7, 8)
    ]
    assert energies[0] < energies[1] < energies[2]


def test_the_output_tells_active_and_stored_apart() -> None:
    result = map_network(trace(Mixture(by_einsum), (TOKENS, WIDTH)))
    (entry,) = result.to_dict()["experts"]
    assert entry == {
        "name": "up",
        "stored": EXPERTS,
        "active": TOP,
        "active_reason": None,
        "picks": TOKENS * TOP,
        "weights_stored": EXPERTS * HIDDEN * WIDTH,
        "weights_active": TOP * HIDDEN * WIDTH,
    }
    assert any("2 of 4" in line and "512" in line for line in assumptions(result))


def test_the_sign_of_what_goes_through_experts_is_that_of_the_vectors() -> None:
    """Behind a ReLU no sign is needed, whatever signs the stored matrices have."""

    class Behind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(WIDTH, WIDTH)
            self.rest = Mixture(by_bmm)

        def forward(self, x: Tensor) -> Tensor:
            return self.rest(self.first(x).relu())

    assert from_graph(trace(Behind(), (TOKENS, WIDTH))).is_signed.tolist() == [1, 0, 0]


def test_without_a_top_k_it_is_not_known_how_many_work() -> None:
    class Chosen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = nn.Linear(WIDTH, EXPERTS)
            self.up = nn.Parameter(torch.zeros(EXPERTS, HIDDEN, WIDTH))

        def forward(self, x: Tensor) -> Tensor:
            index = self.router(x).mean(1).argmax(-1)
            return torch.bmm(x, self.up[index].mT)

    (experts,) = trace(Chosen(), (TOKENS, WIDTH)).experts
    assert (experts.stored, experts.active, experts.picks) == (EXPERTS, None, TOKENS)
    entry = experts.to_dict()
    assert entry["weights_active"] is None
    assert entry["active_reason"]


def test_vectors_that_are_picked_are_looked_up_in_a_table() -> None:
    class Looked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(WIDTH, 5)
            self.table = nn.Parameter(torch.zeros(5, HIDDEN))

        def forward(self, x: Tensor) -> Tensor:
            return self.table[self.first(x).argmax(-1)]

    graph = trace(Looked(), (TOKENS, WIDTH))
    op = next(op for op in graph.ops if op.weight == "table")
    assert (op.kind, op.stored) == (OpKind.EMBEDDING, 5 * HIDDEN)
    assert sum(work.lookups for work in graph.digital) == TOKENS * HIDDEN


@pytest.mark.parametrize(
    ("name", "sizes", "experts"),
    [
        ("MixtralConfig", {"intermediate_size": 64, "num_local_experts": 4}, 3 * 32 * 64),
        ("Qwen3MoeConfig", {"moe_intermediate_size": 16, "num_experts": 4}, 3 * 32 * 16),
        (
            "OlmoeConfig",
            {"intermediate_size": 64, "num_experts": 4, "eos_token_id": 2},
            3 * 32 * 64,
        ),
        ("GptOssConfig", {"intermediate_size": 64, "num_local_experts": 4}, 3 * 32 * 64),
    ],
)
def test_mixtures_of_transformers(name: str, sizes: dict[str, int], experts: int) -> None:
    import transformers as hf

    config = getattr(hf, name)(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_experts_per_tok=2,
        **sizes,
    )
    network = hf.AutoModelForCausalLM.from_config(config)
    graph = trace(network, (12,), input_dtype="int64")
    others = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 4 * 32) + 100 * 32
    assert graph.totals.weights == others + 2 * 4 * experts
    assert graph.totals.macs == 12 * (others + 2 * 2 * experts)
    assert {(e.stored, e.active) for e in graph.experts} == {(4, 2)}
    assert network.get_experts_implementation() != {"": "batched_mm"}


def test_experts_of_an_onnx_file(tmp_path: Path) -> None:
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "r"], ["logits"]),
        node("TopK", ["logits", "k"], ["share", "index"], axis=-1),
        node("Gather", ["experts", "index"], ["picked"], axis=0),
        node("Unsqueeze", ["x", "axes"], ["rows"]),
        node("MatMul", ["rows", "picked"], ["y"]),
    ]
    tensors = {
        "r": numpy.zeros((WIDTH, EXPERTS), dtype=numpy.float32),
        "experts": numpy.zeros((EXPERTS, WIDTH, HIDDEN), dtype=numpy.float32),
        "k": numpy.array([TOP]),
        "axes": numpy.array([1, 2]),
    }
    proto = model(nodes, {"x": (1, WIDTH)}, tensors)
    assert proto.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    graph = read(tmp_path, proto)
    assert [layer.macs for layer in graph.layers] == [WIDTH * EXPERTS, TOP * WIDTH * HIDDEN]
    assert graph.totals.weights == WIDTH * EXPERTS + EXPERTS * WIDTH * HIDDEN
    (experts,) = graph.experts
    assert (experts.stored, experts.active, experts.picks) == (EXPERTS, TOP, TOP)
