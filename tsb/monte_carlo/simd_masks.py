"""Comparisons of float32 lanes for numba, and what is chosen by them.

A mask has one bit per lane. In a buffer it is a whole number of ``LANES`` bits (uint16).

Importing this module needs numba (its documented ``numba.extending`` interface).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from tsb.monte_carlo.lanes import LANES
from tsb.monte_carlo.simd import lanes

_VECTOR = ir.VectorType(ir.IntType(1), LANES)


class _Mask(types.Type):
    """Numba's name of the mask type."""

    def __init__(self) -> None:
        super().__init__(name=f"maskx{LANES}")


mask = _Mask()


@register_model(_Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)  # type: ignore[no-untyped-call]


@intrinsic
def greater(typing_context: Any, a: Any, b: Any) -> Any:
    """``greater(a, b)``: the lanes where ``a > b``; not those where one is not a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fcmp_ordered(">", *arguments)

    return mask(lanes, lanes), generate


@intrinsic
def choose(typing_context: Any, where: Any, yes: Any, no: Any) -> Any:
    """``choose(where, yes, no)``, lane by lane; of two vectors or of two masks."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(*arguments)

    return yes(mask, yes, no), generate


@intrinsic
def to_bits(typing_context: Any, where: Any) -> Any:
    """``to_bits(where)``: the mask as a number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(LANES))

    return types.uint16(mask), generate


@intrinsic
def from_bits(typing_context: Any, number: Any) -> Any:
    """``from_bits(number)``: the inverse of :func:`to_bits`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _VECTOR)

    return mask(types.uint16), generate
