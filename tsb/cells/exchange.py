"""Exchange the matrix in a product, whatever it is computed from.

While a network runs, what is computed of its stored tensors alone is followed, operation by
operation. Where a product takes such a tensor and data, the tensor is a stored matrix, and what the
cells hold is used in its place. Of matrices from the same tensors and of one shape, the order of
their first use tells which is which: that of the layer graph.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from archsim.errors import Code, NetworkError

#: Products, by name of the function or method.
_PRODUCTS = frozenset(
    [
        "linear",
        "matmul",
        "__matmul__",
        "__rmatmul__",
        "mm",
        "bmm",
        "mv",
        "addmm",
        "baddbmm",
        "addmv",
        "einsum",
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
    ]
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Exchanged:
    """A matrix that is exchanged in its product.

    Attributes:
        layer: whose matrix it is.
        tensors: names of the stored tensors that it is computed from.
        shape: of the tensor that the product takes.
        value: what it takes instead.
    """

    layer: str
    tensors: frozenset[str]
    shape: torch.Size
    value: Tensor


@dataclass(frozen=True, eq=False)
class _Fixed:
    """A tensor that does not depend on data; kept, so that its ``id`` stays its own."""

    tensor: Tensor
    names: frozenset[str]
    formula: str


class Exchange(TorchFunctionMode):
    """Runs a network with other matrices in some of its products.

    Used as a context, once for each run.

    Raises:
        NetworkError: at the end, where a matrix was in no product.
    """

    def __init__(self, tensors: Mapping[str, Tensor], exchanged: Iterable[Exchanged]) -> None:
        """Start with the stored tensors.

        Args:
            tensors: of the network by name; equal ones may have several.
            exchanged: matrices, in order of their first use.
        """
        super().__init__()
        self._fixed: dict[int, _Fixed] = {}
        named: dict[int, set[str]] = defaultdict(set)
        for name, tensor in tensors.items():
            named[id(tensor)].add(name)
        for name, tensor in tensors.items():
            self._fixed.setdefault(id(tensor), _Fixed(tensor, frozenset([name]), name))
        #: One name for all that a tensor has.
        self._first = {n: min(names) for names in named.values() for n in names}
        self._waiting: dict[tuple[object, ...], list[Exchanged]] = defaultdict(list)
        for matrix in exchanged:
            self._waiting[self._kind(matrix.tensors, matrix.shape)].append(matrix)
        self._chosen: dict[tuple[str, str, int | str], Exchanged] = {}

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Check that every matrix has been used, unless something went wrong already."""
        super().__exit__(exc_type, exc, traceback)  # type: ignore[no-untyped-call]
        left = [matrix.layer for matrices in self._waiting.values() for matrix in matrices]
        if exc_type is None and left:
            raise NetworkError(
                f"layer '{left[0]}': the product that takes its matrix was not found, so that "
                "the network cannot be run as programmed",
                code=Code.UNSUPPORTED,
                field=left[0],
            )

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operation, with another matrix where it is a product."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        given = list(_tensors((args, kwargs)))
        fixed = [self._fixed[id(tensor)] for tensor in given if id(tensor) in self._fixed]
        in_place = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
        in_place = in_place or (name.startswith("__i") and name.endswith("__"))
        if len(fixed) < len(given):
            if in_place and given:
                self._fixed.pop(id(given[0]), None)
            if fixed and name in _PRODUCTS:
                args, kwargs = self._exchanged(name, args, kwargs)
            return func(*args, **kwargs)
        out = func(*args, **kwargs)
        names = frozenset(n for one in fixed for n in one.names)
        text = f"{name} {self._text(args)} {self._text(kwargs)}"
        formula = hashlib.sha256(text.encode()).hexdigest()
        for place, tensor in enumerate(_tensors(out)):
            self._fixed[id(tensor)] = _Fixed(tensor, names, f"{formula}/{place}")
        if in_place and given:
            self._fixed[id(given[0])] = _Fixed(given[0], names, formula)
        return out

    def _exchanged(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        def of(value: Any, place: int | str) -> Any:
            fixed = self._fixed.get(id(value)) if isinstance(value, Tensor) else None
            if fixed is None:
                return value
            found = self._choose((fixed.formula, name, place), fixed)
            return value if found is None else found.value.to(value.dtype)

        changed = tuple(of(value, place) for place, value in enumerate(args))
        return changed, {key: of(value, key) for key, value in kwargs.items()}

    def _choose(self, site: tuple[str, str, int | str], fixed: _Fixed) -> Exchanged | None:
        """The matrix that a product takes: that of before at the same place, else the next one."""
        if site not in self._chosen:
            waiting = self._waiting.get(self._kind(fixed.names, fixed.tensor.shape))
            if not waiting:
                return None
            self._chosen[site] = waiting.pop(0)
        return self._chosen[site]

    def _kind(self, names: frozenset[str], shape: torch.Size) -> tuple[object, ...]:
        return frozenset(self._first[name] for name in names), tuple(shape)

    def _text(self, value: object) -> str:
        """The arguments of an operation on fixed tensors, so that equal ones are equal texts."""
        if isinstance(value, Tensor):
            return self._fixed[id(value)].formula
        if isinstance(value, list | tuple):
            return f"[{','.join(self._text(item) for item in value)}]"
        if isinstance(value, dict):
            return f"[{','.join(f'{key}={self._text(item)}' for key, item in value.items())}]"
        return repr(value)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
