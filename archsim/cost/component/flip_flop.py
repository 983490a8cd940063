"""D flip-flops and how a row of them is laid out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.technology import Technology
from archsim.cost.standard_cells import once_per_technology, standard_cells

#: Inverter footprints in one flip-flop, and leaking inverters.
_INVERTERS_WIDE = 12.0
_INVERTERS_LEAKING = 8.0
#: Input and output capacitances of minimum inverters switched per clocked bit (data and clock).
_INPUTS_SWITCHED = 8.0
_OUTPUTS_SWITCHED = 10.0


@dataclass(frozen=True, eq=False)
class FlipFlop:
    """One bit of register: footprint, energy per clocked bit and leakage."""

    height_m: Tensor
    width_m: Tensor
    energy_J: Tensor
    leakage_W: Tensor

    @property
    def area_m2(self) -> Tensor:
        """Footprint of one bit."""
        return self.height_m * self.width_m

    def width_in_height(self, bits: Tensor, height_m: Tensor) -> Tensor:
        """Width of ``bits`` stacked in columns no taller than ``height_m``, m."""
        column = torch.minimum(torch.floor(height_m / self.height_m + 1e-9), bits).clamp_min(1.0)
        # One that is taller than the place is folded: as wide as its area asks for.
        folded = (self.height_m / height_m * (1 - 1e-9)).clamp_min(1.0)
        return torch.ceil(bits / column) * self.width_m * folded

    def height_in_width(self, bits: Tensor, width_m: Tensor) -> Tensor:
        """Height of ``bits`` laid in rows no wider than ``width_m``, m."""
        row = torch.minimum(torch.floor(width_m / self.width_m + 1e-9), bits).clamp_min(1.0)
        folded = (self.width_m / width_m * (1 - 1e-9)).clamp_min(1.0)
        return torch.ceil(bits / row) * self.height_m * folded


@once_per_technology
def flip_flop(technology: Technology) -> FlipFlop:
    """Lay out one flip-flop from minimum inverters."""
    inverter = standard_cells(technology).inverter
    switched = _INPUTS_SWITCHED * inverter.c_in_F + _OUTPUTS_SWITCHED * inverter.c_out_F
    return FlipFlop(
        height_m=technology.cell_height_m,
        width_m=_INVERTERS_WIDE * inverter.width_m,
        energy_J=technology.vdd_V**2 * switched,
        leakage_W=technology.vdd_V * _INVERTERS_LEAKING * inverter.leakage_A,
    )
