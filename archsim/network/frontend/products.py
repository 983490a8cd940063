"""Matrix products: a layer where one factor is a weight, digital work where both are computed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.reading import Draft, draft
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import OpKind
from archsim.network.source import MatrixLayout


@dataclass(frozen=True)
class _Matrix:
    """A weight as matrices: ``stack`` of them side by side, each with inputs of its own.

    ``layout`` says how they lie in the weight.
    """

    rows: int
    cols: int
    layout: MatrixLayout
    stack: int = 1


def linear(call: Call) -> tuple[Draft, ...]:
    """``linear``: input features to output features."""
    weight = call.args.get("weight")
    if not isinstance(weight, Weight):
        inner = call.operands[0].shape[-1]
        return (draft(call, OpKind.MATMUL, macs=math.prod(call.shape) * inner),)
    cols, rows = (1, *weight.shape)[-2:]
    bias = call.args.get("bias") is not None
    shape = (cols, rows)
    layout = MatrixLayout(split=shape, axes=(0, 1), shape=shape)
    return (_layer(call, weight, _Matrix(rows, cols, layout), bias=bias, view="linear"),)


def product(call: Call) -> tuple[Draft, ...]:
    """``matmul``, ``mm``, ``bmm``, ``addmm``, ``baddbmm`` and ``einsum``."""
    biased = call.op in ("addmm", "baddbmm")
    factors = call.operands[1:] if biased else call.operands
    weights = [factor for factor in factors if isinstance(factor, Weight)]
    if len(weights) == len(factors):  # a constant, added to something
        return (draft(call, OpKind.ADD),)
    macs = multiplications(call, factors)
    if not weights:
        return (draft(call, OpKind.MATMUL, macs=macs),)
    matrix = _matrix(call, factors, weights[0]) if len(factors) == 2 else None
    if matrix is None:
        return (draft(call, OpKind.OTHER, macs=macs),)
    view = f"{_equation(call)}/{factors.index(weights[0])}" if call.op == "einsum" else "product"
    view += "/right" if factors[1] is weights[0] else "/left"
    return (_layer(call, weights[0], matrix, bias=biased, view=view),)


def bilinear(call: Call) -> tuple[Draft, ...]:
    """``bilinear``: two computed factors and a stack of matrices, which nothing here runs."""
    weight = next(w for w in call.operands if isinstance(w, Weight) and len(w.shape) == 3)
    macs = math.prod(call.shape) * math.prod(weight.shape[1:])
    return (draft(call, OpKind.OTHER, macs=macs),)


def attention(call: Call) -> tuple[Draft, ...]:
    """``scaled_dot_product_attention``: every query with every key, masked or not."""
    query, key, value = call.operands[:3]
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    macs = pairs * (query.shape[-1] + value.shape[-1])
    product = draft(call, OpKind.ATTENTION, macs=macs)
    return (replace(product, op=replace(product.op, scores=pairs)),)


def _layer(call: Call, weight: Weight, matrix: _Matrix, *, bias: bool, view: str) -> Draft:
    outputs = matrix.cols * matrix.stack
    pixels = math.prod(call.shape) // outputs
    height, width = call.shape[1:3] if len(call.shape) == 4 else (1, pixels)
    if height * width != pixels:  # a 4-d product that is no channels-last map
        height, width = 1, pixels
    layer = MvmLayer(
        name=weight.owner,
        kind=LayerKind.LINEAR,
        in_height=height,
        in_width=width,
        in_channels=matrix.rows * matrix.stack,
        out_channels=outputs,
        groups=matrix.stack,
        bias=bias,
        out_height=height,
        out_width=width,
        mvms=pixels,
    )
    kind = OpKind.LINEAR
    return draft(call, kind, layer=layer, weight=weight, view=view, layout=matrix.layout)


def _matrix(call: Call, factors: tuple[Data | Weight, ...], weight: Weight) -> _Matrix | None:
    """The matrices that a product applies, None where it is no product of matrices."""
    if call.op == "einsum":
        return _einsum_matrix(call, factors, weight)
    data = factors[0] if factors[1] is weight else factors[1]
    # A vector is a matrix of one column on the right, of one row of outputs on the left.
    last = len(weight.shape) - 1
    ends = ((last,), (last - 1,)) if factors[1] is weight else ((last - 1,), (last,))
    outputs, inputs = ends if last else ((), (0,))
    cols, rows = (math.prod(weight.shape[axis] for axis in part) for part in (outputs, inputs))
    stack = 1
    batch = (1,) * len(weight.shape) + data.shape[:-2]
    stacked: list[int] = []
    wide: list[int] = []
    for axis, size in enumerate(reversed(weight.shape[:-2]), start=1):
        if batch[-axis] == size:
            stack *= size
            stacked.insert(0, last - 1 - axis)
        else:  # all of them read the same input
            cols *= size
            wide.insert(0, last - 1 - axis)
    layout = MatrixLayout.of_axes(weight.shape, (*stacked, *wide, *outputs), inputs)
    return _Matrix(rows, cols, layout, stack)


def _einsum_matrix(
    call: Call, factors: tuple[Data | Weight, ...], weight: Weight
) -> _Matrix | None:
    """Letters of the weight: summed over are rows, in the result alone columns, else a stack."""
    terms, result = _letters(call)
    letters = terms[factors.index(weight)]
    other = terms[1 - factors.index(weight)]
    if "." in letters or len(letters) != len(weight.shape) or len(set(letters)) != len(letters):
        return None
    if any(letter not in other and letter not in result for letter in letters):
        return None  # summed over before anything is multiplied
    sizes = dict(zip(letters, weight.shape, strict=True))
    rows = math.prod(sizes[letter] for letter in letters if letter not in result)
    cols = math.prod(sizes[letter] for letter in letters if letter not in other)
    order = [axis for axis, letter in enumerate(letters) if letter in result]
    order.sort(key=lambda axis: letters[axis] not in other)  # stacked matrices first
    summed = tuple(axis for axis, letter in enumerate(letters) if letter not in result)
    layout = MatrixLayout.of_axes(weight.shape, tuple(order), summed)
    return _Matrix(rows, cols, layout, math.prod(weight.shape) // (rows * cols))


def multiplications(call: Call, factors: tuple[Data | Weight, ...]) -> int:
    """Multiply-accumulates of the product of ``factors``."""
    return math.prod(call.shape) * _inner(call, factors)


def _inner(call: Call, factors: tuple[Data | Weight, ...]) -> int:
    """Multiply-accumulates per output value."""
    if call.op != "einsum":
        return factors[0].shape[-1]
    terms, result = _letters(call)
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, factors, strict=False):
        sizes |= _sizes(term, operand.shape)
    return math.prod(size for letter, size in sizes.items() if letter not in result)


def _sizes(term: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Size of each letter of one term; an ellipsis stands for the axes between."""
    before, _, after = term.partition("...")
    first = dict(zip(before, shape, strict=False))
    return first | dict(zip(reversed(after), reversed(shape), strict=False))


def _equation(call: Call) -> str:
    return str(next((v for v in call.args.values() if isinstance(v, str)), "")).replace(" ", "")


def _letters(call: Call) -> tuple[list[str], str]:
    """Terms and result of an einsum; without an arrow, the letters that occur once, in order."""
    left, arrow, result = _equation(call).partition("->")
    terms = left.split(",")
    letters = "".join(terms).replace(".", "")
    once = "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return terms, result if arrow else once
