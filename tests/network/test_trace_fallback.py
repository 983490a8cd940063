"""Unit: torch.fx sees what torch.export sees, where it has to take over."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.errors import NetworkError
from archsim.network import LayerGraph, TraceWarning, trace
from archsim.network.frontend import export, fx_trace
from archsim.network.frontend.assemble import assemble
from tests.network.models import Model, conv3, traced
from tests.refusals import refused


def same_layers(left: LayerGraph, right: LayerGraph) -> bool:
    return left.layers == right.layers and left.residual_edges == right.residual_edges


class Residual(nn.Module):
    """A stem, a block with a projection, and a block whose shortcut subsamples and pads."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv3(), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.main1 = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6))
        self.skip1 = nn.Conv2d(4, 6, 1, bias=False)
        self.main2 = nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = functional.relu(self.main1(x) + self.skip1(x))
        x = self.main2(x) + functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2))
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def small_models() -> list[tuple[nn.Module, tuple[int, ...]]]:
    pooled = Model(lambda m, x: functional.gelu(m.m0(x)).mean((2, 3)), conv3(dilation=1))
    by_hand = Model(
        lambda m, x: functional.avg_pool2d(functional.conv2d(x, m.m0.weight, padding=1), 2),
        conv3(bias=False),
    )
    product = Model(lambda m, x: m.m0(x) @ m.m1.weight.t(), conv3(), nn.Linear(8, 2, bias=False))
    in_place = Model(lambda m, x: m.m1(m.m0(x)).relu_() + x, conv3(), nn.Conv2d(4, 3, 1))
    models = (Residual(), pooled, by_hand, product, in_place)
    return [(model, (3, 8, 8)) for model in models]


@pytest.mark.parametrize(("model", "shape"), small_models())
def test_fx_sees_the_layers_that_export_sees(
    model: nn.Module, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trace(model, shape)

    def fail(*_: object) -> None:
        raise RuntimeError("no export today\nsecond line")

    monkeypatch.setattr(export, "export_calls", fail)
    with pytest.warns(TraceWarning, match="no export today"):
        found = trace(model, shape)
    assert same_layers(found, expected)
    assert found.totals == expected.totals


def test_fx_takes_over_where_export_gives_up() -> None:
    def run(m: Any, x: Tensor) -> Any:
        with torch.autocast("cpu", enabled=False):
            return m.m0(x)

    with pytest.warns(TraceWarning, match="wrap_with_autocast"):
        assert len(traced(run, conv3()).layers) == 1


def test_fx_refuses_a_fused_attention() -> None:
    model = Model(lambda m, x: m.m0(x, x, x)[0], nn.MultiheadAttention(8, 2, batch_first=True))
    example = (torch.zeros(1, 5, 8),)
    with refused(
        NetworkError, code="unsupported-operator", field=ANY, value=ANY, says=["attention"]
    ):
        assemble(fx_trace.fx_calls(model.eval(), example))
    assert len(assemble(export.export_calls(model.eval(), example))) > 2


def test_branching_on_values_is_refused() -> None:
    def run(m: Any, x: Tensor) -> Any:
        y = m.m0(x)
        return y if y.sum() > 0 else -y

    with refused(NetworkError, code="call-failed", field="input_shape", value=ANY):
        traced(run, conv3())
