"""Unit: models in other wrappings, encoders with decoders, packed sequences, writes into parts."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archsim.errors import NetworkError
from archsim.network import load_network, trace
from tests.network.models import Model, conv3, traced
from tests.refusals import refused
from tsb.cells.programmable import programmable
from tsb.cells.stored import mapped_weights


def pair() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())


def program() -> Any:
    return torch.export.export(pair(), (torch.zeros(1, 3, 16, 16),))


def test_the_module_of_an_exported_program() -> None:
    graph = trace(program().module(), (3, 16, 16))
    assert (graph.totals.macs, graph.totals.weights, graph.parameters) == (42336, 216, 224)


def test_an_exported_program_knows_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "made", program, raising=False)
    graph = load_network(f"{__name__}:made")
    assert (graph.input_shape, graph.totals.macs) == ((3, 16, 16), 42336)


def test_a_program_inside_a_module() -> None:
    model = Model(lambda m, x: m.m1(m.m0(x)), program().module(), nn.Linear(14, 3))
    model.training = True
    assert trace(model, (3, 16, 16)).totals.macs == 42336 + 8 * 14 * 14 * 3
    assert model.training


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_wrappers_are_taken_off(wrap: Callable[[nn.Module], nn.Module]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.jit, which torch.compile imports
        wrapped = wrap(pair())
    graph = trace(wrapped, (3, 16, 16))
    assert [layer.name for layer in graph.layers] == ["0"]


def test_torchscript_is_refused_by_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is deprecated
        inner = torch.jit.script(nn.Linear(8, 4))
    facts: dict[str, Any] = {"code": "unsupported", "value": "torch.jit.ScriptModule"}
    with refused(NetworkError, **facts, field="1"):
        trace(nn.Sequential(nn.Linear(8, 8), inner), (8,))


SIZES = {"vocab_size": 100, "d_model": 32}


def test_encoders_with_decoders_are_traced_without_their_cache() -> None:
    import transformers as hf

    config = hf.T5Config(**SIZES, d_ff=64, num_layers=1, num_heads=4, d_kv=8)
    model = hf.AutoModel.from_config(config)
    shapes = {"input_ids": (8,), "decoder_input_ids": (6,)}
    graph = trace(model, shapes, input_dtype="int64")
    attention, forward = 4 * 32 * 32, 2 * 32 * 64
    assert graph.totals.macs == 8 * (attention + forward) + 6 * (2 * attention + forward) + (
        (8 - 6) * 2 * 32 * 32  # keys and values of the encoder's tokens
    )
    assert graph.coverage.digital == 2 * 32 * (8 * 8 + 6 * 6 + 6 * 8)
    assert config.use_cache
    assert all(part.config.use_cache for part in (model, model.decoder))


def test_packed_sequences_are_named() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.r = nn.LSTM(8, 16, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            lengths = torch.tensor([x.size(1)] * x.size(0))
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            return self.r(packed)[1][0][-1]

    facts: dict[str, Any] = {"code": "unsupported-operator", "value": "pack_padded_sequence"}
    with refused(NetworkError, **facts, field="reader"):
        trace(Outer(Packed()), (10, 8))


class Ensemble(nn.Module):
    """Three networks of one form, all of them on the same vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.first = nn.Parameter(torch.randn(3, 8, 16))
        self.second = nn.Parameter(torch.randn(3, 16, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)

        def one(first: Tensor, second: Tensor) -> Tensor:
            return torch.relu(x @ first) @ second

        found: Tensor = torch.vmap(one)(self.first, self.second)
        return found.mean(0)


def test_functions_of_many_at_once_are_all_counted() -> None:
    """A transform of functions hides an axis; what is stored and computed along it counts."""
    graph = trace(Ensemble(), (5, 6))
    sizes = {layer.name: (layer.weights, layer.macs) for layer in graph.layers}
    stored = {"embed": 6 * 8, "first": 3 * 8 * 16, "second": 3 * 16 * 4}
    assert sizes == {name: (weights, 5 * weights) for name, weights in stored.items()}
    assert graph.unmapped == ()
    held = mapped_weights(programmable(Ensemble(), network="ensemble", input_shape=(5, 6)).model)
    assert sum(weight.numel() for weight in held.values()) == sum(stored.values())


class Outer(nn.Module):
    def __init__(self, reader: nn.Module) -> None:
        super().__init__()
        self.reader = reader

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(x)


# Writes into a part of a tensor


def test_what_is_written_into_a_part_is_read_with_the_whole() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x)
        y[:, :2] = m.m1(x)
        return m.m2(y)

    graph = traced(run, conv3(), conv3(2), nn.Conv2d(4, 5, 1))
    assert [layer.name for layer in graph.layers] == ["m0", "m1", "m2"]
    assert graph.op(graph.op("m2").inputs[0]).shape == (1, 4, 8, 8)


def test_a_view_of_what_was_written_to_shows_it() -> None:
    """The second half is looked at before the write, and read behind it."""

    def run(m: Any, x: Tensor) -> Any:
        y = torch.zeros(1, 8, 8, 8)
        late = y.view(1, 2, 4, 8, 8)[:, 1]
        y[:, 4:] = m.m0(x)
        return m.m1(late)

    graph = traced(run, conv3(), nn.Conv2d(4, 5, 1))
    assert [layer.name for layer in graph.layers] == ["m0", "m1"]


def test_a_new_tensor_holds_nothing_of_what_it_is_shaped_like() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return m.m1(m.m0(x) + torch.zeros_like(x[:, :1]))

    graph = traced(run, conv3(), nn.Conv2d(4, 5, 1))
    assert graph.unmapped == ()
    assert graph.op("add").inputs == ("m0",)


def test_an_unknown_operator_is_named_with_its_place() -> None:
    @torch.library.custom_op("archsim_tests::mystery", mutates_args=())
    def mystery(x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight

    @mystery.register_fake
    def _(x: Tensor, weight: Tensor) -> Tensor:
        return x.new_empty(*x.shape[:-1], weight.shape[-1])

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(8, 4))

        def forward(self, x: Tensor) -> Tensor:
            return mystery(x, self.weight)

    facts: dict[str, Any] = {"code": "unsupported-operator", "value": "mystery"}
    with refused(NetworkError, **facts, field="odd", allowed="linear", says=["'odd.mystery'"]):
        trace(Named(Odd()), (8,))


class Named(nn.Module):
    def __init__(self, odd: nn.Module) -> None:
        super().__init__()
        self.odd = odd

    def forward(self, x: Tensor) -> Tensor:
        return self.odd(x)
