"""Unit: networks that take time first, and the axis of the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from archsim.api.compare import compare
from archsim.api.map import map_network
from archsim.cli.app import app
from archsim.errors import NetworkError
from archsim.network import load_network, trace
from tests.refusals import command_refused, refused

STEPS, WIDTH, HIDDEN = 35, 8, 16
GATES = STEPS * 4 * HIDDEN * (WIDTH + HIDDEN)


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool = False) -> None:
        super().__init__()
        self.r = nn.LSTM(WIDTH, HIDDEN, batch_first=batch_first)
        self.f = nn.Linear(HIDDEN, 2)
        self.axis = 1 if batch_first else 0

    def forward(self, x: Tensor) -> Tensor:
        return self.f(self.r(x)[0].select(self.axis, -1))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.e = nn.TransformerEncoderLayer(WIDTH, 2, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.e(x)


def time_first() -> nn.Module:
    return Recurrent()


@pytest.mark.parametrize(
    "given",
    [
        {"input_shape": (STEPS, 1, WIDTH)},
        {"input_shape": (STEPS, WIDTH), "batch_axis": 1},
        {"example_input": torch.zeros(STEPS, 1, WIDTH)},
        {"example_input": torch.zeros(STEPS, 1, WIDTH), "batch_axis": 1},
    ],
)
def test_ways_in_for_time_first(given: dict[str, Any]) -> None:
    graph = trace(Recurrent(), **given)
    assert graph.totals.macs == GATES + HIDDEN * 2 == 53792
    assert graph.input_shape == (STEPS, WIDTH)
    assert [layer.mvms for layer in graph.layers] == [STEPS, STEPS, 1]
    first = trace(Recurrent(batch_first=True), (STEPS, WIDTH))
    assert first.totals == graph.totals


@pytest.mark.parametrize(
    ("build", "part"), [(Recurrent, "r"), (Encoder, "e.self_attn")], ids=["lstm", "encoder"]
)
def test_one_step_of_a_batch_is_refused(build: Callable[[], nn.Module], part: str) -> None:
    facts: dict[str, Any] = {"code": "shape-mismatch", "field": "batch_axis", "value": 0}
    says = ["--batch-axis", f"'{part}'", str(STEPS)]
    with refused(NetworkError, **facts, allowed="1", says=says):
        trace(build(), (STEPS, WIDTH))


def test_who_says_so_gets_one_step_of_a_batch() -> None:
    graph = trace(Recurrent(), (STEPS, WIDTH), batch_axis=0)
    assert graph.layers[-1].mvms == STEPS


def test_time_first_for_a_layer_that_takes_the_batch_first_is_refused() -> None:
    facts: dict[str, Any] = {"code": "shape-mismatch", "field": "batch_axis", "value": 1}
    with refused(NetworkError, **facts, allowed="0"):
        trace(Recurrent(batch_first=True), (STEPS, WIDTH), batch_axis=1)


def test_attention_that_takes_time_first() -> None:
    graph = trace(Encoder(), (STEPS, 1, WIDTH))
    assert graph.coverage.digital == 2 * STEPS * STEPS * WIDTH
    assert graph.totals.macs == STEPS * (4 * WIDTH * WIDTH + 2 * WIDTH * 16)


def test_images_folded_into_time_are_not_refused() -> None:
    """Columns of a map as steps, its rows as a batch: a batch of its own, and many steps."""

    class Columns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.r = nn.LSTM(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.r(x[0].permute(2, 1, 0))[0]

    assert trace(Columns(), (3, 6, 5)).totals.macs == 30 * 16 * 7


@pytest.mark.parametrize("axis", [-1, 4, 3])
def test_batch_axes_out_of_range(axis: int) -> None:
    with refused(NetworkError, code="out-of-range", field="batch_axis", value=axis, allowed="0"):
        trace(Recurrent(), (STEPS, WIDTH), batch_axis=axis)


def test_examples_with_the_batch_elsewhere_are_refused() -> None:
    shape = (STEPS, 2, WIDTH)
    facts: dict[str, Any] = {"code": "shape-mismatch", "field": "example_input"}
    with refused(NetworkError, **facts, value=[shape]):
        trace(Recurrent(), example_input=torch.zeros(shape))


@pytest.mark.parametrize("network", ["vgg8", "no.onnx", "no.csv"])
def test_networks_that_have_no_batch_axis_to_choose(network: str) -> None:
    field = "batch_axis" if network == "vgg8" else "options"
    given = {} if network == "vgg8" else {"value": ["batch_axis"]}
    with refused(NetworkError, code="conflict", field=field, **given):
        load_network(network, batch_axis=1)


def test_the_option_of_map_and_compare() -> None:
    name = f"{__name__}:time_first"
    options = ["--input-shape", f"{STEPS},{WIDTH}", "--batch-axis", "1", "--format", "json"]
    for command in ("map", "compare"):
        done = CliRunner().invoke(app, [command, name, *options, "--design", "none"])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["map", name, "--input-shape", f"{STEPS},{WIDTH}"])
    command_refused(done, "--batch-axis", code="shape-mismatch")
    by_shape = map_network(name, input_shape=(STEPS, 1, WIDTH))
    assert by_shape.graph.totals.macs == 53792
    both = compare([name], designs=["none"], input_shape=(STEPS, WIDTH), batch_axis=1)
    assert both.results[0].graph.totals.macs == 53792
