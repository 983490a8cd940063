"""What every front end hands over: the calls of a model, with weights told apart from data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archsim.network.source import Recipe


@dataclass(frozen=True, kw_only=True)
class Data:
    """A tensor computed from the network input, by the call ``id``."""

    id: str
    shape: tuple[int, ...]
    is_complex: bool = False


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A tensor that does not depend on the network input.

    Attributes:
        name: Name in ``state_dict`` of the tensor that it is, or is computed from.
        shape: Its shape where it is used (a transpose or a slice may differ from the original).
        elements: Real numbers of the original: a complex one is two.
        trainable: Whether the original is a parameter, rather than a buffer or a constant.
        formula: How it is computed from the original; empty for the original itself. Weights of
            equal name and formula have equal values.
        is_complex: Whether it is of complex numbers where it is used.
        recipe: The same in a form that can be computed anew; None where that is not known.
    """

    name: str
    shape: tuple[int, ...]
    elements: int
    trainable: bool
    formula: str = ""
    is_complex: bool = False
    recipe: Recipe | None = field(default=None, compare=False, repr=False)

    @property
    def owner(self) -> str:
        """Name of the matrix: the module path for ``<path>.weight``, or the like."""
        name = re.sub(r"\.parametrizations\.(\w+)\.original\d*$", r".\1", self.name)
        name = re.sub(r"\.weight(_[gv]|_orig)$", ".weight", name)
        return re.sub(r"[._]weight$", "", name) or name


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operator call.

    Attributes:
        id: Unique name within the trace.
        op: Operator name, without namespace, overload or in-place mark.
        args: Arguments by name; tensors are :class:`Data` or :class:`Weight`.
        shape: Shape of the (first) output.
        module: Path of the module whose ``forward`` makes the call.
        leaf: Whether that module is a PyTorch layer without children, so that it names the call.
    """

    id: str
    op: str
    args: Mapping[str, object]
    shape: tuple[int, ...]
    module: str
    leaf: bool

    @property
    def operands(self) -> tuple[Data | Weight, ...]:
        """All tensor arguments in order, those in lists included."""
        return tuple(_tensors(self.args.values()))

    @property
    def data(self) -> tuple[Data, ...]:
        """The operands computed from the network input."""
        return tuple(operand for operand in self.operands if isinstance(operand, Data))

    @property
    def name(self) -> str:
        """Name for the operation: the module path where the call is a module, else path and op."""
        if self.leaf and self.module:
            return self.module
        return f"{self.module}.{self.op}" if self.module else self.op


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The calls of a model in execution order, its inputs, and the calls that its outputs read.

    ``constant`` are computations of stored tensors alone, which take no call of their own.
    """

    inputs: tuple[Data, ...]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
    constant: tuple[Call, ...] = ()


def _tensors(values: object) -> Iterator[Data | Weight]:
    if isinstance(values, Data | Weight):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(values.values())
    elif isinstance(values, Iterator) or (
        hasattr(values, "__iter__") and not isinstance(values, str | bytes)
    ):
        for value in values:
            yield from _tensors(value)
