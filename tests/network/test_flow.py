"""How rows flow: what a row needs, which lines are kept, and who waits for everything."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archsim.network import load_network
from archsim.network.flow import MOST_ROWS, Flow, FlowNode, flow_of


def flow(model: nn.Module, *shape: int) -> tuple[Flow, dict[str, FlowNode]]:
    own = flow_of(load_network(model, input_shape=shape))
    return own, {node.name: node for node in own.nodes}


def needs(node: FlowNode) -> list[int]:
    return list(node.reads[0][1])


def test_convolution_pooling_and_head() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5)
    )
    own, nodes = flow(model, 3, 8, 8)
    assert needs(nodes["0"]) == [2, 3, 4, 5, 6, 7, 8, 8]
    assert needs(nodes["2"]) == [2, 4, 6, 8]
    assert needs(nodes["3"]) == [4]  # the head waits for the whole map
    # Three lines of the kernel and the next of 8; the head keeps its whole input. The pooling
    # keeps one line of 8 pixels and 4 channels.
    assert own.kept == (0.5, 1.0)
    assert own.waiting == 32.0


def test_a_shortcut_keeps_what_the_branch_is_behind() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(x)
            return x + self.b(self.a(x))

    own, nodes = flow(Block(), 4, 8, 8)
    assert [len(need) for _, need in nodes["add"].reads] == [8, 8]
    # Row 1 of the branch needs rows 1 to 3 of its input: these lines of 8 x 4 values wait, while
    # the next comes in.
    assert own.waiting == (3 + 1) * 32


def test_tokens_pass_a_linear_layer_one_by_one_and_attention_waits_for_all() -> None:
    class Mixer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
            self.norm = nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            x = self.down(nn.functional.gelu(self.up(self.norm(x))))
            return nn.functional.scaled_dot_product_attention(x, x, x)

    own, nodes = flow(Mixer(), 6, 8)
    assert needs(nodes["down"]) == [1, 2, 3, 4, 5, 6]
    assert own.kept == (2 / 6, 2 / 6)
    attention = own.nodes[-1]
    assert attention.rows == 1
    assert all(need == (6,) for _, need in attention.reads)


def test_recurrent_layers_go_step_by_step() -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(4, 5, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0]

    _, nodes = flow(Cell(), 7, 4)
    again = nodes["rnn.weight_hh_l0"]
    assert again.recurrent
    assert not nodes["rnn.weight_ih_l0"].recurrent
    assert needs(again) == [1, 2, 3, 4, 5, 6, 7]


def test_long_maps_are_followed_in_groups_of_lines() -> None:
    own, nodes = flow(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), 1000, 2)
    assert nodes["2"].rows == 250 <= MOST_ROWS
    assert needs(nodes["2"]) == list(range(1, 251))
    assert own.kept == (2 / 1000, 2 / 1000)
