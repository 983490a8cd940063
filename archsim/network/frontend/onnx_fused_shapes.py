"""Shapes of what fused operators of ONNX Runtime give, of which ONNX has no inference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from archsim.errors import Code, NetworkError
from archsim.network.frontend.onnx_model import Node

Shapes = Sequence[tuple[int, ...]]


def fused_shapes(node: Node, given: Shapes) -> tuple[tuple[int, ...], ...]:
    """Shapes of what a fused operator gives, as far as they are known.

    Args:
        node: Which.
        given: Shapes of its inputs, ``()`` of those that are not given or not known.
    """
    rule = _SHAPES.get(node.op)
    return () if rule is None else rule(node, given)


def _matmul_shape(node: Node, given: Shapes) -> tuple[tuple[int, ...], ...]:
    left, right = (
        (*shape[:-2], *reversed(shape[-2:])) if node.whole(name, 0) else shape
        for shape, name in zip(given[:2], ("transA", "transB"), strict=True)
    )
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        return ()
    batch = max(left[:-2], right[:-2], key=lambda axes: (len(axes), math.prod(axes)))
    return ((*batch, left[-2], right[-1]),)


def _attention_shape(node: Node, given: Shapes) -> tuple[tuple[int, ...], ...]:
    if len(given) < 2 or len(given[0]) != 3 or len(given[1]) != 2:
        return ()
    return ((*given[0][:2], widths(node, given[1][1])[2]),)


def _heads_shape(node: Node, given: Shapes) -> tuple[tuple[int, ...], ...]:
    if len(given) < 3 or len(given[0]) != 3:
        return ()
    return (given[0],)


_SHAPES: dict[str, Callable[[Node, Shapes], tuple[tuple[int, ...], ...]]] = {
    "com.microsoft.FusedMatMul": _matmul_shape,
    "com.microsoft.TransposeMatMul": _matmul_shape,
    "com.microsoft.Attention": _attention_shape,
    "com.microsoft.QAttention": _attention_shape,
    "com.microsoft.MultiHeadAttention": _heads_shape,
    "com.microsoft.GroupQueryAttention": _heads_shape,
}


def widths(node: Node, columns: int) -> tuple[int, ...]:
    """Columns of query, key and value.

    Raises:
        NetworkError: They do not add up to ``columns``.
    """
    sizes = node.wholes("qkv_hidden_sizes") or (columns // 3,) * 3
    if len(sizes) != 3 or sum(sizes) != columns or min(sizes) < 1:
        raise NetworkError(
            f"{node.label}: {columns} columns are not those of query, key and value, {sizes}",
            code=Code.SHAPE_MISMATCH,
            field=node.label,
            value=columns,
        )
    return sizes
