"""What a preset of an external memory or of a link between chips may say."""

from __future__ import annotations

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class OffChipFile(Model):
    """An external memory, or a link between chips."""

    name: Name
    description: str = ""
    # Storage behind a network takes some nJ a bit; a wafer of links moves less than 1 Pbit/s.
    energy_per_bit: quantity("J/bit", maximum=1e-6)  # type: ignore[valid-type]
    bandwidth: quantity("bit/s", minimum=1.0, maximum=1e15)  # type: ignore[valid-type]
