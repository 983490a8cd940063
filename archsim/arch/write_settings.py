"""Settings of a design that say how its cells are written, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from archsim.arch.field import parameter
from archsim.config.write_laws import WRITE_LAWS, CellPulse, by_law, cell_pulse

#: Stands for no limit, more than any chip takes: finite, so that gradients and sums stay so.
NO_POWER_LIMIT_W = 1e12
#: Rounding of a number of cells or subarrays.
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class AbstractWriteSettings:
    """Pulses of a device, and how many cells a chip writes at a time; 0 stands for null."""

    cols: Tensor = parameter("chip.crossbar.cols", "integer")
    r_on_ohm: Tensor = parameter("device.r_on", default=1e5)
    write_law: Tensor = parameter("device.write_law", "choice")
    v_write_V: Tensor = parameter("device.v_write")
    write_current_A: Tensor = parameter("device.write_current")
    pulse_width_s: Tensor = parameter("device.pulse_width")
    v_reset_V: Tensor = parameter("device.v_reset")
    reset_current_A: Tensor = parameter("device.reset_current")
    reset_width_s: Tensor = parameter("device.reset_width")
    reset_share: Tensor = parameter("device.reset_share")
    write_setup_s: Tensor = parameter("device.write_setup_time")
    write_capacitance_F: Tensor = parameter("device.write_capacitance")
    write_energy_J: Tensor = parameter("device.write_energy")
    parallel_subarrays: Tensor = parameter("chip.programming.parallel_subarrays", "integer")
    write_power_W: Tensor = parameter("chip.programming.max_power", default=NO_POWER_LIMIT_W)

    @property
    def cell_pulse(self) -> CellPulse:
        """What a write pulse on one cell takes, by each design's law, ``*batch``."""
        return cell_pulse(
            {
                "r_on": self.r_on_ohm,
                "v_write": self.v_write_V,
                "write_current": self.write_current_A,
                "pulse_width": self.pulse_width_s,
                "v_reset": self.v_reset_V,
                "reset_current": self.reset_current_A,
                "reset_width": self.reset_width_s,
                "reset_share": self.reset_share,
                "write_setup_time": self.write_setup_s,
                "write_capacitance": self.write_capacitance_F,
                "write_energy": self.write_energy_J,
            },
            partial(by_law, lambda name: self.write_law == WRITE_LAWS.index(name)),
        )

    @property
    def write_drivers(self) -> Tensor:
        """Subarrays that a chip writes at a time: as many as power allows, but one.

        Power is that of the pulses, :attr:`row_write_W`; verify reads take less.
        """
        allowed = torch.floor(self.write_power_W / self.row_write_W.clamp_min(1e-30) + _TINY)
        return torch.minimum(self.parallel_subarrays, allowed.clamp_min(1.0))

    @property
    def cells_at_once(self) -> Tensor:
        """Cells of a row that are written at a time: all of them, or as many as power allows."""
        allowed = torch.floor(self.write_power_W / self.cell_pulse.power_W.clamp_min(1e-30) + _TINY)
        return torch.minimum(self.cols, allowed.clamp_min(1.0))

    @property
    def row_write_W(self) -> Tensor:
        """Power of the pulses of one row of a subarray, W."""
        row_W: Tensor = self.cols * self.cell_pulse.power_W
        return row_W
