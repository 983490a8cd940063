"""What a preset of an external memory or of a link between chips may say."""

from __future__ import annotations

from archsim.config.schema.base import Model
from archsim.config.schema.name import Name
from archsim.config.sourced import quantity


class OffChipFile(Model):
    """An external memory, or a link between chips."""

    name: Name
    description: str = ""
    energy_per_bit: quantity("J/bit", maximum=1e-3)  # type: ignore[valid-type]
    bandwidth: quantity("bit/s", minimum=1.0, maximum=1e18)  # type: ignore[valid-type]
