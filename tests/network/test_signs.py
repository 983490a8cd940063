"""Unit: which layers read what may be negative."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.network import from_graph, load_network, trace


class Branches(nn.Module):
    """Layers behind everything that gives or takes a sign."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.behind_relu = nn.Linear(8, 8)
        self.behind_sum = nn.Linear(8, 8)
        self.behind_difference = nn.Linear(8, 8)
        self.behind_gelu = nn.Linear(8, 8)
        self.behind_sigmoid = nn.Linear(8, 8)
        self.behind_softmax = nn.Linear(8, 8)
        self.behind_layer = nn.Linear(8, 8)
        self.behind_square = nn.Linear(8, 8)
        self.behind_shift = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        one = functional.relu(self.first(x))
        two = functional.relu(self.behind_relu(one))
        three = functional.gelu(self.behind_sum(one + two))
        four = torch.sigmoid(self.behind_difference(one - two))
        five = torch.softmax(self.behind_gelu(three), -1)
        six = self.behind_sigmoid(four)
        seven = self.behind_softmax(functional.dropout(five, training=self.training))
        eight = self.behind_layer(six)
        nine = self.behind_square(torch.square(seven))
        ten: Tensor = self.behind_shift(one - 1.0)
        return eight + nine + ten


def test_every_way_to_a_sign() -> None:
    table = from_graph(trace(Branches(), (8,), name="branches"))
    found = dict(zip(table.names, table.is_signed.tolist(), strict=True))
    signed = {"first", "behind_difference", "behind_gelu", "behind_layer", "behind_shift"}
    assert {name for name, value in found.items() if value} == signed


@pytest.mark.parametrize("network", ["lenet3-bn", "vgg8", "resnet20"])
def test_relu_networks_have_signs_at_their_input_alone(network: str) -> None:
    table = from_graph(load_network(network))
    assert table.is_signed.tolist() == table.is_first.tolist()
    assert table.is_signed.sum() == 1


def test_a_shared_block_reads_what_its_place_gives() -> None:
    """Before the activation of a convolution, behind that of a residual block."""
    after = load_network("vgg8").insertion_points("convolution")
    assert {point.signed for point in after} == {True}
    blocks = load_network("resnet20").insertion_points("residual_block")
    assert {point.signed for point in blocks} == {False}
