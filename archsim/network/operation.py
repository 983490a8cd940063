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
        macs: Multiply-accumulates of a product that no crossbar runs, else 0.
        scores: Values that an attention puts through its softmax, else 0.
        weight: Name of the tensor behind its matrix or its table, where it has one.
        stored: Values of that tensor.
        trained: Other trained tensors that it reads: name and values of each.
        reuses: The earlier operation whose matrix this one applies again, or "".
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
    scores: int = 0
    weight: str = ""
    stored: int = 0
    trained: tuple[tuple[str, int], ...] = ()
    reuses: str = ""

    @property
    def elements(self) -> int:
        """Number of output values per network input."""
        return math.prod(self.shape)

    @property
    def vectors(self) -> tuple[str, ...]:
        """The operations that give the vectors of its matrix; an index that picks it is none."""
        picked = self.layer is not None and self.layer.picks is not None
        return self.inputs[:1] if picked else self.inputs


@dataclass(frozen=True, kw_only=True)
class UnmappedOp:
    """An operation that archsim does not know: neither mapped nor priced.

    Attributes:
        name: The operation.
        op: Name of the PyTorch operator.
        shape: Shape of its output; empty where it is not known.
        macs: Its multiply-accumulates, 0 for an operator that has none.
        share: Its share of all multiply-accumulates of the network; of all values that operations
            compute, where it has no multiply-accumulates; None where its shape is not known.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    macs: int = 0
    share: float | None = 0.0


@dataclass(frozen=True, kw_only=True)
class Experts:
    """A layer that stores several matrices, of which an index picks those that work.

    Attributes:
        name: The layer.
        stored: Matrices that it stores.
        active: How many of them one vector goes through; None where it is not known.
        picks: Vectors that go through one matrix, over all matrices, per network input.
        weights: Weights of all matrices.
    """

    name: str
    stored: int
    active: int | None
    picks: int
    weights: int

    def to_dict(self) -> dict[str, object]:
        """The entry of ``experts`` in the JSON of ``archsim map``."""
        each = self.weights // self.stored
        return {
            "name": self.name,
            "stored": self.stored,
            "active": self.active,
            "active_reason": None if self.active is not None else "no top-k of that size before it",
            "picks": self.picks,
            "weights_stored": self.weights,
            "weights_active": None if self.active is None else self.active * each,
        }


@dataclass(frozen=True, kw_only=True)
class Beforehand:
    """A product of stored tensors alone: constant-folded, and in no layer.

    Attributes:
        name: The operation.
        op: Name of its operator.
        macs: Its multiply-accumulates.
    """

    name: str
    op: str
    macs: int


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Multiply-accumulates of a network by what runs them, per network input.

    Attributes:
        mapped: On crossbars.
        digital: In the digital unit: products of two run-time operands.
        uncovered: Nowhere: products that archsim can neither map nor price.
    """

    mapped: int
    digital: int
    uncovered: int

    @property
    def macs(self) -> int:
        """All of them."""
        return self.mapped + self.digital + self.uncovered

    @property
    def share(self) -> float:
        """Share that is mapped or priced."""
        return (self.mapped + self.digital) / self.macs

    def to_dict(self) -> dict[str, float | int]:
        """The part ``coverage`` of the JSON of ``archsim map``; shares are fractions."""
        return {
            "macs": self.macs,
            "covered_share": self.share,
            "mapped_share": self.mapped / self.macs,
            "digital_share": self.digital / self.macs,
            "uncovered_share": self.uncovered / self.macs,
        }


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over a network, per network input.

    Attributes:
        weights: Weights of the matrix layers, without biases.
        biases: Their biases.
        macs: Their multiply-accumulates; digital products not counted.
        parameters: All trainable parameters of the model, batch norm included.
    """

    weights: int
    biases: int
    macs: int
    parameters: int
