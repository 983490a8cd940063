"""Where the values of a program lie: views of buffers, and of the table of constants.

A buffer holds one value for all designs of a block; its last axis, the lanes, are the designs. What
is said here of shapes and strides is without lanes: a stride of 1 is one row of lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from archsim.compiled.refusal import NotCompiledError

#: Store of :attr:`View.store` that stands for the table of constants, which has no lanes.
CONSTANTS = -1


@dataclass(frozen=True)
class View:
    """Part of a buffer, with any strides.

    Attributes:
        store: number of the buffer, or :data:`CONSTANTS`.
        offset: of its first element.
        shape: without lanes.
        strides: as long as the shape.
    """

    store: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def expanded(self, shape: Sequence[int]) -> View:
        """Broadcast to a shape.

        Args:
            shape: of at least as many axes.

        Raises:
            NotCompiledError: it does not broadcast.
        """
        more = len(shape) - len(self.shape)
        own, strides = (1,) * more + self.shape, (0,) * more + self.strides
        if more < 0 or any(a not in (1, b) for a, b in zip(own, shape, strict=True)):
            raise NotCompiledError(f"values of shape {self.shape} do not broadcast to {shape}")
        kept = tuple(0 if a == 1 else s for a, s in zip(own, strides, strict=True))
        return replace(self, shape=tuple(shape), strides=kept)

    def selected(self, axis: int, index: int) -> View:
        """Take one element of an axis, which goes."""
        offset = self.offset + index * self.strides[axis]
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return View(self.store, offset, shape, self.strides[:axis] + self.strides[axis + 1 :])

    def sliced(self, axis: int, start: int, length: int, step: int = 1) -> View:
        """Take some elements of an axis."""
        shape, strides = list(self.shape), list(self.strides)
        offset = self.offset + start * strides[axis]
        shape[axis], strides[axis] = length, strides[axis] * step
        return View(self.store, offset, tuple(shape), tuple(strides))

    def unsqueezed(self, axis: int) -> View:
        """Give an axis of length one."""
        shape = (*self.shape[:axis], 1, *self.shape[axis:])
        return View(self.store, self.offset, shape, (*self.strides[:axis], 0, *self.strides[axis:]))

    def permuted(self, order: Sequence[int]) -> View:
        """Put the axes into another order."""
        shape = tuple(self.shape[axis] for axis in order)
        return replace(self, shape=shape, strides=tuple(self.strides[axis] for axis in order))

    def reshaped(self, shape: tuple[int, ...]) -> View | None:
        """Give another shape to the same elements; None where strides cannot say that."""
        if packed(self.shape) == _without_ones(self):
            return View(self.store, self.offset, shape, packed(shape))
        old = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        if [n for n, _ in old] != [n for n in shape if n != 1]:
            return None
        left: Iterator[tuple[int, int]] = iter(old)
        strides = tuple(0 if n == 1 else next(left)[1] for n in shape)
        return replace(self, shape=shape, strides=strides)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole buffer in order."""
        return self.offset == 0 and _without_ones(self) == packed(self.shape)


def packed(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a buffer without gaps, last axis fastest; 0 for axes of length one.

    Args:
        shape: of the buffer.
    """
    strides, size = [], 1
    for length in reversed(shape):
        strides.append(size if length != 1 else 0)
        size *= length
    return tuple(reversed(strides))


def _without_ones(view: View) -> tuple[int, ...]:
    return tuple(s if n != 1 else 0 for n, s in zip(view.shape, view.strides, strict=True))
