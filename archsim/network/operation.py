"""The nodes of a layer graph: every operation of the model, whether a crossbar runs it or not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from archsim.network.layer import MvmLayer, Pool


class OpKind(StrEnum):
    """What an operation asks of the hardware."""

    INPUT = "input"
    CONV = "conv"
    LINEAR = "linear"
    BATCH_NORM = "batch_norm"
    NORM = "norm"  # layer, group, instance and RMS norm: statistics at run time
    RELU = "relu"
    ACTIVATION = "activation"  # any other non-linearity
    POOL = "pool"
    ADD = "add"
    ELEMENTWISE = "elementwise"
    REDUCE = "reduce"
    SOFTMAX = "softmax"
    MATMUL = "matmul"  # two operands computed at run time: no weights to store in NVM cells
    ATTENTION = "attention"  # scaled dot product: two such products and a softmax
    EMBEDDING = "embedding"
    CAT = "cat"
    RESHAPE = "reshape"  # moves data, computes nothing
    DROPOUT = "dropout"  # the identity at inference
    OTHER = "other"


#: Kinds that the crossbars run.
MATRIX_KINDS = frozenset({OpKind.CONV, OpKind.LINEAR})
#: Kinds that compute nothing.
FREE_KINDS = frozenset({OpKind.INPUT, OpKind.CAT, OpKind.RESHAPE, OpKind.DROPOUT})
#: Kinds that digital circuits beside the crossbars run.
DIGITAL_KINDS = frozenset(OpKind) - MATRIX_KINDS - FREE_KINDS - {OpKind.OTHER}


@dataclass(frozen=True, kw_only=True)
class Op:
    """One operation of the model.

    Attributes:
        name: Unique; the module path where the operation is a module, else path and operation.
        kind: What it asks of the hardware.
        target: Name of the PyTorch operator (``conv2d``, ``relu``...).
        shape: Shape of its output, with the batch axis of 1 first.
        module: Path of the module whose ``forward`` calls it (for a leaf module, its own path).
        inputs: Names of the operations it reads, in argument order.
        layer: The matrix layer, where ``kind`` is conv or linear.
        pool: The window, where ``kind`` is pool.
        macs: Multiply-accumulates of a digital matrix product, else 0.
    """

    name: str
    kind: OpKind
    target: str
    shape: tuple[int, ...]
    module: str = ""
    inputs: tuple[str, ...] = ()
    layer: MvmLayer | None = None
    pool: Pool | None = None
    macs: int = 0

    @property
    def elements(self) -> int:
        """Number of output values per network input."""
        return math.prod(self.shape)


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
    """

    name: str
    kind: OpKind
    target: str
    reads: int
    elements: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class UnmappedOp:
    """An operation that archsim does not know: neither mapped nor priced."""

    name: str
    op: str
    shape: tuple[int, ...]
