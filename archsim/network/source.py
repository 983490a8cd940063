"""Where the matrix of a layer comes from: stored tensors, what is computed of them, how it lies.

A layer's matrix is a tensor of the model as it is, a part or another view of one (one of three
stacked projections, a transpose), or computed from several (weight norm). A :class:`Recipe` says
which, in a form that can be computed anew from other values; a :class:`MatrixLayout` says where in
the result its outputs and inputs are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

#: Operators that only choose or move values.
_MOVES = frozenset(
    [
        "select",
        "slice",
        "transpose",
        "t",
        "T",
        "mT",
        "numpy_T",
        "permute",
        "view",
        "reshape",
        "_unsafe_view",
        "flatten",
        "unflatten",
        "chunk",
        "split",
        "split_with_sizes",
        "tensor_split",
        "unbind",
        "getitem",
        "unsqueeze",
        "squeeze",
        "contiguous",
        "clone",
        "alias",
        "detach",
        "narrow",
        "movedim",
        "moveaxis",
        "swapaxes",
        "flip",
        "index_select",
        "view_as",
    ]
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Recipe:
    """A stored tensor, or what is computed of stored tensors alone.

    Attributes:
        name: of the tensor in ``state_dict``; "" of what is computed.
        constant: the tensor itself, where the model has no name for it.
        operator: name of what computes it.
        compute: the same as a function; None where it cannot be computed anew.
        args: of the function; recipes among them stand for their values.
        kwargs: the same, by name.
    """

    name: str = ""
    constant: Tensor | None = None
    operator: str = ""
    compute: Callable[..., object] | None = None
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of the stored tensors behind it, each once."""
        return tuple(dict.fromkeys(leaf.name for leaf in self._leaves() if leaf.name))

    @property
    def moves_only(self) -> bool:
        """Whether its values are values of one named tensor, chosen or moved."""
        leaves = {id(leaf): leaf for leaf in self._leaves()}
        if len(leaves) != 1 or not next(iter(leaves.values())).name:
            return False
        return all(not step.operator or step.operator in _MOVES for step in self._steps())

    def value(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Compute it; differentiable where the operators are.

        Args:
            tensors: stored ones by name.

        Raises:
            KeyError: one is missing.
            TypeError: it cannot be computed anew.
        """
        result = self._value(tensors, {})
        if not isinstance(result, Tensor):
            raise TypeError(f"'{self.operator}' gives {type(result).__name__}")
        return result

    def _value(self, tensors: Mapping[str, Tensor], known: dict[int, object]) -> object:
        if id(self) not in known:
            known[id(self)] = self._computed(tensors, known)
        return known[id(self)]

    def _computed(self, tensors: Mapping[str, Tensor], known: dict[int, object]) -> object:
        if self.constant is not None:
            return self.constant
        if self.name:
            return tensors[self.name]
        if self.compute is None:
            raise TypeError(f"'{self.operator}' cannot be computed anew")

        def filled(value: object) -> object:
            if isinstance(value, Recipe):
                return value._value(tensors, known)
            if isinstance(value, list | tuple):
                return type(value)(filled(item) for item in value)
            return value

        args = [filled(value) for value in self.args]
        return self.compute(*args, **{name: filled(v) for name, v in self.kwargs.items()})

    def _steps(self) -> Iterator[Recipe]:
        """It and all that it is computed from, each once."""
        pending: list[object] = [self]
        seen: set[int] = set()
        while pending:
            value = pending.pop()
            if isinstance(value, list | tuple):
                pending += value
            elif isinstance(value, Recipe) and id(value) not in seen:
                seen.add(id(value))
                yield value
                pending += [*value.args, *value.kwargs.values()]

    def _leaves(self) -> Iterator[Recipe]:
        return (step for step in self._steps() if step.name or step.constant is not None)


@dataclass(frozen=True, kw_only=True)
class MatrixLayout:
    """How a matrix lies in the tensor that an operator takes.

    Attributes:
        split: axes of the tensor, some of them split in several.
        axes: order of those in the matrix: outputs (of stacked matrices one after the other), then
            inputs.
        shape: of the matrix, outputs first: ``(outputs, inputs of one output, kernel...)``.
    """

    split: tuple[int, ...]
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def plain(cls, shape: tuple[int, ...]) -> MatrixLayout:
        """The layout of a tensor that has its outputs first as it is.

        Args:
            shape: of the tensor.
        """
        return cls(split=shape, axes=tuple(range(len(shape))), shape=shape)

    @classmethod
    def of_axes(
        cls, shape: tuple[int, ...], outputs: tuple[int, ...], inputs: tuple[int, ...]
    ) -> MatrixLayout:
        """The layout of a tensor whose axes are outputs or inputs.

        Args:
            shape: of the tensor.
            outputs: its axes of outputs, in order.
            inputs: all its other axes.
        """
        cols, rows = (math.prod(shape[axis] for axis in part) for part in (outputs, inputs))
        return cls(split=shape, axes=(*outputs, *inputs), shape=(cols, rows))

    @property
    def is_plain(self) -> bool:
        """Whether the matrix is the tensor as it is."""
        return self.axes == tuple(range(len(self.axes))) and self.split == self.shape

    def matrix(self, tensor: Tensor) -> Tensor:
        """Return the matrix in a tensor, outputs first.

        Args:
            tensor: as the operator takes it.
        """
        if self.is_plain:
            return tensor
        return tensor.reshape(self.split).permute(self.axes).reshape(self.shape)

    def tensor(self, matrix: Tensor, shape: torch.Size) -> Tensor:
        """Return the tensor that holds a matrix.

        Args:
            matrix: outputs first.
            shape: of the tensor.
        """
        if self.is_plain:
            return matrix
        back = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        moved = matrix.reshape([self.split[axis] for axis in self.axes])
        return moved.permute(back).reshape(shape)


@dataclass(frozen=True, eq=False, kw_only=True)
class MatrixSource:
    """Where the matrix of a layer comes from.

    Attributes:
        recipe: of the tensor that the operator takes.
        shape: of that tensor.
        layout: of the matrix in it.
    """

    recipe: Recipe
    shape: tuple[int, ...]
    layout: MatrixLayout


@dataclass(frozen=True, eq=False, kw_only=True)
class Origins:
    """Where the matrices of a network come from.

    Attributes:
        sources: by layer.
        reads: names of the stored tensors that are read in other ways than as matrices.
    """

    sources: Mapping[str, MatrixSource] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerMatrix:
    """One matrix that the chip stores.

    Attributes:
        layer: name of the layer whose matrix it is.
        source: where it comes from; None where the front end does not know (an ONNX file).
        elements: its weights.
        alone: whether the tensors that it comes from are read as matrices only: nothing else of
            the network needs them as they are.
    """

    layer: str
    source: MatrixSource | None
    elements: int
    alone: bool
