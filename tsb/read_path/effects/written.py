"""Effects on cells before they are read: how they are written, and what time does to them.

They are computed when a chip is programmed (:mod:`tsb.program`); every back end reads its cells.
"""

from __future__ import annotations

from tsb.read_path.effects.base import BACK_ENDS, Effect


class ProgrammingError(Effect):
    """The spread of what cells hold."""

    name = "programming-error"
    description = "cells hold another conductance than was asked for, verified or not"
    acts_on = "write"
    settings = (
        "device.sigma",
        "device.levels",
        "device.level_shapes",
        "device.spread_reference",
        "device.sigma_profile",
    )
    back_ends = BACK_ENDS
    compiled = True


class StuckCells(Effect):
    """Cells that cannot be written."""

    name = "stuck-cells"
    description = "cells that stay at the lowest or the highest level"
    acts_on = "write"
    settings = ("device.stuck_on_rate", "device.stuck_off_rate")
    back_ends = BACK_ENDS
    compiled = True


class CellDrift(Effect):
    """What time does to conductances."""

    name = "drift"
    description = "conductances change between writing and reading"
    acts_on = "time"
    settings = ("device.drift_start", "device.drift_nu", "device.drift_nu_sigma")
    back_ends = BACK_ENDS
    compiled = True
