"""Fused operators of ONNX Runtime that are more than one of ONNX: products and attentions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Data, Weight
from archsim.network.frontend.onnx_fused_shapes import widths
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_readers import in_heads, product, transposed, turned
from archsim.network.frontend.onnx_walk import Value, Walk


def _matmul(walk: Walk, node: Node) -> None:
    """``FusedMatMul``: a product of matrices that may be transposed."""
    if node.whole("transBatchA", 0) or node.whole("transBatchB", 0):
        raise NetworkError(
            f"{node.label}: a product with its batch axes moved (transBatchA, transBatchB) is not "
            "read; export the model with plain MatMul",
            code=Code.UNSUPPORTED_OPERATOR,
            field=node.label,
            value="transBatchA",
        )
    left = turned(walk.operand(node, 0), bool(node.whole("transA", 0)))
    right = turned(walk.operand(node, 1), bool(node.whole("transB", 0)))
    product(walk, node, left, right, None)


def _attention(walk: Walk, node: Node) -> None:
    """``Attention`` and ``QAttention``: one matrix for query, key and value, then attention."""
    data, weight, bias = walk.data(node), walk.operand(node, 1), walk.operand(node, 2)
    if not isinstance(weight, Weight) or len(weight.shape) != 2 or len(data.shape) != 3:
        raise NetworkError(
            f"{node.label}: its weights for query, key and value are not stored as one matrix",
            code=Code.UNSUPPORTED_OPERATOR,
            field=node.label,
            value=node.op,
        )
    shape = (*data.shape[:2], weight.shape[1])
    args = {
        "input": data,
        "weight": walk.names.of(transposed(weight), walk.place),
        "bias": walk.weight(bias, "bias"),
    }
    whole = walk.emit(node, "linear", args, shape=shape, suffix="_qkv")
    parts = []
    for index, size in enumerate(widths(node, weight.shape[1])):
        part = {"input": whole, "index": index}
        sized = (*data.shape[:2], size)
        parts.append(walk.emit(node, "getitem", part, shape=sized, suffix=f"_{index}"))
    heads = node.whole("num_heads", 0)
    query, key, value = (in_heads(node, part, heads) for part in parts)
    walk.give(node, walk.emit(node, _SDPA, {"query": query, "key": key, "value": value}))


_SDPA = "scaled_dot_product_attention"


def _heads(walk: Walk, node: Node) -> None:
    """``MultiHeadAttention`` and ``GroupQueryAttention``: of computed query, key and value."""
    given = [walk.operand(node, index) for index in range(3)]
    data = [value for value in given if isinstance(value, Data)]
    past = walk.operand(node, 6 if node.op.endswith("MultiHeadAttention") else 3)
    if len(data) != 3:
        raise NetworkError(
            f"{node.label}: query, key and value packed into one tensor are not read; export the "
            "model with three inputs of the attention",
            code=Code.UNSUPPORTED_OPERATOR,
            field=node.label,
            value=node.op,
        )
    heads = node.whole("num_heads", 0)
    of_keys = node.whole("kv_num_heads", heads)
    counts = (heads, of_keys, of_keys)
    query, key, value = (in_heads(node, d, n) for d, n in zip(data, counts, strict=True))
    if isinstance(past, Data) and len(past.shape) == 4:
        length = key.shape[2] + past.shape[2]
        key, value = (replace(d, shape=(*d.shape[:2], length, d.shape[3])) for d in (key, value))
    args: dict[str, Value] = {"query": query, "key": key, "value": value}
    walk.give(node, walk.emit(node, _SDPA, args))


#: By operator, with its domain.
FUSED_READERS: dict[str, Callable[[Walk, Node], None]] = {
    "com.microsoft.FusedMatMul": _matmul,
    "com.microsoft.TransposeMatMul": _matmul,
    "com.microsoft.Attention": _attention,
    "com.microsoft.QAttention": _attention,
    "com.microsoft.MultiHeadAttention": _heads,
    "com.microsoft.GroupQueryAttention": _heads,
}
