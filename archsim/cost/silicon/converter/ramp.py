"""Ramp (single slope): one comparator that sees every level in turn, and a counter."""

from __future__ import annotations

from torch import Tensor

from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converter.law import (
    ConverterLaw,
    calibrated_F,
    calibrated_m2,
    levels_per_bit,
    nothing,
)


def _energy_F(bits: Tensor, constants: SiliconConstants) -> Tensor:
    return calibrated_F(bits, constants) * levels_per_bit(bits)


def _slowness(bits: Tensor, constants: SiliconConstants) -> Tensor:
    return levels_per_bit(bits)


RAMP = ConverterLaw(
    name="ramp",
    description="single slope or counting steps: 2^bits - 1 comparisons, one after the other",
    source="archsim silicon specification, section 3.3; physics, not calibrated",
    energy_F=_energy_F,
    slowness=_slowness,
    further_delays=nothing,
    area_m2=calibrated_m2,
)
