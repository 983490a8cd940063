"""The compiled memories that a chip may have, by what its setting calls them."""

from __future__ import annotations

from collections.abc import Callable

from archsim.cost.memory.closed_form import Memory
from archsim.cost.memory.edram import edram
from archsim.cost.memory.sram import sram

#: By ``chip.buffers.kind``.
COMPILED: dict[str, Callable[..., Memory]] = {"sram-macro": sram, "edram-macro": edram}
