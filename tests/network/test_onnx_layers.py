"""Oracle: every kind of matrix layer is the same from an ONNX file and from the model itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archsim.network import from_graph, load_network, trace
from tests.network.onnx_models import exported


class Last(nn.Module):
    """A recurrent layer and a head on its last step."""

    def __init__(self, cells: nn.Module, width: int) -> None:
        super().__init__()
        self.cells, self.head = cells, nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.cells(x)[0][:, -1])
        return scores


class Twice(nn.Module):
    """A layer that is applied two times, as in ALBERT."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        twice: Tensor = self.block(torch.relu(self.block(x)))
        return twice


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv1d(3, 6, 5, stride=2, padding=2, groups=3), (3, 17)),
        (nn.Conv2d(4, 8, (3, 2), dilation=2, padding=(2, 1), groups=2), (4, 9, 9)),
        (nn.Conv2d(4, 8, 3, padding="same", padding_mode="zeros"), (4, 9, 9)),
        (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2)), (3, 8, 8)),
        (nn.Sequential(nn.Conv3d(2, 3, 3), nn.ReLU(), nn.MaxPool3d(2)), (2, 6, 6, 6)),
        (nn.ConvTranspose1d(3, 4, 4, stride=2, padding=1), (3, 9)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 7, 7)),
        (Last(nn.LSTM(6, 4, num_layers=2, batch_first=True), 4), (5, 6)),
        (Last(nn.GRU(6, 4, batch_first=True, bidirectional=True), 8), (5, 6)),
        (Last(nn.RNN(6, 4, nonlinearity="relu", batch_first=True, bias=False), 4), (5, 6)),
        (Twice(), (5, 6)),
        (encoder(), (5, 8)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_layers_are_the_same(net: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in net.parameters():  # the exporter merges equal tensors
        parameter.data.uniform_(-1.0, 1.0, generator=generator)
    path = exported(tmp_path / "m.onnx", net, torch.zeros(1, *shape), dynamo=False)
    found, own = load_network(str(path), name="net"), trace(net, shape, name="net")
    # The file has no name for the weights of all three projections.
    names = [layer.name.removesuffix(".in_proj") for layer in own.layers]
    assert [layer.name for layer in found.layers] == names
    assert replace(from_graph(found), names=from_graph(own).names).equals(from_graph(own))
    assert found.totals.macs == own.totals.macs
    assert sum(op.macs for op in found.ops) == sum(op.macs for op in own.ops)
    assert found.unmapped == ()
