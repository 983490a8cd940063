"""Products that do not depend on the network input: constant-folded, not computed anew."""

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
    **dict.fromkeys(("linear", "matmul", "mm", "bmm", "mv", "MatMul"), 0),
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
    """Multiply-accumulates, 0 of what is no product, or where an operand is not known."""
    shapes = [operand.shape for operand in call.operands if isinstance(operand, Weight)]
    first = _PRODUCTS.get(call.op, 0)
    if len(shapes) < first + 2 or not shapes[first]:
        return 0
    outputs, kernel = math.prod(call.shape), math.prod(shapes[1][1:])
    if call.op in _CONVOLUTIONS:
        return outputs * kernel if len(shapes[1]) > 2 else 0
    if call.op in _TRANSPOSED:
        return math.prod(shapes[0]) * kernel if len(shapes[1]) > 2 else 0
    if call.op == "Gemm":  # either operand may be transposed
        return outputs * math.prod(shapes[0]) // call.shape[0]
    return outputs * shapes[first][-1] if call.op in _PRODUCTS else 0
