"""Attention that exporters have taken apart: two products with a softmax between them.

``softmax(scale * q k' + mask) v`` (A. Vaswani et al., arXiv:1706.03762) is one operation of PyTorch
and six or more of ONNX before operator set 23. The exporters scale both ``q`` and ``k`` by the root
of ``scale``; a model that does it in steps of its own scales one of them or the product, and stays
in steps, as it does in PyTorch's own trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archsim.network.frontend.call import Call, Data
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_walk import Value, Walk


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """The calls from the products of queries and keys to their softmax."""

    product: Call
    mask: Value | None
    between: tuple[Call, ...]


def attention(walk: Walk, node: Node) -> bool:
    """Whether ``node`` is the second product of an attention; then its call is the whole of it."""
    value = walk.operand(node, 1)
    softmax = _softmax(walk, walk.operand(node, 0))
    scores = _scores(walk, softmax[0]) if softmax else None
    if scores is None or not isinstance(value, Data):
        return False
    query, key = (_unscaled(walk, factor) for factor in scores.product.data)
    if not (query[1] and key[1]):
        return False
    key_shape = (*key[0].shape[:-2], *reversed(key[0].shape[-2:]))
    args = {
        "query": query[0],
        "key": replace(key[0], shape=key_shape),
        "value": value,
        "attn_mask": scores.mask,
    }
    for call in (*softmax, *scores.between, *query[1], *key[1]):
        del walk.calls[call.id]
    walk.give(node, walk.emit(node, "scaled_dot_product_attention", args))
    return True


def _softmax(walk: Walk, value: object) -> tuple[Call, ...]:
    """The softmax that gives ``value``; perhaps with zeros where it is not a number (all masked).

    The softmax comes first, then the calls behind it.
    """
    call = walk.only_read_here(value)
    if call is None:
        return ()
    if _is_softmax(call):
        return (call,)
    if call.op != "where" or len(call.data) != 2:
        return ()
    test, kept = call.data
    asked, softmax = walk.calls.get(test.id), walk.calls.get(kept.id)
    if asked is None or softmax is None or asked.data != (kept,):
        return ()
    alone = walk.readers[test.id] == 1 and walk.readers[kept.id] == 2
    return (softmax, asked, call) if alone and _is_softmax(softmax) else ()


def _is_softmax(call: Call) -> bool:
    """Whether ``call`` is a softmax over the last axis."""
    return call.op == "softmax" and call.args.get("dim") in (-1, len(call.shape) - 1)


def _scores(walk: Walk, softmax: Call) -> _Scores | None:
    """Back from a softmax, through scales and a mask, to the product of two computed factors."""
    between: list[Call] = []
    mask: Value | None = None
    value = softmax.data[0]
    while (call := walk.only_read_here(value)) is not None:
        between.append(call)
        if call.op == "matmul":
            two = len(call.data) == 2 and len(call.data[0].shape) > 2
            return _Scores(product=call, mask=mask, between=tuple(between)) if two else None
        inner = _inner(walk, call, value)
        if inner is None:
            return None
        value = inner
        others = [operand for operand in call.operands if operand != inner]
        mask = others[0] if others and call.op == "add" else mask
    return None


def _inner(walk: Walk, call: Call, value: Data) -> Data | None:
    """The operand of a scale or of an added mask that may be the scores."""
    if call.op in ("mul", "div") and len(call.data) == 1:
        return call.data[0]
    if call.op != "add":
        return None
    fitting = [d for d in call.data if d.shape == value.shape and walk.readers[d.id] == 1]
    return fitting[0] if fitting else None


def _unscaled(walk: Walk, factor: Data) -> tuple[Data, tuple[Call, ...]]:
    """A factor before it is scaled, and the call that does so."""
    call = walk.only_read_here(factor)
    if call is not None and call.op in ("mul", "div") and len(call.data) == 1:
        return call.data[0], (call,)
    return factor, ()
