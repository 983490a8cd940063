"""Compiled SRAM of 6T cells: ``configs/memory/sram.yaml``, fitted to runs of CACTI 7."""

from __future__ import annotations

from archsim.cost.memory.closed_form import (
    Memory,
    MemoryPlace,
    MemoryShape,
    closed_form,
    memory_constants,
)


def sram(*, place: MemoryPlace, shape: MemoryShape) -> Memory:
    """Price a compiled SRAM.

    Args:
        place: node and supply, ``*batch``.
        shape: capacity, width and ports, ``*batch``.
    """
    return closed_form(constants=memory_constants("sram"), place=place, shape=shape)
