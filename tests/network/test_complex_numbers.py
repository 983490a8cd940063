"""Unit: complex weights are two real weights each, and a product with them four."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archsim.api.map import map_network
from archsim.network import trace
from archsim.network.frontend.assemble import assemble
from archsim.network.frontend.fx_trace import fx_calls
from archsim.network.operation import OpKind

COMPLEX = torch.cfloat
Build = Callable[[], tuple[nn.Module, tuple[int, ...], int, int]]


class Run(nn.Module):
    """A weight of a shape, and what is done with it."""

    def __init__(
        self, run: Callable[[Any, Tensor], Tensor], *shape: int, dtype: torch.dtype = COMPLEX
    ) -> None:
        super().__init__()
        self.run = run
        self.weight = nn.Parameter(torch.zeros(shape, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


#: Module, input, complex weights, complex multiply-accumulates.
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int, int]] = {
    "matmul": (lambda: Run(lambda m, x: (x.to(COMPLEX) @ m.weight).abs(), 8, 5), (6, 8), 40, 240),
    "einsum": (
        lambda: Run(
            lambda m, x: torch.einsum("bix,iox->box", x.to(COMPLEX), m.weight).abs(), 3, 4, 5
        ),
        (3, 5), 60, 60,
    ),
    "linear": (
        lambda: nn.Sequential(Cast(), nn.Linear(8, 5, dtype=COMPLEX, bias=False), Abs()),
        (6, 8), 40, 240,
    ),
    "convolution": (
        lambda: nn.Sequential(Cast(), nn.Conv1d(3, 4, 3, dtype=COMPLEX, bias=False), Abs()),
        (3, 8), 36, 6 * 36,
    ),
    "made of pairs": (
        lambda: Run(
            lambda m, x: (x.to(COMPLEX) @ torch.view_as_complex(m.weight)).abs(),
            8, 5, 2, dtype=torch.float32,
        ),
        (6, 8), 40, 240,
    ),
}  # fmt: skip


class Cast(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to(COMPLEX)


class Abs(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


@pytest.mark.parametrize("case", CASES)
def test_a_complex_layer_is_two_by_two_real_ones(case: str) -> None:
    build, shape, weights, macs = CASES[case]
    graph = trace(build(), shape)
    assert graph.totals.weights == 2 * weights
    assert graph.totals.macs == 4 * macs
    assert graph.parameters == 2 * weights
    (sums,) = (op for op in graph.ops if op.target == "complex_add")
    assert sums.kind is OpKind.ELEMENTWISE
    assert map_network(graph).feasible


def test_real_weights_of_complex_data_are_applied_twice() -> None:
    run = Run(lambda m, x: (x.to(COMPLEX) @ m.weight.to(COMPLEX)).abs(), 8, 5)
    assert trace(run, (6, 8)).totals.macs == 4 * 240
    real = nn.Conv1d(3, 4, 3, bias=False)
    parts = Run(lambda m, x: real(torch.view_as_real(x.to(COMPLEX))[..., 0]), 1)
    assert trace(parts, (3, 8)).totals.macs == 6 * 36


def test_complex_products_without_weights_are_four_each() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        z = (x @ m.weight).to(COMPLEX)
        return (z @ z.mT).abs()

    graph = trace(Run(run, 8, 5, dtype=torch.float32), (6, 8))
    assert graph.coverage.digital == 4 * 6 * 6 * 5


def test_the_other_front_end_sees_complex_weights_too() -> None:
    module = nn.Sequential(nn.Linear(8, 5, dtype=COMPLEX, bias=False))
    calls = fx_calls(module, (torch.zeros(1, 6, 8, dtype=COMPLEX),))
    layers = [op.layer for op in assemble(calls) if op.layer is not None]
    assert [(layer.weights, layer.macs) for layer in layers] == [(80, 4 * 240)]


def test_a_fourier_layer() -> None:
    """Few low frequencies are multiplied, the others are zero (Z. Li et al., arXiv:2010.08895)."""

    class Fourier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 4, 5, dtype=COMPLEX))
            self.point = nn.Conv1d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            low = torch.fft.rfft(x)
            out = torch.zeros(1, 4, low.shape[-1], dtype=COMPLEX)
            out[:, :, :5] = torch.einsum("bix,iox->box", low[:, :, :5], self.weight)
            return torch.fft.irfft(out, n=x.size(-1)) + self.point(x)

    graph = trace(Fourier(), (3, 16))
    assert graph.totals.macs == 4 * 60 + 16 * 12
    assert [op.op for op in graph.unmapped] == ["fft_rfft", "fft_irfft"]
    assert math.prod(graph.ops[-1].shape) == 4 * 16
