"""The layer graph: a network as the mapping compiler and the cost engine read it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import networkx as nx

from archsim.errors import Code, NetworkError
from archsim.network import insertion
from archsim.network.digital import DigitalOp, digital_op
from archsim.network.insertion import InsertionPoint
from archsim.network.layer import MvmLayer
from archsim.network.operation import (
    DIGITAL_KINDS,
    FREE_KINDS,
    Beforehand,
    Coverage,
    Experts,
    Op,
    OpKind,
    Totals,
    UnmappedOp,
)
from archsim.network.source import LayerMatrix, Origins

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """All operations of a network and the data flow between them; cannot be changed.

    Build it with :meth:`from_ops` (or :func:`archsim.network.trace.trace`); the constructor checks
    it. Nodes are in execution order and carry an :class:`~archsim.network.operation.Op` as ``op``.

    Attributes:
        name: Name of the network.
        input_shape: Shape of one input, without the batch axis.
        graph: The data flow, frozen.
        parameters: Trainable parameters of the model.
        beforehand: Products that do not depend on the input; they are not among the operations.
        notes: How the model was read where that is not plain, one sentence each.
        origins: Where the matrices of layers come from, as far as that is known.

    Raises:
        NetworkError: The graph has a cycle or contradictory shapes; see :meth:`validate`.
    """

    name: str
    input_shape: tuple[int, ...]
    graph: nx.DiGraph[str]
    parameters: int
    beforehand: tuple[Beforehand, ...] = ()
    notes: tuple[str, ...] = ()
    origins: Origins = field(default_factory=Origins)

    def __post_init__(self) -> None:
        """Check the graph and freeze it."""
        self.validate()
        nx.freeze(self.graph)

    @classmethod
    def from_ops(
        cls,
        name: str,
        input_shape: tuple[int, ...],
        ops: Iterable[Op],
        parameters: int = 0,
        beforehand: tuple[Beforehand, ...] = (),
        notes: tuple[str, ...] = (),
        origins: Origins | None = None,
    ) -> LayerGraph:
        """Build a graph of operations given in execution order.

        Args:
            name: Name of the network.
            input_shape: Shape of one input, without the batch axis.
            ops: The operations; each may read only from those before it.
            parameters: Trainable parameters of the model; 0 if unknown.
            beforehand: Products that do not depend on the input.
            notes: How the model was read where that is not plain.
            origins: Where the matrices of layers come from.

        Raises:
            NetworkError: A name is used twice, an input comes later or is missing, or
                :meth:`validate` objects.
        """
        graph: nx.DiGraph[str] = nx.DiGraph()
        for op in ops:
            if op.name in graph:
                raise NetworkError(
                    f"network '{name}': two operations are called '{op.name}'",
                    code=Code.GIVEN_TWICE,
                    field=op.name,
                )
            missing = [source for source in op.inputs if source not in graph]
            if missing:
                raise NetworkError(
                    f"network '{name}': '{op.name}' reads '{missing[0]}', which no earlier "
                    "operation computes; give the operations in execution order, without cycles",
                    code=Code.UNKNOWN_NAME,
                    field=op.name,
                    value=missing[0],
                )
            graph.add_node(op.name, op=op)
            graph.add_edges_from((source, op.name) for source in op.inputs)
        known = origins or Origins()
        return cls(name, input_shape, graph, parameters, beforehand, notes, known)

    def validate(self) -> None:
        """Check that the graph is acyclic, holds a matrix layer, and that the shapes agree.

        Raises:
            NetworkError: One of these does not hold; the message names the operation.
        """
        if not nx.is_directed_acyclic_graph(self.graph):
            cycle = " -> ".join(edge[0] for edge in nx.find_cycle(self.graph))
            raise NetworkError(
                f"network '{self.name}': cycle {cycle}; only feed-forward is mapped",
                code=Code.CONFLICT,
                field=self.name,
                value=cycle,
            )
        if not any(op.layer for op in self.ops):
            raise NetworkError(
                f"network '{self.name}' has no convolution and no linear layer: nothing to map",
                code=Code.EMPTY,
                field=self.name,
            )
        for op in self.ops:
            if op.layer is not None:
                self._check_layer(op, op.layer)

    def _check_layer(self, op: Op, layer: MvmLayer) -> None:
        if op.elements != layer.group_mvms * (layer.out_channels // layer.groups):
            raise NetworkError(
                f"network '{self.name}', layer '{layer.name}': output shape {op.shape} holds "
                f"{op.elements} values, but {layer.mvms} products of {layer.out_channels} outputs "
                f"make {layer.group_mvms * layer.out_channels // layer.groups}",
                code=Code.SHAPE_MISMATCH,
                field=layer.name,
                value=op.shape,
            )
        repeats = layer.mvms // layer.out_pixels
        needed = repeats * layer.in_pixels * layer.in_channels
        if layer.picks is not None:
            needed = layer.picks * layer.in_channels // layer.groups
        for source in op.vectors:
            given = self.op(source)
            # A vector may go through several of the groups that an index picks.
            fits = given.elements == needed or (layer.picks and not needed % given.elements)
            if not fits and given.target not in _MANY_OUTPUTS:
                raise NetworkError(
                    f"network '{self.name}', layer '{layer.name}': it reads {layer.in_channels} x "
                    f"{layer.in_height} x {layer.in_width} values, but '{source}' gives shape "
                    f"{given.shape}",
                    code=Code.SHAPE_MISMATCH,
                    field=layer.name,
                    value=(layer.in_channels, layer.in_height, layer.in_width),
                    allowed=str(given.shape),
                )

    @property
    def ops(self) -> tuple[Op, ...]:
        """All operations in execution order."""
        return tuple(self.op(name) for name in self.graph)

    def op(self, name: str) -> Op:
        """The operation called ``name``.

        Raises:
            KeyError: There is none.
        """
        op: Op = self.graph.nodes[name]["op"]
        return op

    @property
    def layers(self) -> tuple[MvmLayer, ...]:
        """The matrix layers in execution order; one that is applied again is there once.

        Its ``mvms`` are then those of all its ``uses``, and its shape that of the first.
        """
        applied: dict[str, list[MvmLayer]] = {}
        for op in self.ops:
            if op.layer is not None:
                applied.setdefault(op.reuses or op.name, []).append(op.layer)
        return tuple(uses[0] if len(uses) == 1 else _of_all_uses(uses) for uses in applied.values())

    @property
    def first_layers(self) -> tuple[str, ...]:
        """Names of the matrix layers that read the network input through no other matrix layer."""
        behind: set[str] = set()
        first = []
        for op in self.ops:
            if any(source in behind for source in op.inputs):
                behind.add(op.name)
            elif op.layer is not None:
                first.append(op.name)
                behind.add(op.name)
        return tuple(first)

    @property
    def totals(self) -> Totals:
        """Weights, biases and multiply-accumulates of the layers; parameters of the model."""
        return Totals(
            weights=sum(layer.weights for layer in self.layers),
            biases=sum(layer.biases for layer in self.layers),
            macs=sum(layer.macs for layer in self.layers),
            parameters=self.parameters,
        )

    @property
    def digital(self) -> tuple[DigitalOp, ...]:
        """Operations that run beside the crossbars, products of two run-time operands included."""
        followers = {name for layer in self.layers for name in layer.followers}
        return tuple(
            digital_op(op, sum(self.op(source).elements for source in op.inputs), followers)
            for op in self.ops
            if op.kind in DIGITAL_KINDS
        )

    @property
    def coverage(self) -> Coverage:
        """Multiply-accumulates on crossbars, in the digital unit, and nowhere."""
        return Coverage(
            mapped=self.totals.macs,
            digital=sum(op.macs for op in self.ops if op.kind in DIGITAL_KINDS),
            uncovered=sum(op.macs for op in self.ops if op.kind is OpKind.OTHER),
        )

    @property
    def unmapped(self) -> tuple[UnmappedOp, ...]:
        """Operations that archsim does not know; no cost is counted for them."""
        unknown = [op for op in self.ops if op.kind is OpKind.OTHER]
        if not unknown:
            return ()
        macs = self.coverage.macs
        computed = sum(op.elements for op in self.ops if op.kind not in FREE_KINDS)
        return tuple(
            UnmappedOp(
                name=op.name,
                op=op.target,
                shape=op.shape,
                macs=op.macs,
                share=_share(op, macs, computed),
            )
            for op in unknown
        )

    @property
    def experts(self) -> tuple[Experts, ...]:
        """Matrix layers of which a computed index picks the groups that work."""
        return tuple(
            Experts(
                name=layer.name,
                stored=layer.groups,
                active=insertion.picked_of(self.graph, layer),
                picks=layer.picks,
                weights=layer.weights,
            )
            for layer in self.layers
            if layer.picks is not None
        )

    @property
    def tied(self) -> tuple[tuple[str, str], ...]:
        """``(matrix layer, other)`` where both hold the same tensor, each in its own way.

        A decoder that is tied to an embedding is one, or a matrix that is used as it is and
        transposed. Both are stored: one in cells, the other in cells or in memory.
        """
        first: dict[str, str] = {}
        pairs = []
        for op in self.ops:
            if not op.weight or op.reuses:
                continue
            other = first.setdefault(op.weight, op.name)
            holds = self.op(other).stored, op.layer.weights if op.layer else op.stored
            if other != op.name and holds[0] == holds[1]:
                pairs.append((op.name, other))
        return tuple(pairs)

    @property
    def stored(self) -> tuple[LayerMatrix, ...]:
        """The matrices that a chip stores, one per matrix layer, and where each comes from."""
        matrices, known = [], self.origins
        for layer in self.layers:
            source = known.sources.get(layer.name)
            alone = source is not None and known.reads.isdisjoint(source.recipe.tensors)
            matrices.append(
                LayerMatrix(layer=layer.name, source=source, elements=layer.weights, alone=alone)
            )
        return tuple(matrices)

    @property
    def residual_edges(self) -> tuple[tuple[str, str], ...]:
        """``(source, add)`` for the shortcut into each residual add."""
        return tuple((r.skip_from, r.add) for r in insertion.residual_adds(self.graph))

    @property
    def shortcut_layers(self) -> tuple[str, ...]:
        """Names of the matrix layers on shortcuts (the 1x1 downsample convolutions of a ResNet)."""
        residuals = insertion.residual_adds(self.graph)
        return tuple(layer for residual in residuals for layer in residual.shortcut_layers)

    def insertion_points(
        self, rule: str = "default", *, include_shortcuts: bool = False
    ) -> tuple[InsertionPoint, ...]:
        """Places for a TSB, in execution order.

        Args:
            rule: ``convolution``: after every convolution, before its batch norm and pooling.
                ``residual_block``: after every residual add. ``default``: after residual adds if
                there are any, else after convolutions. ``pattern:NAMES``: after the operations or
                modules of these names, separated by commas; ``*`` stands for a part of a module
                path between dots, ``**`` for several parts: ``pattern:blocks.*.mlp.fc2``.
            include_shortcuts: Whether ``convolution`` also takes those on shortcuts (the 1x1
                downsample convolutions). Off, because the paper inserts in the main path only.

        Raises:
            NetworkError: The rule is unknown, or finds no place in this network, or one without
                channels.
        """
        return insertion.insertion_points(
            self.graph, self.name, rule, include_shortcuts=include_shortcuts
        )

    def to_frame(self) -> pandas.DataFrame:
        """One row per matrix layer: name, shapes, matrix size, weights, macs, what follows."""
        from archsim.network.render import layer_frame

        return layer_frame(self)

    def dump(self) -> str:
        """The whole graph as text, one operation a line; equal graphs give equal text."""
        from archsim.network.render import dump_text

        return dump_text(self)

    def _repr_html_(self) -> str:
        """The table of layers, for notebooks."""
        from archsim.network.render import layer_html

        return layer_html(self)

    def __repr__(self) -> str:
        """One line: name, input, layers, weights."""
        shape = "x".join(map(str, self.input_shape))
        return (
            f"LayerGraph('{self.name}', input {shape}, {len(self.layers)} layers, "
            f"{self.totals.weights} weights)"
        )


def _of_all_uses(uses: Sequence[MvmLayer]) -> MvmLayer:
    """A matrix that is applied at several places, with the vectors of all."""
    picks = None
    if any(use.picks is not None for use in uses):
        picks = sum(use.group_mvms for use in uses)
    mvms = sum(use.mvms for use in uses)
    return replace(uses[0], uses=len(uses), mvms=mvms, picks=picks)


def _share(op: Op, macs: int, computed: int) -> float | None:
    """Share of an operation in all multiply-accumulates, or in all computed values."""
    if op.macs:
        return op.macs / macs
    return op.elements / computed if op.shape else None


#: Operators with several outputs: their shape is that of the first, so readers are not checked.
_MANY_OUTPUTS = frozenset(
    {"chunk", "split", "split_with_sizes", "unbind", "tensor_split", "recurrent_state"}
)
