"""Work beside the crossbars: what each digital operation asks of a unit of multiply-adders.

Operations per value count multiply-adds of integer arithmetic, after I-BERT (S. Kim et al., ICML
2021, arXiv:2101.01321): GELU is a polynomial of degree two and a product, the exponential of a
softmax another such polynomial beside a maximum, a sum and a scaling; a layer norm sums, sums
squares, scales and shifts. Other non-linear functions are taken to need as much as GELU.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from archsim.network.operation import Op, OpKind

#: Multiply-adds per value.
_PER_INPUT = {OpKind.SOFTMAX: 5, OpKind.ACTIVATION: 3, OpKind.REDUCE: 1, OpKind.POOL: 1}
_PER_OUTPUT = {OpKind.NORM: 4, OpKind.BATCH_NORM: 1, OpKind.ELEMENTWISE: 1, OpKind.ADD: 1}
#: Products of two run-time operands; the operands of one are read again and again.
PRODUCT_KINDS = frozenset({OpKind.MATMUL, OpKind.ATTENTION})


@dataclass(frozen=True, kw_only=True)
class DigitalOp:
    """Work beside the crossbars, sized so that it can be priced.

    Attributes:
        name: The operation.
        kind: Its kind.
        target: Name of the PyTorch operator.
        reads: Input values per network input, over its distinct operands that are data.
        elements: Output values per network input.
        macs: Multiply-accumulates of a product of two run-time operands, else 0.
        operations: Further multiply-adds: those of functions, sums and norms.
        lookups: Values read from a table in memory (embeddings).
        stored: Values of that table.
        trained: Other trained tensors that it reads: name and values of each.
        absorbed: Whether it costs nothing here: a batch norm that is folded into the weights before
            it, or what the cost engine prices with the matrix layer (its pooling and ReLU, adds of
            two maps).
    """

    name: str
    kind: OpKind
    target: str
    reads: int
    elements: int
    macs: int
    operations: int = 0
    lookups: int = 0
    stored: int = 0
    absorbed: bool = False
    trained: tuple[tuple[str, int], ...] = ()


def digital_op(op: Op, reads: int, followers: Collection[str]) -> DigitalOp:
    """Size a digital operation.

    Args:
        op: The operation.
        reads: Values of its operands that are data.
        followers: Operations that belong to the matrix layer before them.
    """
    absorbed = _absorbed(op, followers)
    return DigitalOp(
        name=op.name,
        kind=op.kind,
        target=op.target,
        reads=reads,
        elements=op.elements,
        macs=op.macs,
        operations=0 if absorbed else _operations(op, reads),
        lookups=_lookups(op, reads),
        stored=op.stored if op.kind is OpKind.EMBEDDING else 0,
        trained=op.trained,
        absorbed=absorbed,
    )


def _absorbed(op: Op, followers: Collection[str]) -> bool:
    if op.kind is OpKind.RELU:
        return True
    if op.kind is OpKind.ADD:
        return len(op.inputs) > 1
    return op.kind in (OpKind.BATCH_NORM, OpKind.POOL) and op.name in followers


def _operations(op: Op, reads: int) -> int:
    if op.kind is OpKind.ATTENTION:
        return op.scores * _PER_INPUT[OpKind.SOFTMAX]
    return reads * _PER_INPUT.get(op.kind, 0) + op.elements * _PER_OUTPUT.get(op.kind, 0)


def _lookups(op: Op, reads: int) -> int:
    """Values looked up: those of the output, or of all rows that a bag adds up."""
    if op.kind is not OpKind.EMBEDDING:
        return 0
    return reads * op.shape[-1] if op.target == "embedding_bag" else op.elements
