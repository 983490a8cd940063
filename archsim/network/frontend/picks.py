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
    """What was looked up: matrices of ``stack``, perhaps turned."""

    stack: Weight


def resolve_picks(calls: Iterable[Call]) -> list[Call]:
    """``calls`` with products of looked-up matrices as products with the stack that they are of.

    What looks up vectors, or is read by anything else, is a lookup in a table.
    """
    picks: dict[str, _Pick] = {}
    read: list[Call] = []
    used_otherwise: set[str] = set()
    for call in calls:
        pick = _pick(call, picks)
        if pick is not None:
            picks[call.id] = pick
            read.append(call)
            continue
        product = _product(call, picks)
        read.append(product or call)
        if product is None:
            used_otherwise |= {data.id for data in call.data if data.id in picks}
    return [_as_table(call) if _is_table(call, picks, used_otherwise) else call for call in read]


def _pick(call: Call, picks: Mapping[str, _Pick]) -> _Pick | None:
    """What ``call`` looks up, or hands on of what was looked up."""
    if call.op in _LOOKUPS:
        operands = call.operands
        table = operands[0] if operands else None
        others = operands[1:]
        along = call.args.get("dim", 0)
        computed = len(others) == 1 and isinstance(others[0], Data)
        if isinstance(table, Weight) and computed and along == 0 and _indexes_first(call):
            return _Pick(table) if len(table.shape) > 1 else None
    if call.op in _SAME_VALUES and len(call.operands) == 1 and call.data:
        return picks.get(call.data[0].id)
    return None


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
    stack = picks[found[0].id].stack
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
    return (draft(call, OpKind.LINEAR, layer=layer, weight=stack, view=PICKED),)
