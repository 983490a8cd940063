"""Wires with resistance; their models are in :mod:`tsb.read_path.wires`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsb.read_path.effects.base import Effect

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings

_KEYS = ("crossbar.wire_ohm", "crossbar.wire_model")


class DrivenWires(Effect):
    """Passive arrays, whose word lines carry the current of their cells."""

    name = "wires-driven"
    description = "word and bit lines of a passive array have resistance: other effective cells"
    acts_on = "cells"
    settings = _KEYS
    back_ends = ("exact",)
    source = "nodal analysis (Kirchhoff)"
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether wires of a passive array have resistance."""
        return settings.wires.act and settings.wires.model.startswith("driven")


class GatedWires(Effect):
    """Arrays whose word lines gate access transistors."""

    name = "wires-gated"
    description = "bit lines have resistance, rows that are off carry nothing: loss by the input"
    acts_on = "sums"
    settings = _KEYS
    back_ends = ("exact",)
    source = "nodal analysis (Kirchhoff)"

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether bit lines behind access transistors have resistance."""
        return settings.wires.act and settings.wires.model.startswith("gated")
