"""Matrices of a network as cells hold them: what is taken out of it, and what comes back in."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NetworkError
from archsim.network import load_network
from tests.refusals import refused
from tsb.cells.stored import (
    StoredNetwork,
    check_known,
    layer_names,
    mapped_weights,
    stored_network,
    stored_tensors,
    trained_weights,
)


class Taking(nn.Module):
    """A product that takes a parameter ``w``."""

    def __init__(
        self,
        run: Callable[[Tensor, Tensor], Tensor],
        shape: tuple[int, ...],
        takes: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(shape))
        self.run = run
        self.input_shape = takes

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, self.w)


def grouped(w: Tensor) -> Tensor:
    """Two groups of a transposed convolution: their kernels side by side, inputs last."""
    return torch.cat([part.flatten(1).T for part in w.chunk(2)])


def stacked(w: Tensor) -> Tensor:
    """A stack of matrices that multiply from the right, one below the other."""
    return torch.cat([part.T for part in w])


#: name -> product, shape of the parameter, of the input, and its matrices with outputs first.
PRODUCTS = {
    "linear": (functional.linear, (3, 5), (4, 5), lambda w: [w]),
    "right": (lambda x, w: x @ w, (5, 3), (4, 5), lambda w: [w.T]),
    "left": (lambda x, w: w @ x, (3, 4), (4, 5), lambda w: [w]),
    "vector": (lambda x, w: x @ w, (5,), (4, 5), lambda w: [w.view(1, 5)]),
    "stack": (lambda x, w: x @ w, (2, 5, 3), (2, 4, 5), lambda w: [stacked(w)]),
    "one input": (lambda x, w: x @ w, (2, 5, 3), (1, 4, 5), lambda w: [stacked(w)]),
    "einsum": (
        lambda x, w: torch.einsum("bhi,iho->bho", x, w),
        (5, 2, 3), (2, 5), lambda w: [stacked(w.transpose(0, 1))],
    ),
    "many axes": (
        lambda x, w: torch.einsum("bti,ihd->bthd", x, w),
        (5, 2, 3), (4, 5), lambda w: [w.flatten(1).T],
    ),
    "convolution": (functional.conv2d, (3, 2, 3, 3), (2, 6, 6), lambda w: [w]),
    "transposed": (
        lambda x, w: functional.conv_transpose2d(x, w, groups=2, stride=2),
        (4, 3, 2, 2), (4, 5, 5), lambda w: [grouped(w)],
    ),
    "parts": (
        lambda x, w: functional.linear(functional.linear(x, w[:5]), w[5:]),
        (8, 5), (4, 5), lambda w: [w[:5], w[5:]],
    ),
    "both ways": (
        lambda x, w: functional.linear(functional.linear(x, w), w.T),
        (3, 5), (4, 5), lambda w: [w, w.T],
    ),
    "computed": (
        lambda x, w: functional.linear(x, 2 * torch.tanh(w)), (3, 5), (4, 5),
        lambda w: [2 * torch.tanh(w)],
    ),
    "standardised": (
        lambda x, w: functional.conv2d(x, w - w.mean((1, 2, 3), keepdim=True)),
        (3, 2, 3, 3), (2, 6, 6), lambda w: [w - w.mean((1, 2, 3), keepdim=True)],
    ),
}  # fmt: skip


def stored(model: nn.Module, **options: object) -> nn.Module:
    return stored_network(model.eval(), load_network(model, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PRODUCTS)
def test_matrices_are_taken_out_and_put_back(name: str) -> None:
    """Outputs first; and with the matrices of another parameter it is the network of that one."""
    run, shape, takes, matrices = PRODUCTS[name]
    model, other = (Taking(run, shape, takes) for _ in range(2))
    network, images = stored(model), torch.randn(3, *takes)
    found = mapped_weights(network)
    for matrix, expected in zip(found.values(), matrices(model.w), strict=True):
        assert torch.equal(matrix, expected)
    replaced = dict(zip(found, matrices(other.w.detach()), strict=True))
    seen = torch.func.functional_call(network, replaced, (images,))
    torch.testing.assert_close(seen, other(images))
    assert torch.equal(network(images), model(images))
    whole = stored_tensors(network, replaced)
    if name in ("right", "transposed", "parts", "stack", "many axes"):
        assert torch.equal(whole["w"], other.w)


class Mixed(nn.Module):
    """Gates, projections, a weight norm, a table that is also a decoder, and a module in vain."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.gates = nn.GRU(8, 4, batch_first=True, bidirectional=True)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
        self.decoder = nn.Linear(8, 20, bias=False)
        self.decoder.weight = self.table.weight
        self.unused = nn.Linear(8, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        x = x + self.attention(x, x, x)[0]
        return self.decoder(self.normed(self.gates(x)[0]))


@pytest.fixture
def mixed() -> Mixed:
    torch.manual_seed(0)
    return Mixed()


TOKENS = torch.arange(12).view(2, 6)
WEIGHTS = {
    "stored.decoder": 160,
    "attention.in_proj_weight": 192,
    "attention.out_proj.weight": 64,
    **{
        f"gates.weight_{part}_l0{way}": size
        for way in ("", "_reverse")
        for part, size in (("ih", 96), ("hh", 48))
    },
    "stored.normed": 64,
}


def test_all_that_the_graph_stores_and_nothing_else(mixed: Mixed) -> None:
    graph = load_network(mixed, input_shape=(6,), input_dtype="int64")
    network = stored_network(mixed.eval(), graph)
    found = {name: weight.numel() for name, weight in mapped_weights(network).items()}
    assert found == WEIGHTS
    assert sum(found.values()) == graph.totals.weights
    layers = {layer.name for layer in graph.layers}
    assert set((layer_names(network) or {}).values()) == layers


@pytest.mark.parametrize("name", WEIGHTS)
def test_every_matrix_acts_and_the_table_does_not(mixed: Mixed, name: str) -> None:
    network = stored(mixed, input_shape=(6,), input_dtype="int64")
    before = network(TOKENS)
    changed = {name: 2 * mapped_weights(network)[name].detach()}
    seen = torch.func.functional_call(network, changed, (TOKENS,))
    assert not torch.allclose(seen, before)
    if name == "stored.decoder":  # twice the decoder, and the same table
        torch.testing.assert_close(seen, 2 * before)


def test_a_copy_and_a_saved_state_are_the_network(mixed: Mixed) -> None:
    network = stored(mixed, input_shape=(6,), input_dtype="int64")
    other = copy.deepcopy(network)
    with torch.no_grad():
        for weight in mapped_weights(other).values():
            weight.mul_(1.5)
    again = stored(Mixed(), input_shape=(6,), input_dtype="int64")
    again.load_state_dict(other.state_dict())
    assert torch.equal(again(TOKENS), other(TOKENS))
    assert torch.equal(network(TOKENS), mixed(TOKENS))
    assert not torch.allclose(network(TOKENS), other(TOKENS))


def test_gradients_reach_what_matrices_are_computed_from(mixed: Mixed) -> None:
    network = stored(mixed, input_shape=(6,), input_dtype="int64")
    weights = trained_weights(network)
    moved = {name: weight + 0 for name, weight in weights.items()}
    torch.func.functional_call(network, moved, (TOKENS,)).square().sum().backward()
    lacks = {name for name, p in mixed.named_parameters() if p.grad is None}
    assert lacks == {"unused.weight", "unused.bias"}


def test_a_network_of_whole_tensors_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    model.unused = nn.Linear(5, 5)
    model.forward = lambda x: model[2](model[1](model[0](x)))  # type: ignore[method-assign]
    network = stored(model, input_shape=(1, 4, 4))
    assert network is model
    assert list(mapped_weights(model)) == ["0.weight", "2.weight"]
    assert list(mapped_weights(copy.deepcopy(model))) == ["0.weight", "2.weight"]


class Hidden(nn.Module):
    """A product inside a function that is one operation for PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        nn.utils.parametrizations.weight_norm(self.attention, "in_proj_weight")

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(x, x, x)[0]
        return out


def test_a_product_that_is_not_found_is_refused_by_its_layer() -> None:
    network = stored(Hidden(), input_shape=(4, 8))
    assert isinstance(network, StoredNetwork)
    assert sum(w.numel() for w in mapped_weights(network).values()) == 256
    layer = (layer_names(network) or {})["stored.attention/in_proj"]
    with refused(NetworkError, code="unsupported", field=layer):
        network(torch.randn(2, 4, 8))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int8])
def test_weights_that_are_no_real_numbers_are_refused_by_name(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    graph = load_network(model, input_shape=(3,))
    model[1].weight = nn.Parameter(model[1].weight.detach().to(dtype), requires_grad=False)
    with refused(NetworkError, code="unsupported", field="1", value=str(dtype)):
        stored_network(model, graph)


def test_the_graph_of_another_network_is_refused() -> None:
    graph = load_network(nn.Sequential(nn.Linear(3, 3)), input_shape=(3,))
    with refused(NetworkError, code="unsupported", field="0", value="0.weight"):
        stored_network(nn.ModuleDict({"other": nn.Linear(3, 3)}), graph)


def test_without_a_graph_only_convolutions_and_linear_layers_are_sure() -> None:
    sure = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.LayerNorm(4))
    check_known(sure, "sure", "no shape")
    for odd in (nn.LSTM(4, 4), nn.ConvTranspose2d(3, 3, 2), nn.MultiheadAttention(4, 2)):
        model = nn.Sequential(sure, odd)
        name = next(n for n, p in model.named_parameters() if n.startswith("1.") and p.dim() > 1)
        shape = tuple(model.get_parameter(name).shape)
        with refused(NetworkError, code="unsupported", field=name, value=shape):
            check_known(model, "odd", "no shape")
