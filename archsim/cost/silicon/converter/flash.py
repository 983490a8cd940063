"""Flash: a comparator per level, all at once.

A comparison and the area of a comparator are those of the calibrated converter. Time is left as the
formula has it, though a search takes a comparison per bit and a flash one in all: how much of an
invocation is conversion is not known.
"""

from __future__ import annotations

from torch import Tensor

from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converter.law import (
    ConverterLaw,
    calibrated_F,
    calibrated_m2,
    levels_per_bit,
    nothing,
    once,
)


def _energy_F(bits: Tensor, constants: SiliconConstants) -> Tensor:
    return calibrated_F(bits, constants) * levels_per_bit(bits)


def _area_m2(bits: Tensor, constants: SiliconConstants) -> Tensor:
    return calibrated_m2(bits, constants) * levels_per_bit(bits)


FLASH = ConverterLaw(
    name="flash",
    description="a comparator per level, all at once: energy and area of 2^bits - 1 of them",
    source="Pelgrom, Analog-to-Digital Conversion, Springer 2017, doi:10.1007/978-3-319-44971-5: "
    "2^bits - 1 comparators; physics, not calibrated",
    energy_F=_energy_F,
    slowness=once,
    further_delays=nothing,
    area_m2=_area_m2,
)
