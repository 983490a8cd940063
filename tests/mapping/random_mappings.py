"""Networks and chips drawn at random for the tests of the mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from archsim.arch.design import FILL, LIKE_BACKBONE, DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.config.encodings import STORED_ENCODINGS
from archsim.network.insertion import InsertionPoint
from archsim.network.layer import LayerKind
from archsim.network.table import DIGITAL_COLUMNS, LayerTable
from tests.designs import make_design


@dataclass(frozen=True)
class Layer:
    """A convolution with a square map, or a linear layer (map and kernel of 1)."""

    inputs: int
    outputs: int
    kernel_h: int = 1
    kernel_w: int = 1
    size: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @property
    def is_conv(self) -> bool:
        return self.size > 1

    @property
    def out(self) -> tuple[int, int]:
        room = self.size + 2 * self.padding
        return (
            (room - self.kernel_h) // self.stride + 1,
            (room - self.kernel_w) // self.stride + 1,
        )


@st.composite
def _linear(draw: st.DrawFn) -> Layer:
    return Layer(draw(st.integers(1, 700)), draw(st.integers(1, 300)))


@st.composite
def _conv(draw: st.DrawFn) -> Layer:
    high, wide = draw(st.sampled_from([(1, 1), (3, 3), (3, 3), (5, 5), (1, 3), (7, 1)]))
    padding = draw(st.integers(0, max(high, wide) // 2))
    layer = Layer(
        inputs=draw(st.integers(1, 140)),
        outputs=draw(st.integers(1, 140)),
        kernel_h=high,
        kernel_w=wide,
        size=draw(st.integers(max(high, wide, 2), 24)),
        stride=draw(st.integers(1, 3)),
        padding=padding,
    )
    kind = draw(st.sampled_from(["dense", "dense", "grouped", "depthwise"]))
    if kind == "grouped":
        groups = draw(st.sampled_from([2, 3, 8]))
        return replace(
            layer, inputs=layer.inputs * groups, outputs=layer.outputs * groups, groups=groups
        )
    if kind == "depthwise":
        times = draw(st.sampled_from([1, 1, 2]))
        return replace(layer, outputs=layer.inputs * times, groups=layer.inputs)
    return layer


def networks(most: int = 5) -> st.SearchStrategy[list[Layer]]:
    """Up to ``most`` layers; they need not fit one another."""
    return st.lists(st.one_of(_conv(), _conv(), _linear()), min_size=1, max_size=most)


_SIDES = (16, 32, 64, 96, 128, 200, 256)


@st.composite
def designs(draw: st.DrawFn, sides: Sequence[int] = _SIDES) -> DesignBatch:
    """Chips of any size and policy, made from one resolved configuration."""

    def number(*values: int) -> float:
        return float(draw(st.sampled_from(values)))

    return make_design().replace(
        rows=number(*sides),
        cols=number(*sides),
        mux_ratio=number(4, 8, 16),
        bits_per_cell=number(1, 2, 4, 8),
        encoding=draw(st.sampled_from(range(len(STORED_ENCODINGS)))),
        kernel_per_pe=draw(st.booleans()),
        duplication=draw(st.sampled_from([0, 1, 2])),
        tile_arrays=number(0, 0, 2, 6),
        pipeline=draw(st.booleans()),
        count_padding=draw(st.booleans()),
        speed_up_degree=number(1, 2, 4, 8),
        copies=number(1, 2, 3),
        max_tiles=number(4, 10**6),
        size_check=draw(st.booleans()),
        write_policy=draw(st.sampled_from([0, 1, 2])),
        placement=draw(st.sampled_from(range(len(PLACEMENTS)))),
        tsb_channels=number(1, 5, 16, 48, 128, 300),
        tsb_depth=number(1, 2),
        tsb_copies=draw(st.sampled_from([LIKE_BACKBONE, FILL, 1.0, 3.0, 7.0, 50.0])),
        tsb_per_group=draw(st.booleans()),
    )


def table_of(layers: Sequence[Layer]) -> LayerTable:
    """The layers as tensors."""

    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    def each(name: str) -> Tensor:
        return column([getattr(layer, name) for layer in layers])

    high, wide = (column([layer.out[axis] for layer in layers]) for axis in (0, 1))
    ones = torch.ones(len(layers), dtype=torch.float64)
    return LayerTable(
        names=tuple(f"layer{index}" for index in range(len(layers))),
        kinds=tuple(LayerKind.CONV if layer.is_conv else LayerKind.LINEAR for layer in layers),
        in_height=each("size"),
        in_width=each("size"),
        in_channels=each("inputs"),
        kernel_h=each("kernel_h"),
        kernel_w=each("kernel_w"),
        out_channels=each("outputs"),
        out_height=high,
        out_width=wide,
        stride_h=each("stride"),
        stride_w=each("stride"),
        padding_h=each("padding"),
        padding_w=each("padding"),
        groups=each("groups"),
        mvms=high * wide,
        pool_factor=ones,
        added=0 * ones,
        **dict.fromkeys(DIGITAL_COLUMNS, 0 * ones),
        is_first=column([1.0, *[0.0] * (len(layers) - 1)]),
        is_signed=column([1.0, *[0.0] * (len(layers) - 1)]),
        followed_by_relu=ones,
    )


def points_of(layers: Sequence[Layer]) -> tuple[InsertionPoint, ...]:
    """A shared block after every convolution."""
    return tuple(
        InsertionPoint(
            name=f"layer{index}",
            after=f"layer{index}",
            channels=layer.outputs,
            height=layer.out[0],
            width=layer.out[1],
        )
        for index, layer in enumerate(layers)
        if layer.is_conv
    )
