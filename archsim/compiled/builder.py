"""A program in the making: what an argument of an operation is, and where its result goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archsim.compiled.operation import Lookup, Operand, Operation, Program
from archsim.compiled.record import Ref, Tape
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.views import CONSTANTS, View, packed

#: Whole numbers are exact below.
_EXACT = 2.0**53


class Builder:
    """Adds operations to a program.

    Attributes:
        tape: the recording.
        program: so far.
        values: what each recorded value is.
    """

    def __init__(self, tape: Tape) -> None:
        """Begin a program.

        Args:
            tape: the recording.
        """
        self.tape = tape
        self.program = Program()
        self.values: dict[int, Operand] = {}
        # The table begins with a number that nobody reads, so that it is never empty.
        self._constants: list[np.ndarray] = [np.zeros(1)]
        self._constant_views: dict[tuple[tuple[int, ...], bytes], View] = {}
        self._length = 1

    @property
    def constants(self) -> np.ndarray:
        """The table of constants."""
        return np.concatenate(self._constants)

    def operand(self, value: Any, shape: tuple[int, ...]) -> Operand:
        """Return an argument, broadcast to a shape.

        Args:
            value: of a step: a value, a constant or a number.
            shape: without the batch axis.

        Raises:
            NotCompiledError: it has other axes, or is nothing of the three.
        """
        if isinstance(value, Ref):
            own = self.values[value.number]
            if isinstance(own, View) and len(own.shape) != len(shape):
                raise NotCompiledError("values of single designs with axes in another place")
            return own.expanded(shape) if isinstance(own, View) else own
        if isinstance(value, Tensor):
            return self.constant(value, len(shape)).expanded(shape)
        if isinstance(value, (bool, int, float)):
            return float(value)
        raise NotCompiledError(f"an argument of type {type(value).__name__}")

    def view(self, value: Any) -> View:
        """Return the view of a recorded value."""
        own = self.values[value.number] if isinstance(value, Ref) else None
        if not isinstance(own, View):
            raise NotCompiledError("an operation on a constant where one on designs was expected")
        return own

    def constant(self, tensor: Tensor, axes: int) -> View:
        """Return the view of a constant without the batch axis."""
        count = self.tape.count
        if tensor.dim() == axes + 1:
            if tensor.shape[0] not in (1, count):
                raise NotCompiledError("a constant with another number of designs")
            if not bool((tensor == tensor[:1]).all() | tensor.isnan().all()):
                raise NotCompiledError("a constant that differs between designs")
            tensor = tensor[0]
        elif tensor.dim() > axes or count in tensor.shape:
            raise NotCompiledError("a constant with axes in another place")
        values = tensor.detach().to(torch.float64).contiguous().numpy()
        if tensor.dtype is torch.int64 and (np.abs(values) >= _EXACT).any():
            raise NotCompiledError("whole numbers of 2^53 and more")
        shape = tuple(tensor.shape)
        key = shape, values.tobytes()
        if key not in self._constant_views:
            self._constant_views[key] = View(CONSTANTS, self._length, shape, packed(shape))
            self._constants.append(values.reshape(-1))
            self._length += values.size
        return self._constant_views[key]

    def buffer(self, shape: tuple[int, ...]) -> View:
        """Return a new buffer."""
        self.program.sizes.append(math.prod(shape))
        return View(len(self.program.sizes) - 1, 0, shape, packed(shape))

    def emit(self, name: str, shape: tuple[int, ...], *args: Operand) -> View:
        """Add an operation on each element of a shape."""
        target = self.buffer(shape)
        self.program.operations.append(Operation(name, target, args, shape))
        return target

    def reduce(self, name: str, start: float, view: View, axes: Sequence[int]) -> View:
        """Add a reduction; the axes stay, with length one."""
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(view.shape))
        target = self.buffer(kept)
        self.program.operations.append(
            Operation(name, target.expanded(view.shape), (view,), view.shape, start, reduces=True)
        )
        return target

    def reshaped(self, view: View, shape: tuple[int, ...]) -> View:
        """Give another shape to the same elements, moved where strides cannot say it."""
        other = view.reshaped(shape)
        if other is None:
            other = self.emit("copy", view.shape, view).reshaped(shape)
        if other is None:
            raise NotCompiledError("a shape that does not follow from another")
        return other

    def lookup(self, view: View, axis: int, index: Operand, shape: tuple[int, ...]) -> View:
        """Read the element of an axis that the index says, all else as in the loop."""
        stride, length = view.strides[axis], view.shape[axis]
        rest = view.selected(axis, 0)
        if len(rest.shape) < len(shape):
            rest = rest.unsqueezed(axis)
        target = self.buffer(shape)
        lookup = Lookup(rest.expanded(shape), stride, length)
        self.program.operations.append(Operation("lookup", target, (index,), shape, lookup=lookup))
        return target


def axis_of(dim: int, view: View) -> int:
    """Return the axis of a view for one that counts the batch."""
    axis = dim % (len(view.shape) + 1) - 1
    if axis < 0:
        raise NotCompiledError("an operation along the batch")
    return axis
