"""Which values of a network can be negative: what the crossbars' inputs have to say a sign of."""

from __future__ import annotations

import networkx as nx

from archsim.network.operation import Op, OpKind

#: Activations whose output is never negative, besides ReLU.
_POSITIVE = frozenset({"relu6", "sigmoid", "hardsigmoid", "softplus"})
#: Element-wise operators whose output is never negative, whatever they read.
_SQUARES = frozenset({"square", "abs", "exp", "sqrt"})
#: Element-wise operators and reductions that keep what they read from becoming negative.
_KEEPING = frozenset(
    {"maximum", "mean", "sum", "amax", "max", "floor", "round", "interpolate"}
    | {"upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"}
    | {"upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"}
)
#: Kinds that hand on values, or averages and maxima of them.
_HANDING_ON = frozenset({OpKind.POOL, OpKind.CAT, OpKind.RESHAPE, OpKind.DROPOUT})


def signed_values(graph: nx.DiGraph[str]) -> frozenset[str]:
    """Return the operations whose output may be negative; the network input may be.

    A ReLU and its like end a sign. Pooling, sums of such maps and what only moves data keep it
    away; every other operation, and a matrix layer, brings it back.

    Args:
        graph: nodes in execution order, each with an :class:`Op` as ``op``.
    """
    signed: set[str] = set()
    for name in graph:
        op: Op = graph.nodes[name]["op"]
        if _may_be_negative(op, any(source in signed for source in op.inputs)):
            signed.add(name)
    return frozenset(signed)


def _may_be_negative(op: Op, reads_signed: bool) -> bool:
    if op.kind in (OpKind.RELU, OpKind.SOFTMAX):
        return op.target.replace("_", "").startswith("log")
    if op.kind is OpKind.ACTIVATION:
        return op.target not in _POSITIVE
    if op.kind is OpKind.ADD or op.target == "mul":
        # A number beside the map, of unknown sign, is no operation.
        return reads_signed or op.target not in ("add", "mul") or len(op.inputs) < 2
    if op.kind in _HANDING_ON or op.target in _KEEPING:
        return reads_signed or not op.inputs
    return op.target not in _SQUARES
