"""Elements picked by number: constant numbers along an axis, or varying ones in a table."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from archsim.compiled.builder import Builder
from archsim.compiled.operation import Operand
from archsim.compiled.record import RecordedStep, Ref
from archsim.compiled.refusal import NotCompiledError
from archsim.compiled.views import View


def index(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    """Pick by numbers: constant ones along an axis, or varying ones in a constant table."""
    source, indices = step.args
    given = [(place, index) for place, index in enumerate(indices) if index is not None]
    if any(isinstance(index, Ref) for _, index in given):
        return _table(to, source, [index for _, index in given], shape)
    ((place, index),) = given if len(given) == 1 else ((0, None),)
    if not isinstance(source, Ref) or place < 1 or index is None or index.dim() != 1:
        raise NotCompiledError("an index of several axes")
    if index.dtype is not torch.int64:
        raise NotCompiledError("an index that is a mask")
    view, axis = to.view(source), place - 1
    picked = [number % view.shape[axis] for number in index.tolist()]
    steps = {b - a for a, b in pairwise(picked)} or {1}
    if len(steps) == 1 and min(steps) > 0:
        return view.sliced(axis, picked[0], len(picked), steps.pop())
    numbers = torch.tensor(picked, dtype=torch.float64)
    for _ in range(len(shape) - 1 - axis):
        numbers = numbers.unsqueeze(-1)
    return to.lookup(view, axis, to.constant(numbers, len(shape)).expanded(shape), shape)


def _table(to: Builder, source: Any, indices: list[Any], shape: tuple[int, ...]) -> View:
    if isinstance(source, Ref) or len(indices) > source.dim() or None in indices:
        raise NotCompiledError("an index that varies, of values that do")
    kept = tuple(source.shape[len(indices) :])
    inner = shape[: len(shape) - len(kept)]
    table = source.reshape(-1, *kept)
    at: Operand = 0.0
    for length, index in zip(source.shape, indices, strict=False):
        if to.tape.dtypes.get(getattr(index, "number", -1)) is torch.bool:
            raise NotCompiledError("an index that is a mask")
        place = to.operand(index, inner)
        place = to.emit("max", inner, to.emit("min", inner, place, length - 1.0), 0.0)
        if at == 0.0:
            at = place
        else:
            at = to.emit("add", inner, to.emit("mul", inner, at, float(length)), place)
    view = to.constant(table, table.dim())
    for _ in kept:
        at = at.unsqueezed(len(at.shape)) if isinstance(at, View) else at
    for _ in inner:
        view = view.unsqueezed(1)
    if not isinstance(at, View):
        raise NotCompiledError("an index without axes")
    return to.lookup(view, 0, at.expanded(shape), shape)


def gather(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    """Take the element of an axis that an index says, for each place by itself."""
    source, dim, index = step.args
    axis = dim % (len(shape) + 1) - 1
    if axis < 0:
        raise NotCompiledError("operation gather along the batch")
    if isinstance(source, Tensor):
        full = tuple(source.shape[1:])
        view = to.constant(source, len(full)).expanded(full)
    else:
        view = to.view(source)
    for other, length in enumerate(shape):
        if other != axis and view.shape[other] > length:
            view = view.sliced(other, 0, length)
    return to.lookup(view, axis, to.operand(index, shape), shape)


def place_among(to: Builder, step: RecordedStep, shape: tuple[int, ...]) -> View:
    """Say how many of some sorted values are below: the place of one that is among them."""
    operand, values = to.operand(step.args[0], shape), step.args[1].double().tolist()
    result = to.emit("copy", shape, 0.0)
    for value in values[:-1]:
        above = to.emit("gt", shape, operand, value)
        result = to.emit("add", shape, result, above)
    return result
