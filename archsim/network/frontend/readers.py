"""What each operator is: PyTorch calls become :class:`~archsim.network.operation.Op`.

To teach archsim an operator, add its name to ``operators.py``, or a reader here where it has
numbers to read.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from archsim.errors import NetworkError
from archsim.network.frontend.call import Call, Data, Weight
from archsim.network.frontend.operators import KIND_OF, PRODUCTS, REFUSED
from archsim.network.layer import LayerKind, MvmLayer, Pool, PoolKind
from archsim.network.operation import Op, OpKind

_MAPPABLE = "conv1d, conv2d (with stride, padding, dilation, groups) and linear or matmul"


def read_call(call: Call) -> Op:
    """Turn ``call`` into an operation; inputs are call ids and the name may not be unique yet.

    Raises:
        NetworkError: The call holds a weight matrix that cannot be mapped.
    """
    if call.op in REFUSED:
        raise _refusal(call, REFUSED[call.op])
    if call.op in PRODUCTS:
        return _product(call)
    if call.op in _READERS:
        return _READERS[call.op](call)
    if call.op == "mean" and _spatial_mean(call):
        return _op(call, OpKind.POOL, pool=_global_pool(call))
    kind = KIND_OF.get(call.op, OpKind.OTHER)
    matrix = next((w for w in call.operands if _is_matrix(w)), None)
    if kind is OpKind.OTHER and isinstance(matrix, Weight):
        raise _refusal(call, f"an unknown operator that reads the weights '{matrix.name}'")
    return _op(call, kind)


def _op(
    call: Call,
    kind: OpKind,
    *,
    layer: MvmLayer | None = None,
    pool: Pool | None = None,
    macs: int = 0,
) -> Op:
    return Op(
        name=call.name if layer is None else layer.name,
        kind=kind,
        target=call.op,
        shape=call.shape,
        module=call.module,
        inputs=tuple(dict.fromkeys(operand.id for operand in call.data)),
        layer=layer,
        pool=pool,
        macs=macs,
    )


def _refusal(call: Call, what: str) -> NetworkError:
    weights = [operand for operand in call.operands if isinstance(operand, Weight)]
    owner = next((weight.owner for weight in weights if weight.trainable), call.name)
    owner = call.module if call.leaf else owner
    return NetworkError(
        f"layer '{owner}' ({call.op}) cannot be mapped to crossbars: it is {what}. "
        f"Matrix layers that can be mapped: {_MAPPABLE}"
    )


def _is_matrix(operand: Data | Weight) -> bool:
    if isinstance(operand, Data) or not operand.trainable:
        return False
    return sum(size > 1 for size in operand.shape) >= 2


def _convolution(call: Call) -> Op:
    weight, data = call.args.get("weight"), call.args.get("input")
    if not isinstance(weight, Weight) or not isinstance(data, Data):
        raise _refusal(call, "a convolution whose kernel is computed from the network input")
    dims = len(weight.shape) - 2
    out_channels, per_group = weight.shape[:2]
    groups = _int(call.args.get("groups", 1))
    kernel = _pair(weight.shape[2:], dims)
    dilation = _pair(call.args.get("dilation", 1), dims)
    in_size, out_size = _map_size(data.shape, dims), _map_size(call.shape, dims)
    stride = _pair(call.args.get("stride", 1), dims)
    padding = _padding(call, kernel, dilation, dims)
    layer = MvmLayer(
        name=weight.owner,
        kind=LayerKind.CONV,
        in_height=in_size[0],
        in_width=in_size[1],
        in_channels=per_group * groups,
        kernel_h=kernel[0],
        kernel_w=kernel[1],
        out_channels=out_channels,
        stride_h=stride[0],
        stride_w=stride[1],
        padding_h=padding[0],
        padding_w=padding[1],
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        groups=groups,
        bias=call.args.get("bias") is not None,
        out_height=out_size[0],
        out_width=out_size[1],
        mvms=math.prod(call.shape) // out_channels,
    )
    return _op(call, OpKind.CONV, layer=layer)


def _padding(
    call: Call, kernel: tuple[int, int], dilation: tuple[int, int], dims: int
) -> tuple[int, int]:
    padding = call.args.get("padding", 0)
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return _pair(padding, dims, fill=0)
    spans = tuple(d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    if any(span % 2 for span in spans):
        raise _refusal(call, "padded 'same' for an even kernel, so unevenly; pad it explicitly")
    return spans[0] // 2, spans[1] // 2


def _linear(call: Call) -> Op:
    weight = call.args.get("weight")
    if not isinstance(weight, Weight):
        raise _refusal(call, "a linear layer whose weights are computed from the network input")
    out_features, in_features = (1, *weight.shape)[-2:]
    bias = call.args.get("bias") is not None
    return _linear_op(call, weight, in_features, out_features, bias=bias)


def _linear_op(call: Call, weight: Weight, rows: int, cols: int, *, bias: bool) -> Op:
    pixels = math.prod(call.shape) // cols
    height, width = call.shape[1:3] if len(call.shape) == 4 else (1, pixels)
    if height * width != pixels:  # a 4-d product that is no channels-last map
        height, width = 1, pixels
    layer = MvmLayer(
        name=weight.owner,
        kind=LayerKind.LINEAR,
        in_height=height,
        in_width=width,
        in_channels=rows,
        out_channels=cols,
        bias=bias,
        out_height=height,
        out_width=width,
        mvms=pixels,
    )
    return _op(call, OpKind.LINEAR, layer=layer)


def _product(call: Call) -> Op:
    """A matrix product: a linear layer if one factor is a weight, digital work if none is."""
    factors = call.operands[1:] if call.op in ("addmm", "baddbmm") else call.operands
    weights = [factor for factor in factors if isinstance(factor, Weight)]
    if not weights:
        inner = factors[0].shape[-1] if call.op != "einsum" else _einsum_inner(call)
        return _op(call, OpKind.MATMUL, macs=math.prod(call.shape) * inner)
    if call.op == "einsum" or len(factors) != 2:
        raise _refusal(call, "a product of weights in einsum; write it as linear or matmul")
    weight = weights[0]
    matrix = tuple(size for size in weight.shape[:-2] if size > 1)
    if matrix:
        raise _refusal(call, f"a stack of {math.prod(matrix)} matrices; use one linear layer each")
    bias = call.op in ("addmm", "baddbmm")
    if factors[1] is weight:
        rows, cols = weight.shape[-2:] if len(weight.shape) > 1 else (weight.shape[0], 1)
    else:
        cols, rows = (1, *weight.shape)[-2:]
    return _linear_op(call, weight, rows, cols, bias=bias)


def _einsum_inner(call: Call) -> int:
    """Elements summed over for each output of an einsum, from its equation."""
    equation = str(next((v for v in call.args.values() if isinstance(v, str)), ""))
    terms, _, result = equation.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms.split(","), call.operands, strict=False):
        sizes |= dict(zip(term, operand.shape, strict=False))
    return math.prod(size for letter, size in sizes.items() if letter not in result)


def _attention(call: Call) -> Op:
    query, key, value = call.operands[:3]
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    return _op(call, OpKind.ATTENTION, macs=pairs * (query.shape[-1] + value.shape[-1]))


def _window_pool(call: Call) -> Op:
    dims = 1 if call.op.endswith("1d") else 2
    kernel = _pair(call.args.get("kernel_size", 1), dims)
    stride = call.args.get("stride")
    pool = Pool(
        kind=PoolKind.MAX if call.op.startswith("max") else PoolKind.AVG,
        kernel=kernel,
        stride=_pair(stride, dims) if stride not in (None, (), []) else kernel,
        padding=_pair(call.args.get("padding", 0), dims, fill=0),
        out_size=_map_size(call.shape, dims),
    )
    return _op(call, OpKind.POOL, pool=pool)


def _adaptive_pool(call: Call) -> Op:
    dims = 1 if call.op.endswith("1d") else 2
    in_size, out_size = _map_size(call.data[0].shape, dims), _map_size(call.shape, dims)
    pool = Pool(
        kind=PoolKind.MAX if "max" in call.op else PoolKind.AVG,
        kernel=(-(-in_size[0] // out_size[0]), -(-in_size[1] // out_size[1])),
        stride=(max(1, in_size[0] // out_size[0]), max(1, in_size[1] // out_size[1])),
        out_size=out_size,
    )
    return _op(call, OpKind.POOL, pool=pool)


def _spatial_mean(call: Call) -> bool:
    """Whether a mean is a global average pooling: over exactly the last two axes of a 4-d map."""
    dims = call.args.get("dim")
    if not isinstance(dims, list | tuple) or not call.data or len(call.data[0].shape) != 4:
        return False
    return sorted(_int(dim) % 4 for dim in dims) == [2, 3]


def _global_pool(call: Call) -> Pool:
    size = _map_size(call.data[0].shape, 2)
    return Pool(kind=PoolKind.AVG, kernel=size, stride=size, out_size=(1, 1))


def _map_size(shape: tuple[int, ...], dims: int) -> tuple[int, int]:
    return (1, shape[-1]) if dims == 1 else (shape[-2], shape[-1])


def _pair(value: object, dims: int, fill: int = 1) -> tuple[int, int]:
    """``(vertical, horizontal)`` from an argument that may be one number or a list."""
    numbers = [_int(v) for v in value] if isinstance(value, list | tuple) else [_int(value)]
    if dims == 1:
        return fill, numbers[-1]
    return numbers[0], numbers[-1]


def _int(value: object) -> int:
    if isinstance(value, int):
        return value
    raise NetworkError(f"an operator has the argument {value!r} where a whole number is expected")


_READERS: dict[str, Callable[[Call], Op]] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "linear": _linear,
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool2d_with_indices", "avg_pool1d", "avg_pool2d"),
        _window_pool,
    ),
    **dict.fromkeys(
        (
            "adaptive_avg_pool1d",
            "adaptive_avg_pool2d",
            "adaptive_max_pool1d",
            "adaptive_max_pool2d",
        ),
        _adaptive_pool,
    ),
}
