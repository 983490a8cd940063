"""Vectors of float32 lanes for numba: load, store, broadcast, multiply-add and maximum.

With them generated code is vectorised by construction. Left to the compiler it depends on where the
buffers happen to lie: it guards its vector loops with a test for overlap that fails for some
placements, and then the same code takes ten times as long (seen with numba 0.68).

Importing this module needs numba (its documented ``numba.extending`` interface).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from tsb.monte_carlo.lanes import LANES

_FLOAT_BYTES = 4
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


class _Lanes(types.Type):
    """Numba's name of the vector type."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to a vector at a flat index of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    first = cgutils.gep_inbounds(builder, data, index)  # type: ignore[no-untyped-call]
    return builder.bitcast(first, _VECTOR.as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """``load(array, index)``: the ``LANES`` numbers from a flat index on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=_FLOAT_BYTES)

    return lanes(array, types.intp), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """``store(array, index, vector)``: the inverse of :func:`load`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=_FLOAT_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def broadcast(typing_context: Any, number: Any) -> Any:
    """``broadcast(number)``: the same float32 in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        empty = ir.Constant(_VECTOR, ir.Undefined)
        single = builder.insert_element(empty, arguments[0], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(single, empty, everywhere)

    return lanes(types.float32), generate


@intrinsic
def multiply_add(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """``multiply_add(a, b, c)``: ``a * b + c``, rounded once where the CPU can."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        fused = ("contract",)  # one instruction where there is one
        product = builder.fmul(arguments[0], arguments[1], flags=fused)
        return builder.fadd(product, arguments[2], flags=fused)

    return lanes(lanes, lanes, lanes), generate


@intrinsic
def maximum(typing_context: Any, a: Any, b: Any) -> Any:
    """``maximum(a, b)``, lane by lane; ``b`` where ``a`` is not a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return lanes(lanes, lanes), generate
