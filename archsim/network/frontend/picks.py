"""Matrices picked by an index that is computed: the experts of a mixture.

``w[index]`` with a stack of stored matrices ``w`` looks up, for each index, one matrix; the product
with it is a layer whose groups are the matrices of the stack, and a vector goes through one group
only. All matrices are stored; how often each is picked depends on the input, so that the vectors
are spread evenly over them. (N. Shazeer et al., arXiv:1701.06538: the router picks k of n experts.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.operators import KIND_OF, PRODUCTS
from archsim.network.frontend.products import multiplications
from archsim.network.frontend.reading import Draft, draft, whole
from archsim.network.layer import LayerKind, MvmLayer
from archsim.network.operation import OpKind
from archsim.network.source import MatrixLayout

#: Operators that look up entries of the first axis of a table.
_LOOKUPS = frozenset({"index", "index_select", "embedding", "getitem"})
#: Name of a product with matrices that were picked.
PICKED = "picked_product"
#: Operators that hand on what they look at, in another shape.
_SAME_VALUES = frozenset(
    {
        *("transpose", "permute", "t", "mT", "T", "reshape", "view", "flatten", "unsqueeze"),
        *("squeeze", "contiguous", "clone", "alias", "to", "_to_copy", "type_as", "detach"),
        *("movedim", "moveaxis", "swapaxes", "unflatten", "_unsafe_view", "float", "lift_fresh"),
    }
)


@dataclass(frozen=True)
class _Pick:
    """What was looked up: matrices of ``stack``, by the call ``root``, perhaps transposed."""

    stack: Weight
    root: str
    turned: bool = False


def resolve_picks(calls: Iterable[Call]) -> list[Call]:
    """``calls`` with products of looked-up matrices as products with the stack that they are of.

    What looks up vectors, or is read by anything else, is a lookup in a table.
    """
    picks: dict[str, _Pick] = {}
    read: list[Call] = []
    used_otherwise: set[str] = set()
    multiplied: set[str] = set()
    read_otherwise: set[str] = set()
    for call in calls:
        pick = _pick(call, picks)
        if pick is not None:
            picks[call.id] = pick
            read.append(call)
            continue
        product = _product(call, picks)
        read.append(product or call)
        if product is not None:
            multiplied |= {picks[data.id].root for data in call.data if data.id in picks}
        if product is None:
            here = [picks[data.id] for data in call.data if data.id in picks]
            used_otherwise |= {data.id for data in call.data if data.id in picks}
            read_otherwise |= {pick.root for pick in here}
    matrices = multiplied - read_otherwise
    return [
        _as_table(call)
        if _is_table(call, picks, used_otherwise)
        else _as_matrices(call)
        if call.id in matrices
        else call
        for call in read
    ]


def _pick(call: Call, picks: Mapping[str, _Pick]) -> _Pick | None:
    """What ``call`` looks up, or hands on of what was looked up."""
    if call.op in _LOOKUPS:
        operands = call.operands
        table = operands[0] if operands else None
        others = operands[1:]
        along = call.args.get("dim", 0)
        computed = len(others) == 1 and isinstance(others[0], Data)
        if isinstance(table, Weight) and computed and along == 0 and _indexes_first(call):
            return _Pick(table, call.id) if len(table.shape) > 1 else None
    if call.op in _SAME_VALUES and len(call.operands) == 1 and call.data:
        pick = picks.get(call.data[0].id)
        if pick is None or not _turns(call):
            return pick
        return replace(pick, turned=not pick.turned)
    return None


def _turns(call: Call) -> bool:
    """Whether ``call`` exchanges the last two axes of what it is given."""
    rank = len(call.shape)
    if call.op in ("t", "mT", "T"):
        return True
    if call.op in ("transpose", "swapaxes", "moveaxis", "movedim"):
        axes = [value for value in call.args.values() if type(value) is int]
        return {axis % rank for axis in axes} == {rank - 2, rank - 1}
    if call.op == "permute":
        dims = next((v for v in call.args.values() if isinstance(v, list | tuple)), ())
        return [d % rank for d in dims if type(d) is int][-2:] == [rank - 1, rank - 2]
    return False


def _indexes_first(call: Call) -> bool:
    """Whether ``x[...]`` has its index first: ``x[:, i]`` looks up along another axis."""
    indices = call.args.get("indices")
    return not isinstance(indices, tuple) or isinstance(indices[0], Data)


def _product(call: Call, picks: Mapping[str, _Pick]) -> Call | None:
    """``call`` as the product of a computed factor with matrices that were picked."""
    biased = call.op in ("addmm", "baddbmm")
    factors = call.operands[1:] if biased else call.operands
    if call.op == "linear":
        factors, biased = call.operands[:2], call.args.get("bias") is not None
    elif call.op not in PRODUCTS:
        return None
    if len(factors) != 2 or not all(isinstance(factor, Data) for factor in factors):
        return None
    found = [factor for factor in factors if isinstance(factor, Data) and factor.id in picks]
    if len(found) != 1:
        return None
    other = next(f for f in factors if f is not found[0])
    pick = picks[found[0].id]
    stack = pick.stack
    macs = multiplications(call, factors)
    matrix = math.prod(stack.shape[1:])
    if len(stack.shape) < 3 or not macs or macs % matrix:
        return None
    vectors = macs // matrix
    columns = math.prod(call.shape) // vectors
    if not columns or matrix % columns:
        return None
    args = {
        "input": other,
        "picked": found[0],
        "weight": stack,
        "vectors": vectors,
        "columns": columns,
        # A linear function and a left factor have their outputs first.
        "outputs_first": (call.op == "linear" or factors[0] is found[0]) != pick.turned,
        "biased": biased,
    }
    return replace(call, op=PICKED, args=args)


def _is_table(call: Call, picks: Mapping[str, _Pick], used: set[str]) -> bool:
    """Whether a lookup gives vectors, or matrices that are more than multiplied."""
    if call.op not in _LOOKUPS or call.id not in picks or KIND_OF.get(call.op) is OpKind.EMBEDDING:
        return False
    return call.id in used or len(picks[call.id].stack.shape) < 3


def _as_table(call: Call) -> Call:
    table, *others = call.operands
    return replace(call, op="embedding", args={"weight": table, "indices": tuple(others)})


def _as_matrices(call: Call) -> Call:
    """A lookup of matrices: the products with them read the stack, not the lookup."""
    args = {name: value for name, value in call.args.items() if not isinstance(value, Weight)}
    return replace(call, args=args)


def _layout(stack: Weight, columns: int, *, outputs_first: bool) -> MatrixLayout | None:
    """How a stack is the matrix of all its groups; None where its axes do not say."""
    if len(stack.shape) != 3:
        return None
    _, *sides = stack.shape
    output = 1 if sides[0] == columns and (outputs_first or sides[1] != columns) else 2
    if stack.shape[output] != columns:
        return None
    return MatrixLayout.of_axes(stack.shape, (0, output), (3 - output,))


def picked_product(call: Call) -> tuple[Draft, ...]:
    """The layer of a product with picked matrices."""
    stack = next(operand for operand in call.operands if isinstance(operand, Weight))
    vectors, columns = whole(call.args["vectors"]), whole(call.args["columns"])
    groups = stack.shape[0]
    rows = math.prod(stack.shape[1:]) // columns
    each = -(-vectors // groups)
    layer = MvmLayer(
        name=stack.owner,
        kind=LayerKind.LINEAR,
        in_width=each,
        in_channels=rows * groups,
        out_channels=columns * groups,
        groups=groups,
        bias=bool(call.args["biased"]),
        out_width=each,
        mvms=each,
        picks=vectors,
    )
    layout = _layout(stack, columns, outputs_first=call.args["outputs_first"] is True)
    found = draft(call, OpKind.LINEAR, layer=layer, weight=stack, view=PICKED, layout=layout)
    return (found,)
