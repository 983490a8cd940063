"""Designs and small networks that tests of mapping and cost build on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.config.checked import validate_model
from archsim.config.load import load_preset
from archsim.config.resolve import resolve
from archsim.config.schema.technology import TechnologyFile
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.layer import LayerKind
from archsim.network.table import DIGITAL_COLUMNS, LayerTable
from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan


@functools.cache
def technology(name: str) -> Technology:
    """A technology preset as tensors."""
    file = validate_model(TechnologyFile, load_preset("technology", name), "technology")
    return Technology.from_file(file)


@functools.cache
def make_design(
    *overrides: str,
    chip: str = "rram-22nm-neurosim",
    node: str | None = None,
    device: str | None = None,
    design: str = "none",
    tsb: str = "paper",
) -> DesignBatch:
    """One design of shape ``()``, by default with one copy of a common block and circuits of rows.

    SRAM gets the one bit per cell that it can hold.
    """
    overrides = ("tsb.copies=null", *overrides)
    if device == "sram":
        overrides = ("chip.precision.bits_per_cell=1", *overrides)
    resolved = resolve(chip=chip, technology=node, device=device, tsb=tsb, overrides=overrides)
    return DesignBatch.from_resolved(resolved, design)


@dataclasses.dataclass(frozen=True)
class Conv:
    """A square layer; with a map and a kernel of one it is a linear layer."""

    size: int
    inputs: int
    outputs: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    pool: bool = False
    digital: float = 0.0

    @property
    def out(self) -> int:
        """Rows of the output map."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1


def make_table(*layers: Conv) -> LayerTable:
    """A layer table; the first layer reads the network input."""

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    def pooled(layer: Conv) -> float:
        return layer.out**2 / (layer.out // 2) ** 2 if layer.pool else 1.0

    square: dict[str, list[float]] = {
        "height": [layer.size for layer in layers],
        "kernel": [layer.kernel for layer in layers],
        "out": [layer.out for layer in layers],
        "stride": [layer.stride for layer in layers],
        "padding": [layer.padding for layer in layers],
    }
    return LayerTable(
        names=tuple(f"layer{index}" for index in range(len(layers))),
        kinds=tuple(
            LayerKind.CONV if layer.size * layer.kernel > 1 else LayerKind.LINEAR
            for layer in layers
        ),
        in_height=column(square["height"]),
        in_width=column(square["height"]),
        in_channels=column([layer.inputs for layer in layers]),
        kernel_h=column(square["kernel"]),
        kernel_w=column(square["kernel"]),
        out_channels=column([layer.outputs for layer in layers]),
        out_height=column(square["out"]),
        out_width=column(square["out"]),
        stride_h=column(square["stride"]),
        stride_w=column(square["stride"]),
        padding_h=column(square["padding"]),
        padding_w=column(square["padding"]),
        groups=column([1.0] * len(layers)),
        mvms=column([layer.out**2 for layer in layers]),
        pool_factor=column([pooled(layer) for layer in layers]),
        added=column([0.0 for _ in layers]),
        **dict.fromkeys(DIGITAL_COLUMNS, column([layer.digital for layer in layers])),
        is_first=column([1.0] + [0.0] * (len(layers) - 1)),
        is_signed=column([1.0] + [0.0] * (len(layers) - 1)),
        followed_by_relu=column([1.0] * (len(layers) - 1) + [0.0]),
    )


def points_after(*layers: Conv) -> tuple[InsertionPoint, ...]:
    """A shared block after every given layer that has a map."""
    return tuple(
        InsertionPoint(
            name=f"layer{index}",
            after=f"layer{index}",
            channels=layer.outputs,
            height=layer.out,
            width=layer.out,
        )
        for index, layer in enumerate(layers)
        if layer.out > 1
    )


def price(
    design: DesignBatch, table: LayerTable, points: Sequence[InsertionPoint] = ()
) -> tuple[MappingPlan, CostBreakdown]:
    """Compile and evaluate."""
    plan = compile_plan(design=design, table=table, points=points)
    return plan, evaluate(design=design, plan=plan)


def near(expected: Any, rel: float = 1e-6) -> Any:
    """``pytest.approx`` for SI values, without its absolute tolerance: 1e-12 is a picojoule."""
    return pytest.approx(expected, rel=rel, abs=0)


def tensors_of(result: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor in a dataclass of tensors, dictionaries and further dataclasses, by path."""
    if isinstance(result, Tensor):
        yield prefix, result
    elif dataclasses.is_dataclass(result):
        for entry in dataclasses.fields(result):
            yield from tensors_of(getattr(result, entry.name), f"{prefix}.{entry.name}")
    elif isinstance(result, dict):
        for key, value in result.items():
            yield from tensors_of(value, f"{prefix}[{key}]")
    elif isinstance(result, tuple):
        for index, value in enumerate(result):
            yield from tensors_of(value, f"{prefix}[{index}]")
