"""Currents of cells that are not proportional to the voltage of their row.

A row that is driven with a digit x of X has the voltage x/X of the read voltage, and its cells the
current ``g f(x / X)`` with f(1) = 1. Where a row is on or off, f acts on nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from archsim.errors import Code, ConfigError
from tsb.read_path.effects.base import Effect, Floats

if TYPE_CHECKING:
    from tsb.read_path.settings import ReadSettings

_FIELD = "read.iv_curve"
_ALLOWED = "linear, 'cubic: a' with a from 0 to 1/3, or 'sinh: k' with k above 0, at most 20"


class IvCurve(Effect):
    """Non-linear cells behind digital-to-analog converters of several bits."""

    name = "iv-curve"
    description = "current of a cell against the voltage of its row, for DACs of several bits"
    acts_on = "inputs"
    settings = ("read.iv_curve", "read.dac_bits")
    back_ends = ("exact",)
    compiled = True

    def acts(self, settings: ReadSettings) -> bool:
        """Say whether cells see more than two voltages, and are not linear."""
        return settings.dac_bits > 1 and settings.iv_curve != "linear"

    def drive(self, settings: ReadSettings, drive: Floats) -> Floats:
        """Return ``X f(x / X)``."""
        kind, value = parsed(settings.iv_curve)
        top = float(settings.top_drive)
        share = drive / top
        if kind == "cubic":
            return np.asarray(top * (share - value * share**3) / (1 - value))
        return np.asarray(top * np.sinh(value * share) / math.sinh(value))


def parsed(curve: str) -> tuple[str, float]:
    """Return kind and number of a curve.

    Args:
        curve: ``linear``, ``cubic: a`` for ``(v - a v^3) / (1 - a)`` (as the example of CrossSim
            has it, a = 0.25), ``sinh: k`` for ``sinh(k v) / sinh(k)``.

    Raises:
        ConfigError: another curve, or one that falls.
    """
    if curve == "linear":
        return curve, 0.0
    kind, _, text = curve.partition(":")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    most = {"cubic": 1 / 3, "sinh": 20.0}.get(kind.strip(), -1.0)
    if not 0 <= value <= most or (value == 0 and kind.strip() == "sinh"):
        raise ConfigError.of(Code.OUT_OF_RANGE, _FIELD, curve, allowed=_ALLOWED)
    return kind.strip(), value
