"""The charge that conducting cells draw while they are sensed: Ohm's law where it is known."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def dc_energy_J(*, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants) -> Tensor:
    """Return the energy of the cells' currents in an invocation, J, ``*batch``.

    Only non-volatile cells that are sensed by current conduct; others get 0. Where cell current
    and sense time are known it is converters x rows x cells x activity x I t V, exactly; else a
    calibrated charge per driven row and conversion. Specification, sections 3 and 3.3.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    ratio = torch.where(macro.is_memory("mram"), constants.dc_mram, 1.0)
    serial = macro.phases**constants.phase_exponent
    cells = macro.weight_bits**constants.dc_weight_exponent
    inputs = macro.input_bits**constants.dc_input_exponent
    row_C = constants.dc_charge_C * ratio * cells * inputs * serial
    calibrated = row_C * macro.share_of_ones * node.supply_V
    ones = macro.share_of_ones / 2
    volts = macro.cell_supply_V
    volts = torch.where(torch.isnan(volts), node.supply_V, torch.nan_to_num(volts))
    charge_C = torch.nan_to_num(macro.cell_current_A) * torch.nan_to_num(macro.sense_time_s)
    known = macro.cells_per_weight * ones * charge_C * volts
    row_J = torch.where(is_known(macro=macro), known, calibrated)
    conducts = macro.is_non_volatile & macro.is_sensing("current")
    return torch.where(conducts, macro.adcs * macro.rows_driven * row_J, 0.0)


def is_known(*, macro: MacroBatch) -> Tensor:
    """Return whether the designer gave the current and the time, bool ``*batch``.

    Args:
        macro: ``*batch``.
    """
    return ~(torch.isnan(macro.cell_current_A) | torch.isnan(macro.sense_time_s))
