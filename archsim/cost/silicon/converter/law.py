"""What a kind of converter declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from archsim.arch.silicon import SiliconConstants

#: Of the bits of a conversion, and the constants.
Law = Callable[[Tensor, SiliconConstants], Tensor]


@dataclass(frozen=True)
class ConverterLaw:
    """One kind of converter.

    Attributes:
        name: as ``macro.adc_kind`` has it.
        description: one line.
        source: where its laws are from.
        energy_F: switched by one conversion, at 28 nm.
        slowness: times the formula's time of an invocation.
        further_delays: gate delays that a conversion takes on top of that.
        area_m2: of one converter, at 28 nm.
    """

    name: str
    description: str
    source: str
    energy_F: Law
    slowness: Law
    further_delays: Law
    area_m2: Law


def calibrated_F(bits: Tensor, constants: SiliconConstants) -> Tensor:
    """Return what a converter of published macros switches, F: comparisons, and thermal noise.

    Args:
        bits: of the conversion.
        constants: of the silicon model.
    """
    return constants.converter_linear_F * bits + constants.converter_thermal_F * 4**bits


def calibrated_m2(bits: Tensor, constants: SiliconConstants) -> Tensor:
    """Return the area of a converter of published macros, m2.

    Args:
        bits: of the conversion.
        constants: of the silicon model.
    """
    return constants.area_converter_m2 * bits


def levels_per_bit(bits: Tensor) -> Tensor:
    """Return the comparisons of all levels over those of a search by halves.

    Args:
        bits: of the conversion; a comparator has one.
    """
    more = bits.clamp_min(1.0)
    return (2**more - 1) / more


def once(bits: Tensor, constants: SiliconConstants) -> Tensor:
    """Return 1: as the formula has it.

    Args:
        bits: of the conversion.
        constants: not needed.
    """
    return bits * 0 + 1


def nothing(bits: Tensor, constants: SiliconConstants) -> Tensor:
    """Return 0.

    Args:
        bits: of the conversion.
        constants: not needed.
    """
    return bits * 0
