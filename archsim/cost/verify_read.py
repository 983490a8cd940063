"""A verify read: how long a row of cells is read after a pulse, and what a cell of it takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.bank import verify_conversion_J
from archsim.cost.component.adc import AdcBank, column_power_W
from archsim.cost.subarray import Subarray, subarray


@dataclass(frozen=True, eq=False)
class VerifyRead:
    """One verify read, ``*batch``: seconds per row of a crossbar, joules per cell that is read."""

    row_s: Tensor
    cell_J: Tensor


def verify_read(*, design: DesignBatch, array: Subarray | None = None) -> VerifyRead:
    """Price a verify read through the subarray's own mux and ADCs.

    Each ADC reads its ``mux_ratio`` columns one after the other. A column takes the read pulse of
    the cell, or a conversion where that is longer; a cell takes its read pulse and a
    conversion. Cells that are done are not read again, but their row waits for the others.

    Args:
        design: ``*batch``.
        array: the subarray, if it is there already.
    """
    array = array or subarray(design=design)
    column_s = torch.maximum(design.verify_read_time_s, array.conversion_s)
    conversion = conversion_energy_J(design=design, adc=array.adc)
    if array.bank is not None:
        as_bank = verify_conversion_J(design=design)
        conversion = torch.where(design.is_silicon, as_bank, conversion)
    return VerifyRead(design.mux_ratio * column_s, design.verify_read_energy_J + conversion)


def conversion_energy_J(*, design: DesignBatch, adc: AdcBank) -> Tensor:
    """Return the energy of the ADC to read one cell, J, ``*batch``; 0 for SRAM.

    That of a conversion in inference (:mod:`archsim.cost.component.column_read`) with a single row
    on, whose cell is in the middle of its range: the log-shaped part of the power at the geometric
    mean of ``g_on`` and ``g_off``, the other at their arithmetic mean.

    Args:
        design: ``*batch``.
        adc: of the subarray.
    """
    high, low = 1 / design.r_on_ohm, 1 / design.r_off_ohm
    power = column_power_W(
        design=design,
        ln_geometric_S=lambda: (torch.log(high) + torch.log(low)) / 2,
        ln_mean_S=torch.log((high + low) / 2),
        axes=0,
    )
    energy = (adc.window_s * (power + adc.reference_W)).clamp_min(0.0) + adc.switched_J
    if adc.published_J is not None:
        energy = torch.where(design.adc_model > 0, adc.published_J, energy)
    return torch.where(design.is_sram, 0.0, design.adc_energy * energy)
