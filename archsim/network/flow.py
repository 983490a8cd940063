"""How rows flow through a network: which rows of its sources each row of an operation needs.

A row is a line of a map; of a sequence it is a token, of a recurrent layer a step. ``needs[r]`` is
how many rows of a source must be there before row ``r`` (from 0) can be computed; ``rows`` of the
source for all of them means that an operation waits for the whole map. That is also assumed where
an operation moves data in a way that is not followed here (reshapes, attention, reductions, norms
over a map). Maps of more than :data:`MOST_ROWS` lines are followed in groups of lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archsim.network.layer import MvmLayer
from archsim.network.operation import Op, OpKind

if TYPE_CHECKING:
    from archsim.network.graph import LayerGraph

#: Rows of a map that are told apart; longer ones are cut into groups.
MOST_ROWS = 256
Needs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FlowNode:
    """One operation.

    Attributes:
        name: Of the operation.
        layer: Which matrix layer it is, as an index; -1 for none.
        rows: Rows of its output that are told apart.
        share: Of the layer's vectors, those of this place; 1 unless a matrix is used again.
        reads: (index of an earlier node, needs) for each source that is computed.
        recurrent: Whether a row needs the result of the one before.
    """

    name: str
    layer: int
    rows: int
    share: float
    reads: tuple[tuple[int, tuple[int, ...]], ...]
    recurrent: bool = False


@dataclass(frozen=True)
class Flow:
    """The operations of a network in execution order, and what a chip must keep to follow them.

    Attributes:
        nodes: All operations.
        kept: Per matrix layer, the share of its input map that is kept at a time: the lines of its
            kernel and those of the next stride.
        waiting: Values kept besides, per network input: lines of pooling windows, and of maps that
            wait at an add or a concatenation for the longer branch.
    """

    nodes: tuple[FlowNode, ...]
    kept: tuple[float, ...]
    waiting: float


@dataclass(frozen=True)
class Lines:
    """The lines of a map and how many of them are one row that is told apart."""

    lines: int

    @property
    def group(self) -> int:
        """Lines in a row."""
        return math.ceil(self.lines / MOST_ROWS)

    @property
    def rows(self) -> int:
        """Rows that are told apart."""
        return math.ceil(self.lines / self.group)


def window_needs(
    *, own: Lines, source: Lines, kernel: int, stride: int, padding: int, pooled: float = 1.0
) -> Needs:
    """Rows of a source that a sliding window needs, for every row of its output.

    Args:
        own: the output.
        source: what it slides over.
        kernel: lines that the window spans, dilation included.
        stride: lines from window to window.
        padding: lines above the map.
        pooled: lines of the source per line of the window's map, where a pooling lies between.
    """
    last = np.minimum((np.arange(own.rows) + 1) * own.group, own.lines)
    lines = np.ceil(((last - 1) * stride + kernel - padding) * pooled - 1e-9)
    return np.ceil(np.clip(lines, 1, source.lines) / source.group).astype(np.int64)


def flow_of(graph: LayerGraph) -> Flow:
    """Follow the rows of a network.

    Args:
        graph: of the network.
    """
    place = {layer.name: index for index, layer in enumerate(graph.layers)}
    vectors = {layer.name: float(layer.mvms) for layer in graph.layers}
    walk = _Walk(place, vectors)
    for op in graph.ops:
        walk.add(op)
    kept = tuple(walk.kept.get(index, 1.0) for index in range(len(place)))
    return Flow(tuple(walk.nodes), kept, walk.waiting)


@dataclass(frozen=True)
class _Rows(Lines):
    """Rows of an operation's output and the axis that they lie on."""

    axis: int


class _Walk:
    """The nodes so far, with the network's input rows behind every row."""

    def __init__(self, place: Mapping[str, int], vectors: Mapping[str, float]) -> None:
        self.place, self.vectors = place, vectors
        self.nodes: list[FlowNode] = []
        self.rows: list[_Rows] = []
        self.kept: dict[int, float] = {}
        self.waiting = 0.0
        self._behind: list[Needs] = []  # share of the network's input behind every row, 1e6 = all
        self._index: dict[str, int] = {}
        self._state: set[int] = set()

    def add(self, op: Op) -> None:
        """Follow one more operation."""
        sources = [self._index[name] for name in op.inputs]
        rows = self._rows_of(op, sources)
        reads = [(source, self._needs(op, rows, source)) for source in sources]
        if op.layer is not None:
            self._keep(op, op.layer, reads)
        elif op.pool is not None and rows.lines > 1:
            self.waiting += (op.pool.kernel[0] - 1) * op.elements / rows.lines * op.pool.stride[1]
        elif op.kind in (OpKind.ADD, OpKind.CAT, OpKind.ELEMENTWISE) and len(reads) > 1:
            self._wait(op, rows, reads)
        index = len(self.nodes)
        self._index[op.name] = index
        if op.target == "recurrent_state":
            self._state.add(index)
        is_input = op.kind is OpKind.INPUT
        layer = op.reuses or op.name
        share = op.layer.mvms / self.vectors[layer] if op.layer is not None else 1.0
        self.nodes.append(
            FlowNode(
                name=op.name,
                layer=self.place[layer] if op.layer is not None else -1,
                rows=rows.rows,
                share=share,
                reads=tuple((source, tuple(need.tolist())) for source, need in reads),
                recurrent=op.layer is not None and any(s in self._state for s in sources),
            )
        )
        self.rows.append(rows)
        self._behind.append(self._input_behind(rows, reads, is_input))

    def _rows_of(self, op: Op, sources: list[int]) -> _Rows:
        layer, dims = op.layer, len(op.shape)
        if layer is not None:
            tall = layer.out_height > 1
            one_place = layer.mvms == layer.out_height * layer.out_width
            lines = (layer.out_height if tall else layer.out_width) if one_place else 1
            return _Rows(lines, dims - 2 if op.kind is OpKind.LINEAR else min(2, dims - 1))
        if op.kind is OpKind.INPUT:
            return _Rows(op.shape[2], 2) if dims == 4 else _Rows(op.shape[1] if dims == 3 else 1, 1)
        if op.kind is OpKind.POOL and dims in (3, 4) and op.pool is not None:
            return _Rows(op.shape[2], 2)
        for source in sources:
            if self._passes_on(op, source):
                return self.rows[source]
        return _Rows(1, 0)

    def _passes_on(self, op: Op, source: int) -> bool:
        """Whether an operation computes every row from the same row of a source."""
        rows = self.rows[source]
        if op.kind not in _ROW_BY_ROW and op.target not in _HANDS_ON:
            return False
        if op.kind is OpKind.NORM and rows.axis != len(op.shape) - 2:
            return False  # statistics over a map
        if op.kind is OpKind.CAT and rows.axis != 2:
            return False
        return rows.axis < len(op.shape) and op.shape[rows.axis] == rows.lines

    def _needs(self, op: Op, rows: _Rows, source: int) -> Needs:
        own, other = rows.rows, self.rows[source]
        everything = np.full(own, other.rows, dtype=np.int64)
        layer = op.layer
        if layer is not None:
            tall = layer.in_height > 1
            lines = layer.in_height if tall else layer.in_width
            if lines != other.lines or (rows.lines == 1 and layer.out_pixels > 1):
                return everything
            size = (
                (layer.kernel_h, layer.stride_h, layer.padding_h, layer.dilation_h)
                if tall
                else (layer.kernel_w, layer.stride_w, layer.padding_w, layer.dilation_w)
            )
            kernel, stride, padding, dilation = size
            span = dilation * (kernel - 1) + 1
            return window_needs(own=rows, source=other, kernel=span, stride=stride, padding=padding)
        if op.pool is not None:
            if other.axis != rows.axis:
                return everything
            side = 0 if len(op.shape) == 4 else 1
            pool = op.pool
            return window_needs(
                own=rows,
                source=other,
                kernel=pool.kernel[side],
                stride=pool.stride[side],
                padding=pool.padding[side],
            )
        if rows == other and self._passes_on(op, source):
            return np.arange(1, own + 1, dtype=np.int64)
        return everything

    def _keep(self, op: Op, layer: MvmLayer, reads: list[tuple[int, Needs]]) -> None:
        """Count the lines of a layer's input that are kept."""
        streams = any(need[0] < self.rows[source].rows for source, need in reads)
        tall = layer.in_height > 1
        lines = layer.in_height if tall else layer.in_width
        kernel = layer.dilation_h * (layer.kernel_h - 1) + 1
        stride = layer.stride_h
        if not tall:
            kernel, stride = layer.dilation_w * (layer.kernel_w - 1) + 1, layer.stride_w
        share = min(1.0, (kernel + stride) / lines) if streams or not reads else 1.0
        index = self.place[op.reuses or op.name]
        self.kept[index] = max(share, self.kept.get(index, 0.0))

    def _wait(self, op: Op, rows: _Rows, reads: list[tuple[int, Needs]]) -> None:
        """Count the lines that wait for the branch that needs more of the network's input."""
        behind = [self._behind[source][need - 1] for source, need in reads]
        latest = np.maximum.reduce(behind)
        for (source, _), own in zip(reads, behind, strict=True):
            if source < 0 or (own >= latest).all():
                continue
            there = np.searchsorted(self._behind[source], latest, side="right")
            lines = int((there - np.arange(there.size)).max()) + 1
            share = min(1.0, lines / self.rows[source].rows)
            self.waiting += share * op.elements / (len(reads) if op.kind is OpKind.CAT else 1)

    def _input_behind(self, rows: _Rows, reads: list[tuple[int, Needs]], is_input: bool) -> Needs:
        own = rows.rows
        if is_input:
            return (np.arange(1, own + 1) * _WHOLE // own).astype(np.int64)
        behind = [self._behind[source][need - 1] for source, need in reads]
        return np.maximum.reduce(behind) if behind else np.zeros(own, dtype=np.int64)


#: The network's input, in the unit in which what lies behind a row is counted.
_WHOLE = 10**6
#: Kinds that compute a row from the same row of each operand.
_ROW_BY_ROW = frozenset(
    {
        *(OpKind.BATCH_NORM, OpKind.RELU, OpKind.ACTIVATION, OpKind.ADD, OpKind.ELEMENTWISE),
        *(OpKind.DROPOUT, OpKind.NORM, OpKind.CAT),
    }
)
#: Operators that move data and keep rows where they are.
_HANDS_ON = frozenset(
    {"recurrent_state", "getitem", "lstm", "gru", "rnn_tanh", "rnn_relu", "contiguous", "to"}
)
