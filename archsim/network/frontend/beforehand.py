"""Products that do not depend on the network input: worked out once, not at every inference."""

from __future__ import annotations

import math
from collections.abc import Iterable

from archsim.network.frontend.call import Call, Weight
from archsim.network.operation import Beforehand

#: Products of a map and a kernel, by operator; those of ONNX with capitals.
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d", "convolution", "Conv"})
_TRANSPOSED = frozenset(
    {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "ConvTranspose"}
)
#: Products of rows and columns, and which operand comes first in them.
_PRODUCTS = {
    **dict.fromkeys(("linear", "matmul", "mm", "bmm", "mv", "MatMul", "Gemm"), 0),
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), 1),
}


def beforehand(calls: Iterable[Call]) -> tuple[Beforehand, ...]:
    """Return the products among calls whose operands are all stored.

    Args:
        calls: computations of stored tensors alone.
    """
    sized = ((call, _macs(call)) for call in calls)
    return tuple(Beforehand(name=call.name, op=call.op, macs=macs) for call, macs in sized if macs)


def _macs(call: Call) -> int:
    """Multiply-accumulates, 0 of what is no product."""
    shapes = [operand.shape for operand in call.operands if isinstance(operand, Weight)]
    if call.op in _CONVOLUTIONS and len(shapes) > 1:
        return math.prod(call.shape) * math.prod(shapes[1][1:])
    if call.op in _TRANSPOSED and len(shapes) > 1:
        return math.prod(shapes[0]) * math.prod(shapes[1][1:])
    first = _PRODUCTS.get(call.op)
    if first is None or len(shapes) <= first or not shapes[first]:
        return 0
    return math.prod(call.shape) * shapes[first][-1]
