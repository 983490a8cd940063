"""Settings of a design on what is outside the chip: its memory, links between chips, its border."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from archsim.arch.field import parameter

#: Bits of a row where nobody says: a transfer opens one.
_ENDLESS_BIT = 1e18


@dataclass(frozen=True, eq=False)
class AbstractOffChipSettings:
    """External memory and links, and when they are used. What is not known of them is nothing."""

    when_full: Tensor = parameter("chip.off_chip.when_full", "choice")
    images_per_reload: Tensor = parameter("chip.off_chip.images_per_reload", "integer")
    no_border: Tensor = parameter("chip.off_chip.border", "flag")
    memory_J_per_bit: Tensor = parameter("memory.energy_per_bit")
    memory_write_J_per_bit: Tensor = parameter(
        "memory.write_energy_per_bit", fallback="memory.energy_per_bit"
    )
    memory_row_bit: Tensor = parameter("memory.row", default=_ENDLESS_BIT)
    memory_row_J: Tensor = parameter("memory.row_energy", default=0.0)
    memory_latency_s: Tensor = parameter("memory.latency", default=0.0)
    memory_standby_W: Tensor = parameter("memory.standby", default=0.0)
    memory_bit_per_s: Tensor = parameter("memory.bandwidth")
    link_J_per_bit: Tensor = parameter("link.energy_per_bit")
    link_bit_per_s: Tensor = parameter("link.bandwidth")
