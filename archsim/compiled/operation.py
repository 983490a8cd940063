"""One loop of a program: an instruction on every element of a shape, for every design."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from archsim.compiled.views import View

#: A view, or a number that is the same in every design and setting.
Operand = View | float


@dataclass(frozen=True)
class Lookup:
    """Which element of an axis of a view is read: the first argument, within the axis.

    Attributes:
        view: without the axis, as the loop has it.
        stride: of the axis.
        length: of the axis.
    """

    view: View
    stride: int
    length: int


@dataclass(frozen=True)
class Operation:
    """An instruction in a loop nest.

    Attributes:
        name: of the instruction (:mod:`archsim.compiled.instructions`), ``lookup``, or that of a
            reduction with ``start``.
        target: what is written, as the loop has it.
        args: what is read, as the loop has it.
        shape: of the loop.
        start: what the whole buffer of the target holds before; None: nothing.
        reduces: the target takes part: ``target = name(target, argument)``.
        lookup: of the instruction ``lookup``.
    """

    name: str
    target: View
    args: tuple[Operand, ...]
    shape: tuple[int, ...]
    start: float | None = None
    reduces: bool = False
    lookup: Lookup | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """All views that it reads, but the target of a reduction."""
        read = tuple(arg for arg in self.args if isinstance(arg, View))
        return read if self.lookup is None else (*read, self.lookup.view)

    @property
    def through_memory(self) -> bool:
        """Whether the target is complete only when the loop has ended."""
        return self.start is not None or not self.target.is_whole


@dataclass(eq=False)
class Program:
    """Loops over one block of designs.

    Attributes:
        sizes: elements of each buffer.
        operations: in an order that computes everything before it is read.
        inputs: buffers that are given, by name.
        outputs: values that are taken, by name.
        constants: numbers that views of :data:`archsim.compiled.views.CONSTANTS` read.
    """

    sizes: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    inputs: dict[str, View] = field(default_factory=dict)
    outputs: dict[str, Operand] = field(default_factory=dict)
    constants: np.ndarray = field(default_factory=lambda: np.zeros(0))
