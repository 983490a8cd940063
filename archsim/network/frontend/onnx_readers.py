"""ONNX operators with numbers to read: convolutions, products, pools, lookups, attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archsim.errors import Code, NetworkError
from archsim.network.frontend.call import Data, Weight
from archsim.network.frontend.onnx_model import Node
from archsim.network.frontend.onnx_walk import Value, Walk

_Pads = tuple[tuple[int, ...], tuple[int, ...]]


def _convolution(walk: Walk, node: Node) -> None:
    bias = walk.operand(node, 2)
    _convolve(walk, node, walk.data(node), walk.operand(node, 1), bias)


def _quantised_convolution(walk: Walk, node: Node) -> None:
    """``QLinearConv``: input, scale, zero; weight, scale, zero; output scale, zero; bias."""
    _convolve(walk, node, walk.data(node), walk.operand(node, 3), walk.operand(node, 8))


def _integer_convolution(walk: Walk, node: Node) -> None:
    _convolve(walk, node, walk.data(node), walk.operand(node, 1), None)


def _convolve(walk: Walk, node: Node, data: Data, weight: Value | None, bias: Value | None) -> None:
    dims = _spatial(node, data)
    kernel = _kernel(node, weight, dims)
    stride, dilation = _steps(node, "strides", dims), _steps(node, "dilations", dims)
    begin, end = _pads(node, data.shape[2:], kernel, stride, dilation)
    if begin != end:
        data, begin = _padded(walk, node, data, begin, end), (0,) * dims
    args = {
        "input": data,
        "weight": walk.weight(weight),
        "bias": walk.weight(bias, "bias"),
        "stride": stride,
        "padding": begin,
        "dilation": dilation,
        "groups": node.whole("group", 1),
    }
    walk.give(node, walk.emit(node, f"conv{dims}d", args))


def _spatial(node: Node, data: Data) -> int:
    """Spatial axes of a map, 1 to 3.

    Raises:
        NetworkError: There are more or none.
    """
    dims = len(data.shape) - 2
    if not 1 <= dims <= _MOST_AXES:
        raise NetworkError(
            f"{node.label}: its input has shape {data.shape}; 3 to 5 axes are read",
            code=Code.UNSUPPORTED,
            field=node.label,
            value=data.shape,
            allowed="3 to 5 axes",
        )
    return dims


_MOST_AXES = 3


def _kernel(node: Node, weight: Value | None, dims: int) -> tuple[int, ...]:
    """Size of a kernel.

    Raises:
        NetworkError: The weights have another number of axes than the map.
    """
    shape = () if weight is None else weight.shape
    return _sized(node, "the shape of the weights", shape, dims + 2)[2:]


def _steps(node: Node, attribute: str, dims: int) -> tuple[int, ...]:
    return _sized(node, attribute, node.wholes(attribute) or (1,) * dims, dims)


def _sized(node: Node, attribute: str, values: tuple[int, ...], size: int) -> tuple[int, ...]:
    if len(values) != size:
        raise NetworkError(
            f"{node.label}: {attribute} is {values}; {size} numbers are expected",
            code=Code.SHAPE_MISMATCH,
            field=attribute,
            value=values,
            allowed=f"{size} numbers",
        )
    return values


def _pads(
    node: Node,
    in_size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> _Pads:
    """Padding before and after each spatial axis, with ``auto_pad`` computed.

    ``SAME`` pads so that ``ceil(size / stride)`` values come out (ONNX operator Conv); an odd pixel
    goes to the end for ``SAME_UPPER`` and to the beginning for ``SAME_LOWER``.
    """
    dims = len(in_size)
    auto = node.text("auto_pad", "NOTSET")
    if not auto.startswith("SAME_"):
        pads = node.wholes("pads") if auto != "VALID" else None
        pads = _sized(node, "pads", pads or (0,) * (2 * dims), 2 * dims)
        return pads[:dims], pads[dims:]
    totals = [
        max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        for size, k, s, d in zip(in_size, kernel, stride, dilation, strict=True)
    ]
    less, more = tuple(total // 2 for total in totals), tuple(-(-total // 2) for total in totals)
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def _padded(
    walk: Walk, node: Node, data: Data, begin: tuple[int, ...], end: tuple[int, ...]
) -> Data:
    """``data`` after a padding of its own, for operators that pad unevenly."""
    inner = zip(data.shape[2:], begin, end, strict=True)
    shape = (*data.shape[:2], *(size + b + e for size, b, e in inner))
    args = {"input": data, "pad": (*begin, *end)}
    return walk.emit(node, "constant_pad_nd", args, shape=shape, suffix="_pad")


def _transposed_convolution(walk: Walk, node: Node) -> None:
    data, weight = walk.data(node), walk.operand(node, 1)
    dims = _spatial(node, data)
    kernel = _kernel(node, weight, dims)
    stride, dilation = _steps(node, "strides", dims), _steps(node, "dilations", dims)
    args = {
        "input": data,
        "weight": walk.weight(weight),
        "bias": walk.weight(walk.operand(node, 2), "bias"),
        "stride": stride,
        "groups": node.whole("group", 1),
        "dilation": dilation,
    }
    out_size = walk.shape(node.outputs[0])[2:]
    spans = [
        (size - 1) * s + d * (k - 1) + 1
        for size, k, s, d in zip(data.shape[2:], kernel, stride, dilation, strict=True)
    ]
    begin = _cropped(node, spans, out_size)
    extra = tuple(
        out + 2 * crop - span for out, crop, span in zip(out_size, begin, spans, strict=True)
    )
    op = f"conv_transpose{dims}d"
    if all(0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        args |= {"padding": begin, "output_padding": extra}
        walk.give(node, walk.emit(node, op, args))
        return
    # Cropped unevenly: the whole map is computed, and the result cut out of it.
    zeros = (0,) * dims
    grown = [max(span, out + crop) for span, out, crop in zip(spans, out_size, begin, strict=True)]
    args |= {
        "padding": zeros,
        "output_padding": tuple(g - span for g, span in zip(grown, spans, strict=True)),
    }
    shape = (*walk.shape(node.outputs[0])[:2], *grown)
    whole = walk.emit(node, op, args, shape=shape, suffix="_whole")
    walk.give(node, walk.emit(node, "slice", {"input": whole}))


def _cropped(node: Node, spans: Sequence[int], out_size: Sequence[int]) -> tuple[int, ...]:
    """What a transposed convolution cuts off before each axis (its ``pads``, computed)."""
    dims = len(spans)
    auto = node.text("auto_pad", "NOTSET")
    sizes = node.wholes("output_shape")
    if sizes is None and not auto.startswith("SAME_"):
        pads = node.wholes("pads") if auto != "VALID" else None
        return _sized(node, "pads", pads or (0,) * (2 * dims), 2 * dims)[:dims]
    added = _sized(node, "output_padding", node.wholes("output_padding") or (0,) * dims, dims)
    totals = [max(s + a - o, 0) for s, a, o in zip(spans, added, out_size, strict=True)]
    # ONNX operator ConvTranspose: the smaller half comes first for SAME_UPPER only.
    if auto == "SAME_UPPER":
        return tuple(total // 2 for total in totals)
    return tuple(total - total // 2 for total in totals)


def _gemm(walk: Walk, node: Node) -> None:
    """``alpha A' B' + beta C``; factors of constants are part of the weights."""
    left = turned(walk.operand(node, 0), bool(node.whole("transA", 0)))
    right = turned(walk.operand(node, 1), bool(node.whole("transB", 0)))
    added = walk.operand(node, 2)
    if added is None or isinstance(added, Weight):
        product(walk, node, left, right, added)
        return
    both = _product_call(walk, node, left, right, None, suffix="_product")
    walk.give(node, walk.emit(node, "add", {"input": both, "other": added}))


def turned(value: Value | None, turn: bool) -> Value | None:
    """``value``, transposed if ``turn`` says so."""
    if value is None or not turn:
        return value
    return transposed(value) if isinstance(value, Weight) else replace(value, shape=_flip(value))


def transposed(weight: Weight) -> Weight:
    """The transpose of a matrix; that of a transpose is the matrix itself."""
    plain = weight.formula.removesuffix(_TRANSPOSED)
    formula = plain if plain != weight.formula else f"{plain}{_TRANSPOSED}"
    return replace(weight, shape=_flip(weight), formula=formula)


_TRANSPOSED = " transposed"


def _flip(value: Value) -> tuple[int, ...]:
    return (*value.shape[:-2], *reversed(value.shape[-2:]))


def _matmul(walk: Walk, node: Node) -> None:
    product(walk, node, walk.operand(node, 0), walk.operand(node, 1), None)


def _quantised_matmul(walk: Walk, node: Node) -> None:
    """``QLinearMatMul``: left, scale, zero; right, scale, zero; output scale, zero."""
    product(walk, node, walk.operand(node, 0), walk.operand(node, 3), None)


def product(
    walk: Walk, node: Node, left: Value | None, right: Value | None, bias: Weight | None
) -> None:
    """Add the call for a product of two factors: a linear layer where the right one is stored."""
    walk.give(node, _product_call(walk, node, left, right, bias))


def _product_call(
    walk: Walk,
    node: Node,
    left: Value | None,
    right: Value | None,
    bias: Weight | None,
    *,
    suffix: str = "",
) -> Data:
    """A linear layer where the right factor is one stored matrix, else a product."""
    if isinstance(right, Weight) and len(right.shape) == 2 and isinstance(left, Data):
        weight = walk.names.of(transposed(right), walk.place)
        args = {"input": left, "weight": weight, "bias": walk.weight(bias, "bias")}
        return walk.emit(node, "linear", args, suffix=suffix)
    args = {"input": walk.weight(left), "other": walk.weight(right)}
    if bias is not None:
        args = {"bias": walk.weight(bias, "bias"), **args}
    return walk.emit(node, "matmul" if bias is None else "addmm", args, suffix=suffix)


def _window_pool(walk: Walk, node: Node) -> None:
    data = walk.data(node)
    dims = _spatial(node, data)
    kernel = _sized(node, "kernel_shape", node.wholes("kernel_shape") or (), dims)
    stride = _steps(node, "strides", dims)
    begin, end = _pads(node, data.shape[2:], kernel, stride, _steps(node, "dilations", dims))
    if begin != end:
        data, begin = _padded(walk, node, data, begin, end), (0,) * dims
    kind = "max" if node.op == "MaxPool" else "avg"
    args = {"input": data, "kernel_size": kernel, "stride": stride, "padding": begin}
    walk.give(node, walk.emit(node, f"{kind}_pool{dims}d", args))


def _global_pool(walk: Walk, node: Node) -> None:
    data = walk.data(node)
    dims = _spatial(node, data)
    kind = "max" if node.op == "GlobalMaxPool" else "avg"
    args = {"input": data, "output_size": (1,) * dims}
    walk.give(node, walk.emit(node, f"adaptive_{kind}_pool{dims}d", args))


def _mean(walk: Walk, node: Node) -> None:
    data = walk.data(node)
    axes = node.wholes("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        given = walk.types.value(node.inputs[1])
        axes = None if given is None else tuple(int(axis) for axis in given.reshape(-1))
    dims = tuple(range(len(data.shape))) if axes is None else axes
    args = {"input": data, "dim": dims, "keepdim": bool(node.whole("keepdims", 1))}
    walk.give(node, walk.emit(node, "mean", args))


def _softmax(walk: Walk, node: Node) -> None:
    """A softmax; before operator set 13 its axis was the second if it is not given."""
    default = -1 if walk.model.opsets[""] >= _SOFTMAX_OF_LAST_AXIS else 1
    args = {"input": walk.data(node), "dim": node.whole("axis", default)}
    walk.give(node, walk.emit(node, "softmax", args))


_SOFTMAX_OF_LAST_AXIS = 13


def _batch_norm(walk: Walk, node: Node) -> None:
    names = ("input", "weight", "bias", "running_mean", "running_var")
    values = [walk.operand(node, index) for index in range(len(names))]
    args = {name: walk.weight(v, name) for name, v in zip(names, values, strict=True)}
    walk.give(node, walk.emit(node, "batch_norm", args))


def _clip(walk: Walk, node: Node) -> None:
    bounds = [walk.types.value(name) if name else None for name in (*node.inputs[1:], "", "")[:2]]
    numbers = [None if b is None or b.size != 1 else float(b.reshape(-1)[0]) for b in bounds]
    op = "relu6" if numbers == _RELU6 else "clamp"
    walk.give(node, walk.emit(node, op, {"input": walk.data(node)}))


#: Bounds of the activation of MobileNet (A. Howard et al., arXiv:1704.04861).
_RELU6 = [0.0, 6.0]


def _gather(walk: Walk, node: Node) -> None:
    """A lookup: of an embedding where the table is stored, else a part of the data."""
    table, index = walk.operand(node, 0), walk.operand(node, 1)
    if isinstance(table, Weight):
        args = {"weight": walk.weight(table), "indices": index, "dim": node.whole("axis", 0)}
        walk.give(node, walk.emit(node, "embedding", args))
        return
    walk.give(node, walk.emit(node, "index_select", {"input": table, "index": index}))


def _einsum(walk: Walk, node: Node) -> None:
    operands = tuple(walk.weight(walk.operand(node, i)) for i in range(len(node.inputs)))
    equation = node.text("equation").replace(" ", "")
    walk.give(node, walk.emit(node, "einsum", {"equation": equation, "operands": operands}))


def _attention(walk: Walk, node: Node) -> None:
    """``Attention`` of operator set 23: query, key, value, mask, and keys and values before."""
    query, key, value = (walk.data(node, index) for index in range(3))
    q_heads, kv_heads = node.whole("q_num_heads", 0), node.whole("kv_num_heads", 0)
    query, key, value = (
        in_heads(node, data, heads)
        for data, heads in ((query, q_heads), (key, kv_heads), (value, kv_heads))
    )
    past = walk.operand(node, 4)
    if past is not None:
        length = key.shape[2] + past.shape[2]
        key, value = (replace(d, shape=(*d.shape[:2], length, d.shape[3])) for d in (key, value))
    args = {"query": query, "key": key, "value": value, "attn_mask": walk.operand(node, 3)}
    walk.give(node, walk.emit(node, "scaled_dot_product_attention", args))


def in_heads(node: Node, data: Data, heads: int) -> Data:
    """``data`` as batch, heads, tokens, channels of one head."""
    if len(data.shape) == 4:
        return data
    batch, tokens, channels = data.shape
    if heads < 1 or channels % heads:
        raise NetworkError(
            f"{node.label}: {channels} channels cannot be cut into {heads} heads",
            code=Code.SHAPE_MISMATCH,
            field=node.label,
            value=channels,
        )
    return replace(data, shape=(batch, heads, tokens, channels // heads))


def _dynamic_quantisation(walk: Walk, node: Node) -> None:
    """The integers are their input; scale and zero point take its least and greatest value."""
    data = walk.data(node)
    for index, name in enumerate(node.outputs):
        if index == 0 or not name:
            walk.seen[name] = data
        elif walk.readers[name]:
            op = "amax" if index == 1 else "amin"
            walk.seen[name] = walk.emit(node, op, {"input": data}, output=index)


READERS: dict[str, Callable[[Walk, Node], None]] = {
    "Conv": _convolution,
    "QLinearConv": _quantised_convolution,
    "ConvInteger": _integer_convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _quantised_matmul,
    "MaxPool": _window_pool,
    "AveragePool": _window_pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "ReduceMean": _mean,
    "Softmax": _softmax,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Gather": _gather,
    "Einsum": _einsum,
    "Attention": _attention,
    "DynamicQuantizeLinear": _dynamic_quantisation,
}
