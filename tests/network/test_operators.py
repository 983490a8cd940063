"""Unit: operators beyond the plain convolution, each against what PyTorch itself says of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.network import LayerGraph, LayerKind, OpKind, from_graph, trace
from archsim.network.frontend.assemble import assemble
from archsim.network.frontend.beforehand import beforehand
from archsim.network.frontend.export import export_calls
from archsim.network.frontend.fx_trace import fx_calls
from tests.network.models import Model, conv3, traced


def test_3d_convolution_has_the_planes_of_its_kernel_as_rows() -> None:
    conv = nn.Conv3d(3, 8, (3, 5, 2), stride=(2, 1, 1), padding=(1, 2, 0), dilation=(1, 1, 2))
    graph = trace(conv, (3, 9, 8, 8))
    (layer,) = graph.layers
    assert (layer.weight_rows, layer.weight_cols) == (3 * 3 * 5 * 2, 8)
    assert (layer.out_depth, layer.out_height, layer.out_width) == (5, 8, 6)
    assert layer.mvms == 5 * 8 * 6
    assert layer.weights == conv.weight.numel()
    assert "planes 9 to 5, kernel 3" in graph.dump()
    assert list(graph.to_frame()["kernel"]) == ["3x5x2"]
    table = from_graph(graph)
    assert float(table.weights) == conv.weight.numel()
    assert float(table.macs) == layer.macs == 5 * 8 * 6 * conv.weight.numel()


def test_3d_poolings_are_digital_work_and_flat_ones_belong_to_the_layer() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return functional.max_pool3d(m.m0(x), 2), functional.avg_pool3d(m.m1(x), (1, 2, 2))

    parts = [nn.Conv3d(3, 4, 3, padding=1) for _ in range(2)]
    graph = trace(Model(run, *parts), (3, 4, 8, 8))
    deep, flat = graph.layers
    assert deep.pool is None
    assert str(flat.pool) == "avg 2x2/2"
    assert {op.target: op.operations for op in graph.digital} == {
        "max_pool3d": 4 * 4 * 8 * 8,
        "avg_pool3d": 0,
    }


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolution_is_the_matrix_of_one_input_pixel(dims: int, groups: int) -> None:
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dims - 1]
    up = kind(4, 6, 3, stride=2, padding=1, output_padding=1, groups=groups)
    model = nn.Sequential(up, nn.ReLU())
    graph = trace(model, (4, *(5,) * dims), name="up")
    (layer,) = graph.layers
    assert layer.kind is LayerKind.TRANSPOSED
    assert (layer.weight_rows, layer.weight_cols) == (4 // groups, 6 * 3**dims)
    assert layer.weights == up.weight.numel()
    # Every weight meets every input pixel of its channel once.
    assert layer.macs == 5**dims * up.weight.numel()
    assert layer.activation == "relu"
    added = graph.op("0.overlap_add")
    assert (added.kind, added.shape) == (OpKind.REDUCE, (1, 6, *(10,) * dims))
    (work,) = [op for op in graph.digital if op.target == "overlap_add"]
    assert work.operations == layer.mvms * layer.weight_cols


def test_patches_of_a_transposed_convolution_give_its_result() -> None:
    """The mapping computes what PyTorch computes: one product per pixel, then an overlap-add."""
    up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, bias=False)
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    matrix = up.weight.detach().reshape(4, 6 * 9)  # rows x columns, as mapped
    patches = matrix.T @ x.reshape(4, 25)
    summed = functional.fold(patches.unsqueeze(0), (10, 10), 3, stride=2, padding=1)
    assert torch.allclose(summed, up(x).detach(), atol=1e-5)


def test_patches_that_do_not_overlap_are_only_moved() -> None:
    graph = trace(nn.ConvTranspose2d(4, 6, 2, stride=2), (4, 5, 5))
    assert (graph.ops[-1].target, graph.ops[-1].kind) == ("overlap_add", OpKind.RESHAPE)
    assert graph.digital == ()


def rnns() -> list[tuple[nn.Module, int, int]]:
    """Module, gates, and matrices."""
    return [
        (nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True), 4, 8),
        (nn.LSTM(8, 6, batch_first=True, proj_size=3, bias=False), 4, 3),
        (nn.GRU(8, 6, 3, batch_first=True), 3, 6),
        (nn.RNN(8, 6, batch_first=True, nonlinearity="relu"), 1, 2),
    ]


@pytest.mark.filterwarnings("ignore:The tensor attributes self.m0")  # of the RNN, by torch.export
@pytest.mark.filterwarnings("ignore:LSTM with projections")  # of its speed
@pytest.mark.parametrize(("layer", "gates", "count"), rnns())
@pytest.mark.parametrize("front", [export_calls, fx_calls])
def test_recurrent_layers_are_unrolled(
    layer: nn.Module, gates: int, count: int, front: Any
) -> None:
    model = Model(lambda m, x: m.m0(x)[0], layer).eval()
    ops = assemble(front(model, (torch.zeros(1, 5, 8),)))
    graph = LayerGraph.from_ops("rnn", (5, 8), ops)
    state = {name: p for name, p in layer.named_parameters() if name.startswith("weight")}
    assert {found.name: found.weights for found in graph.layers} == {
        f"m0.{name}": weight.numel() for name, weight in state.items()
    }
    assert len(graph.layers) == count
    assert all(found.mvms == 5 for found in graph.layers)
    assert all(
        found.out_channels == gates * 6 for found in graph.layers if "weight_hr" not in found.name
    )
    assert graph.first_layers[0] == "m0.weight_ih_l0"
    assert not any("_hh_" in name for name in graph.first_layers)
    assert graph.unmapped == ()
    assert isinstance(layer, nn.RNNBase)
    width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
    assert ops[-1].shape[-1] == width


def test_a_cell_that_is_called_step_by_step_has_two_matrices() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(4, 6)

        def forward(self, x: Tensor) -> Any:
            state = x.new_zeros(1, 6)
            for step in range(7):
                state = self.cell(x[:, step], state)
            return state

    graph = trace(Steps(), (7, 4))
    assert [(found.name, found.uses, found.mvms) for found in graph.layers] == [
        ("cell.weight_ih", 7, 7),
        ("cell.weight_hh", 7, 7),
    ]


def test_one_matrix_at_several_places_is_stored_once() -> None:
    graph = traced(lambda m, x: m.m1(m.m1(m.m1(m.m0(x)))), conv3(), nn.Conv2d(4, 4, 1))
    first, shared = graph.layers
    assert (first.uses, shared.uses) == (1, 3)
    assert (shared.mvms, shared.weights) == (3 * 64, 16)
    assert graph.totals.macs == 64 * 27 * 4 + 3 * 64 * 16
    assert [op.reuses for op in graph.ops if op.layer] == ["", "", "m1", "m1"]
    assert [float(n) for n in from_graph(graph).mvms] == [64, 192]
    assert list(graph.to_frame()["uses"]) == [1, 3]
    assert graph.dump().count("matrix of m1") == 2


def test_maps_of_other_sizes_may_share_a_matrix() -> None:
    head = nn.Conv2d(4, 4, 3, padding=1)
    graph = traced(lambda m, x: (m.m1(m.m0(x)), m.m1(m.m0(x[..., ::2, ::2]))), conv3(), head)
    assert [(layer.uses, layer.mvms) for layer in graph.layers] == [(2, 64 + 16), (2, 64 + 16)]


def test_another_view_of_the_same_weights_is_stored_again_and_said() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = functional.linear(x, m.m0.weight)
        return functional.linear(y, m.m0.weight.t()), y @ m.m0.weight

    graph = traced(run, nn.Linear(8, 8, bias=False))
    assert [(layer.name, layer.uses) for layer in graph.layers] == [
        ("m0", 1),
        ("m0_2", 1),
        ("m0_3", 1),
    ]
    assert graph.tied == (("m0_2", "m0"), ("m0_3", "m0"))


def test_parts_of_one_weight_are_matrices_of_their_own() -> None:
    def run(m: Any, x: Tensor) -> Any:
        weight = m.m0.weight
        return functional.linear(x, weight[:3]), functional.linear(x, weight[3:])

    graph = traced(run, nn.Linear(8, 8, bias=False))
    assert [(layer.weights, layer.uses) for layer in graph.layers] == [(24, 1), (40, 1)]
    assert graph.tied == ()


def test_the_same_computation_on_a_weight_is_the_same_matrix() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return functional.linear(functional.linear(x, m.m0.weight * 2), m.m0.weight * 2)

    graph = traced(run, nn.Linear(8, 8, bias=False))
    assert [layer.uses for layer in graph.layers] == [2]
    graph = traced(
        lambda m, x: functional.linear(functional.linear(x, m.m0.weight * 2), m.m0.weight * 3),
        nn.Linear(8, 8, bias=False),
    )
    assert [layer.uses for layer in graph.layers] == [1, 1]


def test_a_decoder_tied_to_its_embedding_is_said() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.decoder = nn.Embedding(11, 6), nn.Linear(6, 11, bias=False)
            self.decoder.weight = self.table.weight

        def forward(self, ids: Tensor) -> Any:
            return self.decoder(self.table(ids))

    graph = trace(Tied(), (5,), input_dtype="int64")
    (layer,) = graph.layers
    assert layer.weights == 66
    assert graph.tied == ((layer.name, "table"),)
    (table,) = [op for op in graph.digital if op.kind is OpKind.EMBEDDING]
    assert (table.lookups, table.stored) == (30, 66)
    assert float(from_graph(graph).lookups) == 30


def test_a_stack_of_matrices_is_a_grouped_layer() -> None:
    experts = nn.Parameter(torch.zeros(3, 8, 5))

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = experts

        def forward(self, x: Tensor) -> Any:
            own = x @ self.experts  # each expert has an input of its own
            all_of_it = x[:, :1] @ self.experts  # every expert reads the same
            return own, all_of_it

    own, alike = trace(Experts(), (3, 7, 8)).layers
    assert (own.groups, own.weight_rows, own.weight_cols, own.mvms) == (3, 8, 15, 7)
    assert (alike.groups, alike.weight_rows, alike.weight_cols, alike.mvms) == (1, 8, 15, 7)
    assert own.weights == alike.weights == experts.numel()


@pytest.mark.parametrize(
    ("equation", "shape", "expected"),
    [
        ("bchw,wv->bchv", (8, 4), (1, 8, 4, 24)),
        ("bchw,ck->bkhw", (3, 5), (1, 3, 5, 64)),
        ("bchw,cwv->bchv", (3, 8, 4), (3, 8, 12, 8)),
        ("...w,wv", (8, 4), (1, 8, 4, 24)),
    ],
)
def test_einsum_with_one_weight_is_a_layer(
    equation: str, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    class Product(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(shape))

        def forward(self, x: Tensor) -> Any:
            return torch.einsum(equation, x, self.weight)

    (layer,) = trace(Product(), (3, 8, 8)).layers
    assert (layer.groups, layer.weight_rows, layer.weight_cols, layer.mvms) == expected
    assert layer.weights == torch.Size(shape).numel()


def test_kernels_that_are_computed_are_products_in_the_digital_unit() -> None:
    def run(m: Any, x: Tensor) -> Any:
        kernel = m.m0(x).mean(0, keepdim=True)[:, :3]
        return functional.conv2d(x, kernel), functional.linear(x, x[0, 0])

    graph = traced(run, conv3())
    macs = {op.target: op.macs for op in graph.digital if op.kind is OpKind.MATMUL}
    assert macs == {"conv2d": 3 * 8 * 8, "linear": 3 * 8 * 8 * 8}


def test_what_is_neither_mapped_nor_priced_is_listed_with_its_share() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return m.m1(m.m0(x), x), torch.fft.fft2(x).abs()

    graph = traced(run, nn.Linear(8, 8, bias=False), nn.Bilinear(8, 8, 2))
    pixels = 3 * 8
    found = {op.op: op for op in graph.unmapped}
    assert found["bilinear"].macs == pixels * 2 * 64
    assert found["bilinear"].share == pytest.approx(128 / (128 + 64), abs=0)
    assert found["fft_fft2"].macs == 0
    assert 0 < found["fft_fft2"].share < 1
    coverage = graph.coverage
    assert (coverage.mapped, coverage.digital) == (pixels * 64, 0)
    assert coverage.share == pytest.approx(64 / (64 + 128), abs=0)
    shares = coverage.to_dict()
    assert shares["mapped_share"] + shares["uncovered_share"] == pytest.approx(1)


def test_work_of_the_digital_unit_by_hand() -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True)
    graph = trace(block, (5, 8))
    work = {op.kind: op for op in graph.digital}
    assert work[OpKind.ATTENTION].operations == 2 * 5 * 5 * 5  # heads, scores, softmax
    assert work[OpKind.ACTIVATION].operations == 3 * 5 * 16
    assert work[OpKind.NORM].operations == 4 * 5 * 8
    assert work[OpKind.ADD].absorbed
    table = from_graph(graph)
    assert float(table.digital_macs.sum()) == graph.coverage.digital == 2 * 5 * 5 * (4 + 4)
    assert float(table.added.sum()) == 2 * 5 * 8


def test_batch_norms_are_folded_only_behind_a_layer() -> None:
    graph = traced(lambda m, x: m.m2(m.m1(m.m0(x))), nn.BatchNorm2d(3), conv3(), nn.BatchNorm2d(4))
    work = {op.name: op for op in graph.digital}
    assert (work["m0"].absorbed, work["m0"].operations) == (False, 3 * 64)
    assert (work["m2"].absorbed, work["m2"].operations) == (True, 0)


def test_embedding_bags_read_every_row_that_they_add() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag, self.head = nn.EmbeddingBag(11, 6), nn.Linear(6, 2)

        def forward(self, ids: Tensor) -> Any:
            return self.head(self.bag(ids))

    graph = trace(Bag(), (4,), input_dtype="int64")
    (bag,) = [op for op in graph.digital if op.kind is OpKind.EMBEDDING]
    assert (bag.lookups, bag.stored) == (4 * 6, 66)


class Constant(nn.Module):
    """A map of the input, plus products of stored tensors alone."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.encode = nn.Conv2d(4, 8, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(4, 8, 2, stride=2)
        self.linear = nn.Linear(8, 8)
        self.register_buffer("places", torch.zeros(1, 4, 8, 8))
        self.register_buffer("small", torch.zeros(1, 4, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        code = self.encode(self.places) + self.up(self.small) + self.linear(self.linear.weight)
        return self.conv(x) + code.relu()


@pytest.mark.parametrize("front", [export_calls, fx_calls])
def test_products_of_stored_tensors_are_worked_out_beforehand(front: Any) -> None:
    found = {own.name: own.macs for own in beforehand(front(Constant().eval(), _IMAGE).constant)}
    assert found == {
        "encode": 8 * 64 * 2 * 9,  # two input channels in each group
        "up": 4 * 16 * 8 * 4,
        "linear": 8 * 8 * 8,
    }


def test_trained_values_of_a_module_that_is_applied_again_are_one_tensor() -> None:
    norm = nn.LayerNorm(7)
    graph = trace(nn.Sequential(nn.Linear(5, 7), norm, norm), (3, 5))
    first, second = (dict(op.trained) for op in graph.digital if op.trained)
    assert first == second
    assert list(first.values()) == [7, 7]


def test_what_is_worked_out_beforehand_is_in_no_layer() -> None:
    graph = trace(Constant(), (3, 8, 8))
    assert [layer.name for layer in graph.layers] == ["conv"]
    assert [own.name for own in graph.beforehand] == ["encode", "up", "linear"]
    assert graph.totals.macs == 64 * 8 * 27


_IMAGE = (torch.zeros(1, 3, 8, 8),)
