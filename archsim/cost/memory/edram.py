"""Compiled embedded DRAM of 1T1C cells: ``configs/memory/edram.yaml``, with its refresh."""

from __future__ import annotations

from archsim.cost.memory.closed_form import (
    Memory,
    MemoryPlace,
    MemoryShape,
    closed_form,
    memory_constants,
)


def edram(*, place: MemoryPlace, shape: MemoryShape) -> Memory:
    """Price a compiled embedded DRAM; reading and writing back every row is in its leakage.

    Args:
        place: node and supply, ``*batch``.
        shape: capacity, width and ports, ``*batch``.
    """
    return closed_form(constants=memory_constants("edram"), place=place, shape=shape)
