"""Record one eager run as a flat list of tensor operations.

A run over a batch of ``n`` designs is recorded by two modes of PyTorch: one sees every operation
that reaches the kernels, the other every way in which a tensor's content becomes a Python value.
Only what depends on a field that varies over the batch is recorded; everything else is a constant.

**What steers Python.** The engine asks a batch questions such as "is any of these an SRAM?" and
takes another path where the answer differs. Every such question is a reduction over the batch:
``any``, ``all``, ``max``, ``min`` or the set of values. The answer is then a constant of the
recording, and a :class:`Guard` says for which designs it stays the same: those that could join the
recorded batch without changing it. Results of a design do not depend on the rest of its batch, so
the recording holds for every design that passes all guards. Content that becomes a Python value
in another way cannot be guarded, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from archsim.compiled.refusal import NotCompiledError

#: Reductions over the batch that have a guard.
_QUESTIONS = frozenset({"any", "all", "max", "min", "amax", "amin"})
#: Results whose content does not depend on that of the argument.
_FILLS = frozenset(
    {"zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "empty_like"}
)
#: Most distinct values of a set of values that is a guard.
_MOST_VALUES = 64
#: Ways in which content leaves PyTorch without passing an operation.
_LEAKS = frozenset({"tolist", "numpy", "__array__", "data_ptr", "untyped_storage", "__dlpack__"})


@dataclass(frozen=True)
class Ref:
    """A value that varies over the batch, by its number."""

    number: int


@dataclass(frozen=True, eq=False)
class RecordedStep:
    """One operation.

    Attributes:
        name: of the operation, without its overload.
        args: values, constants (tensors) and plain Python values.
        options: keyword arguments, likewise.
        outs: numbers of the results.
    """

    name: str
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    outs: tuple[int, ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """Numbers of the values that it takes."""
        leaves = tree_leaves((self.args, dict(self.options)))
        return tuple(leaf.number for leaf in leaves if isinstance(leaf, Ref))


@dataclass(frozen=True, eq=False)
class Guard:
    """What must hold of a design for a recorded answer to stay the same.

    Attributes:
        kind: ``any`` (nowhere true where the answer is no), ``all`` (true where it is yes),
            ``max`` and ``min`` (within), ``set`` (one of the values).
        operand: what was asked, ``n *rest``.
        dims: axes of the rest that the question reduced too.
        answer: recorded, without the batch axis.
    """

    kind: str
    operand: Ref
    dims: tuple[int, ...]
    answer: Tensor


@dataclass(eq=False)
class Tape:
    """A recorded run.

    Attributes:
        count: designs of the recorded batch.
        inputs: numbers of the varying fields, by name.
        steps: in order.
        guards: conditions of validity.
        shapes: of each value, without the batch axis.
        dtypes: of each value.
    """

    count: int
    inputs: dict[str, int] = field(default_factory=dict)
    steps: list[RecordedStep] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    shapes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    dtypes: dict[int, torch.dtype] = field(default_factory=dict)


def record(
    count: int, inputs: Mapping[str, Tensor], run: Callable[[], Mapping[str, Tensor]]
) -> tuple[Tape, dict[str, Ref | Tensor], dict[str, Tensor]]:
    """Run something once and record it.

    Args:
        count: designs of the batch.
        inputs: tensors that vary over it, ``n`` or ``n *rest``, by name.
        run: returns results, ``n``, by name.

    Returns:
        The recording, what each result is in it (a tensor: a constant), and the results.

    Raises:
        NotCompiledError: something that cannot be recorded soundly.
    """
    recorder = _Recorder(count, inputs)
    with torch.no_grad(), _NoLeaks(recorder), recorder:
        results = run()
    return recorder.tape, {n: recorder.reference(v) for n, v in results.items()}, dict(results)


class _Recorder(TorchDispatchMode):
    def __init__(self, count: int, inputs: Mapping[str, Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tape = Tape(count)
        self._numbers: dict[int, int] = {}
        # Tensors are told apart by identity, so none may be freed while recording.
        self._kept: list[Tensor] = []
        self._used: set[int] = set()
        for name, tensor in inputs.items():
            self.tape.inputs[name] = self._new(tensor, name)

    def varies(self, value: object) -> bool:
        return isinstance(value, Tensor) and id(value) in self._numbers

    def reference(self, value: Any) -> Any:
        if self.varies(value):
            return Ref(self._numbers[id(value)])
        if isinstance(value, Tensor):
            self._used.add(id(value))
            self._kept.append(value)
        return value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        name = func.overloadpacket.__name__
        varying = [leaf for leaf in tree_leaves((args, options)) if self.varies(leaf)]
        if func._schema.is_mutable and (varying or id(args[0]) in self._used):
            raise NotCompiledError(f"operation {name} writes in place")
        if not varying:
            result = func(*args, **options)
            self._kept += [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            return result
        if name == "_local_scalar_dense":
            raise NotCompiledError("a value of single designs steers Python")
        if name in _FILLS:
            return func(*args, **options)
        if name == "_unique2":
            return self._unique(func, args, options)
        dims = _reduced(name, args, options)
        if dims is not None and 0 in dims:
            return self._question(func, name, args, options, dims)
        return self._step(func, name, args, options)

    def _step(self, func: Any, name: str, args: Any, options: Any) -> Any:
        result = func(*args, **options)
        results = result if isinstance(result, (tuple, list)) else (result,)
        if not all(tensor.numel() for tensor in results):
            return result  # nothing in it can vary
        said, named = (tree_map(self.reference, part) for part in (tuple(args), dict(options)))
        outs = tuple(self._new(tensor, name) for tensor in results)
        self.tape.steps.append(RecordedStep(name, said, named, outs))
        return result

    def _question(self, func: Any, name: str, args: Any, options: Any, dims: frozenset[int]) -> Any:
        result = func(*args, **options)
        if name not in _QUESTIONS or not isinstance(result, Tensor):
            raise NotCompiledError(f"operation {name} over the batch")
        answer = result
        if len(args) > 2 and args[2]:
            answer = result.squeeze(0) if result.dim() else result
        kind = name.removeprefix("a") if name in ("amax", "amin") else name
        rest = tuple(sorted(dim - 1 for dim in dims if dim))
        self._guard(kind, args[0], rest, answer)
        return result

    def _unique(self, func: Any, args: Any, options: Any) -> Any:
        distinct, place, counts = func(*args, **options)
        if counts.numel() or len(distinct) > _MOST_VALUES:
            raise NotCompiledError(f"a set of {len(distinct)} values that vary over the batch")
        self._guard("set", args[0], (), distinct)
        self._kept.append(distinct)
        if place.numel():
            outs = (self._new(place, "unique"),)
            self.tape.steps.append(
                RecordedStep("place_among", (Ref(self._numbers[id(args[0])]), distinct), {}, outs)
            )
        return distinct, place, counts

    def _guard(self, kind: str, operand: Tensor, dims: tuple[int, ...], answer: Tensor) -> None:
        self._kept.append(answer)
        self.tape.guards.append(Guard(kind, self.reference(operand), dims, answer))

    def _new(self, tensor: Tensor, name: str) -> int:
        if tensor.dim() == 0 or tensor.shape[0] != self.tape.count:
            raise NotCompiledError(f"operation {name} moves the batch from the first axis")
        number = len(self._kept)
        self._kept.append(tensor)
        self._numbers[id(tensor)] = number
        self.tape.shapes[number] = tuple(tensor.shape[1:])
        self.tape.dtypes[number] = tensor.dtype
        return number


class _NoLeaks(TorchFunctionMode):
    """Refuse content that becomes a Python value without an operation."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in _LEAKS and args and self._recorder.varies(args[0]):
            raise NotCompiledError(f"values of single designs steer Python ({name})")
        return func(*args, **(kwargs or {}))


def _reduced(name: str, args: Any, options: Mapping[str, Any]) -> frozenset[int] | None:
    """Return the axes that a reduction reduces; None for another operation."""
    if name not in _QUESTIONS and name not in ("sum", "mean", "prod", "cummax", "cumsum"):
        return None
    said = args[1] if len(args) > 1 else options.get("dim")
    rank = args[0].dim()
    if isinstance(said, Tensor):  # the larger of two tensors
        return None
    dims: Iterable[int] = [said] if isinstance(said, int) else said or range(rank)
    return frozenset(dim % rank for dim in dims)
