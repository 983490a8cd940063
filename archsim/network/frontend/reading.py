"""What readers of operators share: the draft of an operation, arguments as numbers, refusals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.layer import MvmLayer, Pool
from archsim.network.operation import Op, OpKind
from archsim.network.source import MatrixLayout, MatrixSource

#: Depth, height and width.
Axes = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An operation before names are unique.

    Attributes:
        id: Of the call; an operation within a call has an id below it.
        op: Its ``inputs`` are ids.
        weight: The tensor behind its matrix or table, if it has one.
        view: How the matrix lies in that tensor: equal weights of equal view are one matrix.
        source: Where its matrix comes from; None without one, or where that is not known.
        reads: Names of the stored tensors that it reads in other ways than as its matrix.
    """

    id: str
    op: Op
    weight: Weight | None = None
    view: str = ""
    source: MatrixSource | None = None
    reads: tuple[str, ...] = ()


def draft(
    call: Call,
    kind: OpKind,
    *,
    layer: MvmLayer | None = None,
    pool: Pool | None = None,
    macs: int = 0,
    weight: Weight | None = None,
    view: str = "",
    layout: MatrixLayout | None = None,
) -> Draft:
    """The operation that a call is; ``layout`` is that of a layer's matrix in its weight."""
    matrix = None if layer is None else weight
    op = Op(
        name=call.name if layer is None else layer.name,
        kind=kind,
        target=call.op,
        shape=call.shape,
        module=call.module,
        inputs=tuple(dict.fromkeys(operand.id for operand in call.data)),
        layer=layer,
        pool=pool,
        macs=macs,
        weight="" if weight is None else weight.name,
        stored=0 if weight is None else weight.elements,
        trained=() if weight is not None else _trained(call),
    )
    source, reads = source_of(matrix, layout), _reads(call, matrix)
    return Draft(id=call.id, op=op, weight=weight, view=view, source=source, reads=reads)


def source_of(weight: Weight | None, layout: MatrixLayout | None) -> MatrixSource | None:
    """Where a matrix comes from, if that is known."""
    if weight is None or weight.recipe is None or layout is None:
        return None
    return MatrixSource(recipe=weight.recipe, shape=weight.shape, layout=layout)


def _reads(call: Call, matrix: Weight | None) -> tuple[str, ...]:
    """Names of the stored tensors behind the operands of a call other than its matrix."""
    recipes = (
        operand.recipe
        for operand in call.operands
        if isinstance(operand, Weight) and operand is not matrix
    )
    return tuple(dict.fromkeys(n for recipe in recipes if recipe for n in recipe.tensors))


def _trained(call: Call) -> tuple[tuple[str, int], ...]:
    """Name and values of the trained tensors that a call reads, each once."""
    weights = [operand for operand in call.operands if isinstance(operand, Weight)]
    elements_of = {
        f"{weight.name} {weight.formula}".strip(): min(
            weight.elements, math.prod(weight.shape) * (1 + weight.is_complex)
        )
        for weight in weights
        if weight.trainable
    }
    return tuple(elements_of.items())


#: What a refusal says is allowed.
MAPPABLE = "conv1d to conv3d, conv_transpose1d to 3d, linear, matmul, einsum, lstm, gru and rnn"


def refusal(call: Call, what: str) -> NetworkError:
    """The error for a call whose weights cannot be mapped."""
    weights = [operand for operand in call.operands if isinstance(operand, Weight)]
    owner = next((weight.owner for weight in weights if weight.trainable), call.name)
    owner = call.module if call.leaf else owner
    return NetworkError(
        f"layer '{owner}' ({call.op}) cannot be mapped to crossbars: it is {what}. "
        f"Matrix layers that can be mapped: {MAPPABLE}",
        code=Code.UNSUPPORTED_OPERATOR,
        field=owner,
        value=call.op,
        allowed=MAPPABLE,
    )


def is_matrix(operand: Data | Weight) -> bool:
    """Whether an operand is a trained tensor with at least two axes."""
    if isinstance(operand, Data) or not operand.trainable:
        return False
    return sum(size > 1 for size in operand.shape) >= 2


def whole(value: object) -> int:
    """An argument as a whole number.

    Raises:
        NetworkError: It is something else.
    """
    if isinstance(value, int):
        return value
    raise NetworkError(
        f"an operator has the argument {value!r} where a whole number is expected",
        code=Code.WRONG_TYPE,
        value=value,
        allowed="a whole number",
    )


def axes(value: object, dims: int, fill: int = 1) -> Axes:
    """Depth, height and width from one number or a list; axes that are not there are ``fill``."""
    given = [whole(v) for v in value] if isinstance(value, list | tuple) else [whole(value)]
    numbers = given * dims if len(given) == 1 else given[-dims:]
    depth, height, width = (*(fill,) * (3 - dims), *numbers)
    return depth, height, width


def map_axes(shape: tuple[int, ...], dims: int) -> Axes:
    """Depth, height and width of a map of ``dims`` spatial axes, which are the last."""
    return axes(list(shape[-dims:]), dims)
