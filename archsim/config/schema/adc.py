"""What the constants of a published ADC model may say."""

from __future__ import annotations

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class AndrulisAdc(Model):
    """Survey regression of Andrulis et al. 2024."""

    name: Name
    description: str = ""
    fom_high: quantity("1", length=2)  # type: ignore[valid-type]
    fom_low: quantity("1", length=2)  # type: ignore[valid-type]
    energy: quantity("1", length=4)  # type: ignore[valid-type]
    area: quantity("1", length=4)  # type: ignore[valid-type]
    frequency: quantity("Hz", minimum=1.0)  # type: ignore[valid-type]


class ZigzagAdc(Model):
    """Fit of ZigZag-IMC."""

    name: Name
    description: str = ""
    area: quantity("1", length=2)  # type: ignore[valid-type]
    time: quantity("s", length=2)  # type: ignore[valid-type]
    energy: quantity("F", length=2)  # type: ignore[valid-type]


class IsaacAdc(Model):
    """The one converter of ISAAC."""

    name: Name
    description: str = ""
    bits: quantity("bit")  # type: ignore[valid-type]
    energy: quantity("J")  # type: ignore[valid-type]
    area: quantity("m2")  # type: ignore[valid-type]
    frequency: quantity("Hz", minimum=1.0)  # type: ignore[valid-type]
