"""What each operator is: PyTorch calls become operations.

To teach archsim an operator, add its name to ``operators.py``, or a reader to the table below where
it has numbers to read.
"""

from __future__ import annotations

from collections.abc import Callable

from archsim.network.frontend.call import Call, Weight
from archsim.network.frontend.convolutions import (
    any_convolution,
    convolution,
    transposed_convolution,
)
from archsim.network.frontend.operators import KIND_OF, PRODUCTS, RECURRENT, REFUSED
from archsim.network.frontend.picks import PICKED, picked_product
from archsim.network.frontend.products import attention, bilinear, linear, product
from archsim.network.frontend.reading import (
    Axes,
    Draft,
    axes,
    draft,
    is_matrix,
    map_axes,
    refusal,
    whole,
)
from archsim.network.frontend.recurrent import recurrent
from archsim.network.layer import Pool, PoolKind
from archsim.network.operation import OpKind


def read_call(call: Call) -> tuple[Draft, ...]:
    """Turn ``call`` into operations; the last one gives its result.

    Raises:
        NetworkError: The call holds a weight matrix that cannot be mapped.
    """
    if call.op in REFUSED:
        raise refusal(call, REFUSED[call.op])
    if call.op in _READERS:
        return _READERS[call.op](call)
    if call.op == "mean" and _spatial_mean(call):
        return (draft(call, OpKind.POOL, pool=_global_pool(call)),)
    kind = KIND_OF.get(call.op, OpKind.OTHER)
    matrix = _matrix(call) if kind is OpKind.OTHER else None
    if matrix is not None:
        raise refusal(
            call,
            f"an operator that archsim does not know, called at '{call.name}', and it reads the "
            f"weights '{matrix.name}' of shape {matrix.shape}; write what {call.op} does with "
            "layers that can be mapped",
        )
    return (draft(call, kind),)


def _matrix(call: Call) -> Weight | None:
    """A stored matrix that an unknown operator reads.

    Integers are not trained, and may be anything; but what is called a product multiplies by them.
    """
    words = call.op.lower().split("_")
    is_product = any(w.endswith("mm") or any(part in w for part in _PRODUCT_WORDS) for w in words)
    stored = [w for w in call.operands if isinstance(w, Weight)]
    wide = [w for w in stored if is_product and sum(size > 1 for size in w.shape) >= 2]
    return next((w for w in stored if is_matrix(w)), next(iter(wide), None))


_PRODUCT_WORDS = ("linear", "conv", "matmul", "gemm")


def _embedding(call: Call) -> tuple[Draft, ...]:
    table = next((w for w in call.operands if isinstance(w, Weight)), None)
    return (draft(call, OpKind.EMBEDDING, weight=table),)


def _window_pool(call: Call) -> tuple[Draft, ...]:
    dims = _dims(call)
    kernel, stride = axes(call.args.get("kernel_size", 1), dims), call.args.get("stride")
    step = kernel if stride in (None, (), []) else axes(stride, dims)
    return _pool(call, kernel, step, axes(call.args.get("padding", 0), dims, fill=0))


def _adaptive_pool(call: Call) -> tuple[Draft, ...]:
    dims = _dims(call)
    sizes = zip(map_axes(call.data[0].shape, dims), map_axes(call.shape, dims), strict=True)
    windows = [(-(-given // wanted), max(1, given // wanted)) for given, wanted in sizes]
    (k_d, s_d), (k_h, s_h), (k_w, s_w) = windows
    return _pool(call, (k_d, k_h, k_w), (s_d, s_h, s_w), (0, 0, 0))


def _pool(call: Call, kernel: Axes, stride: Axes, padding: Axes) -> tuple[Draft, ...]:
    """A pooling; one over planes has no window of two axes to note, and is digital work."""
    if kernel[0] > 1 or stride[0] > 1:
        return (draft(call, OpKind.POOL),)
    pool = Pool(
        kind=PoolKind.MAX if "max" in call.op else PoolKind.AVG,
        kernel=kernel[1:],
        stride=stride[1:],
        padding=padding[1:],
        out_size=map_axes(call.shape, min(_dims(call), 2))[1:],
    )
    return (draft(call, OpKind.POOL, pool=pool),)


def _dims(call: Call) -> int:
    return next((n for n in (1, 3) if f"{n}d" in call.op), 2)


def _spatial_mean(call: Call) -> bool:
    """Whether a mean is a global average pooling: over exactly the last two axes of a 4-d map."""
    dims = call.args.get("dim")
    if not isinstance(dims, list | tuple) or not call.data or len(call.data[0].shape) != 4:
        return False
    return sorted(whole(dim) % 4 for dim in dims) == [2, 3]


def _global_pool(call: Call) -> Pool:
    size = map_axes(call.data[0].shape, 2)[1:]
    return Pool(kind=PoolKind.AVG, kernel=size, stride=size, out_size=(1, 1))


_READERS: dict[str, Callable[[Call], tuple[Draft, ...]]] = {
    **{f"conv{n}d": convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": transposed_convolution for n in (1, 2, 3)},
    "convolution": any_convolution,
    "linear": linear,
    **dict.fromkeys(PRODUCTS, product),
    PICKED: picked_product,
    "bilinear": bilinear,
    **dict.fromkeys(RECURRENT, recurrent),
    "embedding": _embedding,
    "embedding_bag": _embedding,
    "scaled_dot_product_attention": attention,
    **{f"{kind}_pool{n}d": _window_pool for kind in ("max", "avg") for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": _window_pool for n in (2, 3)},
    **{f"adaptive_{kind}_pool{n}d": _adaptive_pool for kind in ("max", "avg") for n in (1, 2, 3)},
}
