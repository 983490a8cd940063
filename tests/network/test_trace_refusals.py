"""Unit: the models that the tracer refuses, and what it says."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NetworkError
from archsim.network import trace
from tests.network.models import Model, conv3, traced


def test_weights_in_an_operator_that_archsim_does_not_know_are_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return m.m0(x) + torch.cdist(x, m.m0.weight)

    with pytest.raises(NetworkError, match=r"'m0'.*cdist.*reads the weights") as caught:
        trace(Model(run, nn.Linear(8, 5)), (7, 8))
    assert "conv1d to conv3d" in str(caught.value)  # what is allowed


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda m, x: functional.relu(x) + 0 * x, "nothing to map"),
        (lambda m, x: functional.linear(x, x[0, 0]), "nothing to map"),
        (
            lambda m, x: functional.conv2d(torch.ones(1, 3, 8, 8), m.m0(x)[:, :3]),
            "of something else than the network input",
        ),
    ],
)
def test_models_that_cannot_be_mapped_are_refused(run: Callable[..., object], words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        traced(run, conv3(), nn.Conv2d(4, 4, 1), nn.Linear(8, 8))


def test_a_write_into_a_part_is_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x)
        y[:, :2] = 0
        return y

    with pytest.raises(NetworkError, match=r"torch\.cat"):
        traced(run, conv3())


def test_wrong_input_says_what_failed() -> None:
    with pytest.raises(NetworkError, match=r"\(1, 4, 8, 8\)(.|\n)*expected input") as caught:
        trace(conv3(), (4, 8, 8))
    assert "torch.export" in str(caught.value)
    assert "torch.fx" in str(caught.value)


@pytest.mark.parametrize("shape", [(), (3, 0, 8), (3, -1, 8), (True, 8, 8)])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(NetworkError, match="positive whole numbers"):
        trace(conv3(), shape)


def test_exactly_one_input_description() -> None:
    with pytest.raises(NetworkError, match="either"):
        trace(conv3())
    with pytest.raises(NetworkError, match="either"):
        trace(conv3(), (3, 8, 8), example_input=torch.zeros(1, 3, 8, 8))
    with pytest.raises(NetworkError, match="batch axis of 1"):
        trace(conv3(), example_input=torch.zeros(2, 3, 8, 8))


def test_lazy_modules_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls lazy modules experimental
        lazy = nn.LazyLinear(3)
    with pytest.raises(NetworkError, match="no shape yet"):
        trace(lazy, (4,))
