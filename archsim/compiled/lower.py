"""Turn a recording into loops over views of buffers.

Views, slices and broadcasts become strides and cost nothing. Whole numbers and truth values are
held as float64, exactly: whole numbers below 2^53. Every operation that is not here is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archsim.compiled import pick
from archsim.compiled.builder import Builder, axis_of
from archsim.compiled.operation import Operand, Operation, Program
from archsim.compiled.record import Guard, RecordedStep, Ref, Tape
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.views import View

#: Name of the output that says which designs pass all guards.
VALID = "valid"
#: Longest axis that is worked on element by element.
_UNROLLED = 64

#: Operations of PyTorch on each element, by the instruction that does them.
_ELEMENTWISE = {
    "mul": "mul", "add": "add", "sub": "sub", "div": "div", "neg": "neg", "abs": "abs",
    "floor": "floor", "ceil": "ceil", "trunc": "trunc", "round": "rint", "sqrt": "sqrt",
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log1p": "log1p",
    "pow": "pow", "remainder": "mod", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "eq": "eq",
    "ne": "ne", "where": "select", "minimum": "min", "maximum": "max", "clamp_min": "max",
    "clamp_max": "min", "logical_and": "and", "logical_or": "or", "logical_not": "not",
    "clone": "copy",
}  # fmt: skip
#: Operations on bits, which are taken for truth values only.
_TRUTH = {"bitwise_and": "and", "bitwise_or": "or", "bitwise_not": "not"}
#: Instructions of float32 whose result is the rounded one of float64 (Figueroa, SIGNUM 1995,
#: doi:10.1145/221332.221334).
_ROUNDED = frozenset({"add", "sub", "mul", "div", "select", "neg", "copy"})
#: Reductions: instruction and what it starts from.
_REDUCTIONS = {
    "sum": ("add", 0.0), "mean": ("add", 0.0), "amax": ("max", -math.inf),
    "amin": ("min", math.inf), "any": ("max", 0.0), "all": ("min", 1.0),
}  # fmt: skip


def lowered(tape: Tape, results: dict[str, Ref | Tensor]) -> Program:
    """Return the loops of a recording.

    Args:
        tape: the recording, simplified.
        results: what each result is in it.

    Raises:
        NotCompiledError: an operation or a shape that is not supported.
    """
    to = Builder(tape)
    program = to.program
    for name, number in tape.inputs.items():
        program.inputs[name] = to.values[number] = to.buffer(tape.shapes[number])
    for step in tape.steps:
        kind = tape.dtypes[step.outs[0]]
        if kind not in (torch.float64, torch.int64, torch.bool) and not _is_short(step, kind):
            raise NotCompiledError(f"operation {step.name} gives {kind}")
        _lower(to, step)
    for name, result in results.items():
        program.outputs[name] = to.operand(result, ())
    program.outputs[VALID] = _valid(to)
    program.constants = to.constants
    return program


def _lower(to: Builder, step: RecordedStep) -> None:
    shape = to.tape.shapes[step.outs[0]]
    if step.name in _TRUTH and to.tape.dtypes[step.outs[0]] is not torch.bool:
        raise NotCompiledError(f"operation {step.name} on whole numbers")
    instruction = _ELEMENTWISE.get(step.name) or _TRUTH.get(step.name)
    if instruction is not None:
        result: Operand = _elementwise(to, instruction, step, shape)
    elif step.name in _REDUCTIONS:
        result = _reduction(to, step, shape)
    elif len(step.outs) == 1 and step.name in _SPECIAL:
        result = _SPECIAL[step.name](to, step, shape)
    elif step.name in _SEVERAL:
        results = _SEVERAL[step.name](to, step)
        to.values |= {out: v for out, v in zip(step.outs, results, strict=True) if v}
        return
    else:
        raise NotCompiledError(f"operation {step.name}")
    to.values[step.outs[0]] = result


def _elementwise(to: Builder, instruction: str, step: RecordedStep, shape: tuple[int, ...]) -> View:
    options = dict(step.options)
    args = [to.operand(arg, shape) for arg in step.args]
    scale = options.pop("alpha", 1)
    if scale != 1:
        args[1] = to.emit("mul", shape, args[1], float(scale))
    mode = options.pop("rounding_mode", None)
    options.pop("memory_format", None)
    if mode == "floor" and instruction == "div":
        instruction = "floordiv"
    elif mode is not None:
        raise NotCompiledError(f"operation {step.name} with rounding mode {mode}")
    if any(value is not None for value in options.values()):
        raise NotCompiledError(f"operation {step.name} with {sorted(options)}")
    kind = to.tape.dtypes[step.outs[0]]
    if kind is torch.bool and instruction in ("mul", "add"):
        instruction = {"mul": "and", "add": "or"}[instruction]
    if kind is not torch.float32:
        return to.emit(instruction, shape, *args)
    args = [float(np.float32(arg)) if isinstance(arg, float) else arg for arg in args]
    return to.emit("float32", shape, to.emit(instruction, shape, *args))


def _reduction(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    view = to.view(step.args[0])
    instruction, start = _REDUCTIONS[step.name]
    axes = _axes(step.args[1] if len(step.args) > 1 else None, view)
    if step.name in ("any", "all"):
        view = to.emit("truth", view.shape, view)
    result = to.reduce(instruction, start, view, axes)
    if step.name == "mean":
        many = math.prod(view.shape[axis] for axis in axes)
        result = to.emit("div", result.shape, result, float(many))
    return to.reshaped(result, shape)


def _reshape(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    return to.reshaped(to.view(step.args[0]), shape)


def _expand(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    return to.view(step.args[0]).expanded(shape)


def _select(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    view = to.view(step.args[0])
    axis = axis_of(step.args[1], view)
    return view.selected(axis, step.args[2] % view.shape[axis])


def _slice(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    view = to.view(step.args[0])
    given: tuple[Any, ...] = (*step.args[1:], *(0, None, None, 1)[len(step.args) - 1 :])
    dim, start, _, by = given
    if dim == 0:
        if start or by != 1:
            raise NotCompiledError("a part of the batch")
        return view
    axis = axis_of(dim, view)
    first = slice(start, None).indices(view.shape[axis])[0]
    return view.sliced(axis, first, shape[axis], by)


def _permute(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    view = to.view(step.args[0])
    if step.name == "permute":
        order = [dim % (len(view.shape) + 1) for dim in step.args[1]]
    else:
        order = list(range(len(view.shape) + 1))
        one, other = (dim % len(order) for dim in step.args[1:])
        order[one], order[other] = order[other], order[one]
    if order[0]:
        raise NotCompiledError("the batch in another place")
    return view.permuted([dim - 1 for dim in order[1:]])


def _convert(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    """Change the type; whole numbers are cut off."""
    source = to.tape.dtypes[step.args[0].number]
    wanted = to.tape.dtypes[step.outs[0]]
    operand = to.operand(step.args[0], shape)
    if wanted is torch.bool and source is not torch.bool:
        return to.emit("truth", shape, operand)
    if wanted is torch.int64 and source.is_floating_point:
        return to.emit("trunc", shape, operand)
    if wanted is torch.float32 and source is not torch.bool:
        return to.emit("float32", shape, operand)
    return operand


def _clamp(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    low, high = (*step.args[1:], None, None)[:2]
    result = to.operand(step.args[0], shape)
    if low is not None:
        result = to.emit("max", shape, result, to.operand(low, shape))
    if high is not None:
        result = to.emit("min", shape, result, to.operand(high, shape))
    return result


def _reversed(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    """``rsub``: the second argument minus the first."""
    if step.options.get("alpha", 1) != 1 or len(step.args) > 2:
        raise NotCompiledError("operation rsub with a factor")
    one, other = (to.operand(arg, shape) for arg in step.args)
    return to.emit("sub", shape, other, one)


def _reciprocal(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    return to.emit("div", shape, 1.0, to.operand(step.args[0], shape))


def _multiply_add(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    """``addcmul``: the first argument plus the product of the others, rounded twice."""
    first, one, other = (to.operand(arg, shape) for arg in step.args)
    product = to.emit("mul", shape, one, other)
    factor = step.options.get("value", 1)
    if factor != 1:
        product = to.emit("mul", shape, product, float(factor))
    return to.emit("add", shape, first, product)


def _numbers_only(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    """``nan_to_num``: other values for those that are no finite numbers."""
    value, *said = (*step.args, *step.options.values())
    undefined, above, below = (*said, None, None, None)[:3]
    largest = torch.finfo(torch.float64).max
    result = operand = to.operand(value, shape)
    for instruction, bound, instead in (
        ("eq", math.inf, largest if above is None else above),
        ("eq", -math.inf, -largest if below is None else below),
        ("ne", operand, undefined or 0.0),
    ):
        found = to.emit(instruction, shape, operand, bound)
        result = to.emit("select", shape, found, float(instead), result)
    return result


def _not_a_number(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> Operand:
    value = to.operand(step.args[0], shape)
    return to.emit("ne", shape, value, value)


def _join(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    """``cat`` and ``stack``."""
    dim = step.args[1] if len(step.args) > 1 else 0
    axis = dim % (len(shape) + 1) - 1
    if axis < 0:
        raise NotCompiledError(f"operation {step.name} along the batch")
    target, at = to.buffer(shape), 0
    for part in step.args[0]:
        length = 1 if step.name == "stack" else _shape_of(to, part)[axis]
        if not length:
            continue
        piece = target.sliced(axis, at, length)
        if step.name == "stack":
            inner = shape[:axis] + shape[axis + 1 :]
            source = to.operand(part, inner)
            source = source.unsqueezed(axis) if isinstance(source, View) else source
        else:
            source = to.operand(part, piece.shape)
        to.program.operations.append(Operation("copy", piece, (source,), piece.shape))
        at += length
    return target


def _shape_of(to: Builder, value: Any) -> tuple[int, ...]:
    if isinstance(value, Ref):
        return to.tape.shapes[value.number]
    return tuple(value.shape[1:])


def _pad(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    source, widths = to.view(step.args[0]), step.args[1]
    value = step.args[2] if len(step.args) > 2 else 0.0
    target = to.buffer(shape)
    to.program.operations.append(Operation("copy", target, (float(value),), shape))
    inner = target
    for place in range(len(widths) // 2):
        before, after = widths[2 * place : 2 * place + 2]
        axis = len(shape) - 1 - place
        if before < 0 or after < 0 or axis < 0:
            raise NotCompiledError("padding that cuts off")
        inner = inner.sliced(axis, before, source.shape[axis])
    to.program.operations.append(Operation("copy", inner, (source,), source.shape))
    return target


def _split(to: Builder, step: RecordedStep) -> list[View]:
    view = to.view(step.args[0])
    dim = step.args[2] if len(step.args) > 2 else step.options.get("dim", 0)
    axis, at, parts = axis_of(dim, view), 0, []
    for out in step.outs:
        length = to.tape.shapes[out][axis]
        parts.append(view.sliced(axis, at, length))
        at += length
    return parts


def _unbind(to: Builder, step: RecordedStep) -> list[View]:
    view = to.view(step.args[0])
    axis = axis_of(step.args[1] if len(step.args) > 1 else 0, view)
    return [view.selected(axis, index) for index in range(view.shape[axis])]


def _running(to: Builder, step: RecordedStep) -> list[Operand | None]:
    """``cummax``; which element it was is not known."""
    view = to.view(step.args[0])
    axis = axis_of(step.args[1], view)
    length = view.shape[axis]
    longer = (*view.shape[:axis], length + 1, *view.shape[axis + 1 :])
    buffer = to.buffer(longer)
    before, target = (buffer.sliced(axis, start, length) for start in (0, 1))
    to.program.operations.append(Operation("max", target, (view, before), view.shape, -math.inf))
    return [target, None]


def _extreme(to: Builder, step: RecordedStep) -> list[Operand | None]:
    """``max`` and ``min`` of an axis, and where it is first."""
    view = to.view(step.args[0])
    axis, shape = axis_of(step.args[1], view), to.tape.shapes[step.outs[0]]
    if view.shape[axis] > _UNROLLED or (len(step.args) > 2 and step.args[2]):
        raise NotCompiledError(f"operation {step.name} of a long axis")
    best: Operand = view.selected(axis, 0)
    place: Operand = 0.0
    for index in range(1, view.shape[axis]):
        here = view.selected(axis, index)
        better = to.emit("gt" if step.name == "max" else "lt", shape, here, best)
        place = to.emit("select", shape, better, float(index), place)
        best = to.emit(step.name, shape, best, here)
    if not isinstance(place, View):
        place = to.emit("copy", shape, place)
    return [best, place]


def _valid(to: Builder) -> Operand:
    """Return 1 for designs that pass all guards."""
    valid: Operand = 1.0
    for guard in to.tape.guards:
        for passes in _passes(to, guard):
            valid = passes if valid == 1.0 else to.emit("and", (), valid, passes)
    return valid


def _passes(to: Builder, guard: Guard) -> list[View]:
    view = to.view(guard.operand)
    shape = view.shape
    if guard.kind == "set":
        known = to.emit("copy", shape, 0.0)
        for value in guard.answer.double().tolist():
            same = to.emit("eq", shape, view, value)
            known = to.emit("or", shape, known, same)
        return [_everywhere(to, known)]
    answer = guard.answer.to(torch.float64)
    for axis in guard.dims:
        if answer.dim() < len(shape):
            answer = answer.unsqueeze(axis)
    bound = to.constant(answer, len(shape)).expanded(shape)
    if guard.kind == "any":
        holds = to.emit("or", shape, bound, to.emit("not", shape, view))
    elif guard.kind == "all":
        holds = to.emit("or", shape, view, to.emit("not", shape, bound))
    else:
        holds = to.emit("le" if guard.kind == "max" else "ge", shape, view, bound)
    return [_everywhere(to, holds)]


def _everywhere(to: Builder, holds: View) -> View:
    if not holds.shape:
        return holds
    whole = to.reduce("min", 1.0, holds, range(len(holds.shape)))
    return to.reshaped(whole, ())


def _is_short(step: RecordedStep, kind: torch.dtype) -> bool:
    """Whether it gives float32 numbers that follow by rounding from those of float64."""
    instruction = _ELEMENTWISE.get(step.name)
    exact = step.name in _SPECIAL and step.name not in ("reciprocal", "addcmul", "rsub", "clamp")
    return kind is torch.float32 and (exact or instruction in _ROUNDED)


def _axes(dims: Any, view: View) -> list[int]:
    said = [dims] if isinstance(dims, int) else dims
    return [axis_of(dim, view) for dim in said]


_SPECIAL: dict[str, Callable[[Builder, RecordedStep, tuple[int, ...]], Operand]] = {
    "view": _reshape, "_unsafe_view": _reshape,
    "unsqueeze": _reshape, "squeeze": _reshape,
    "expand": _expand, "select": _select, "slice": _slice,
    "permute": _permute, "transpose": _permute,
    "_to_copy": _convert, "clamp": _clamp, "rsub": _reversed,
    "reciprocal": _reciprocal, "addcmul": _multiply_add,
    "isnan": _not_a_number, "nan_to_num": _numbers_only,
    "cat": _join, "stack": _join, "constant_pad_nd": _pad,
    "index": pick.index, "gather": pick.gather,
    "place_among": pick.place_among,
}  # fmt: skip
_SEVERAL: dict[str, Callable[[Builder, RecordedStep], Sequence[Operand | None]]] = {
    "split": _split, "split_with_sizes": _split, "unbind": _unbind,
    "cummax": _running, "max": _extreme, "min": _extreme,
}  # fmt: skip
