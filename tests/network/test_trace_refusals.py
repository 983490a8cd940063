"""Unit: the models that the tracer refuses, and what it says."""

from __future__ import annotations

import warnings
from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NetworkError
from archsim.network import trace
from tests.network.models import Model, conv3, traced
from tests.refusals import refused


def test_weights_in_an_operator_that_archsim_does_not_know_are_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return m.m0(x) + torch.cdist(x, m.m0.weight)

    facts: dict[str, Any] = {"code": "unsupported-operator", "field": "m0", "value": "cdist"}
    with refused(
        NetworkError, **facts, allowed="conv1d to conv3d", says=["'m0.weight'", "'cdist',"]
    ):
        trace(Model(run, nn.Linear(8, 5)), (7, 8))


def test_integers_in_a_product_that_archsim_does_not_know_are_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return torch._weight_int8pack_mm(m.m0(x).bfloat16(), m.packed, m.scales)

    model = Model(run, nn.Linear(8, 16))
    model.register_buffer("packed", torch.ones(5, 16, dtype=torch.int8))
    model.register_buffer("scales", torch.ones(5, dtype=torch.bfloat16))
    facts: dict[str, Any] = {"code": "unsupported-operator", "field": "_weight_int8pack_mm"}
    with refused(NetworkError, **facts, value="_weight_int8pack_mm", says=["'packed'"]):
        trace(model, (8,))


def test_models_without_a_matrix_are_refused() -> None:
    for run in (
        lambda m, x: functional.relu(x) + 0 * x,
        lambda m, x: functional.linear(x, x[0, 0]),
    ):
        with refused(NetworkError, code="empty", field="model"):
            traced(run, conv3(), nn.Conv2d(4, 4, 1), nn.Linear(8, 8))


def test_convolutions_of_something_else_than_the_input_are_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        return functional.conv2d(torch.ones(1, 3, 8, 8), m.m0(x)[:, :3])

    with refused(NetworkError, code="unsupported-operator", field=ANY, value="conv2d"):
        traced(run, conv3(), nn.Conv2d(4, 4, 1), nn.Linear(8, 8))


def test_wrong_input_says_what_failed() -> None:
    facts: dict[str, Any] = {"code": "call-failed", "field": "input_shape"}
    says = ["torch.export:", "torch.fx:", "channels"]
    with refused(NetworkError, **facts, value="(1, 4, 8, 8)", says=says):
        trace(conv3(), (4, 8, 8))


@pytest.mark.parametrize("shape", [(), (3, 0, 8), (3, -1, 8), (True, 8, 8)])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with refused(NetworkError, code="out-of-range", field="input_shape", value=shape):
        trace(conv3(), shape)


def test_exactly_one_input_description() -> None:
    with refused(NetworkError, code="missing-key", field="input_shape"):
        trace(conv3())
    with refused(NetworkError, code="conflict", field="input_shape"):
        trace(conv3(), (3, 8, 8), example_input=torch.zeros(1, 3, 8, 8))
    shapes = [(2, 3, 8, 8)]
    with refused(NetworkError, code="shape-mismatch", field="example_input", value=shapes):
        trace(conv3(), example_input=torch.zeros(2, 3, 8, 8))


def test_lazy_modules_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch calls lazy modules experimental
        lazy = nn.LazyLinear(3)
    with refused(NetworkError, code="unsupported", field="weight"):
        trace(lazy, (4,))
