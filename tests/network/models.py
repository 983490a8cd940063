"""Small models for the tests of the tracer."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from archsim.network import LayerGraph, trace


class Model(nn.Module):
    """Submodules ``m0``, ``m1``... and a forward given as a function of (model, input)."""

    def __init__(self, run: Callable[..., object], *modules: nn.Module) -> None:
        super().__init__()
        self.run = run
        for i, module in enumerate(modules):
            self.add_module(f"m{i}", module)

    def forward(self, x: Tensor) -> object:
        return self.run(self, x)


def conv3(channels: int = 4, **options: object) -> nn.Conv2d:
    return nn.Conv2d(3, channels, 3, padding=1, **options)  # type: ignore[arg-type]


def traced(run: Callable[..., object], *modules: nn.Module) -> LayerGraph:
    return trace(Model(run, *modules), (3, 8, 8), name="model")
