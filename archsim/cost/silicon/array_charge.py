"""The charge that moves in the array: bit lines and cell capacitors."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MACRO_SENSINGS, MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def array_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants, phases: Tensor
) -> Tensor:
    """Return the energy of the array's charge in an invocation, J, ``*batch``.

    Charge redistribution charges a capacitor per term. On a bit line the capacitance grows with
    its cells R, its mean swing with sqrt(N / R): together sqrt(N R). Currents of non-volatile cells
    are in :mod:`archsim.cost.silicon.dc_current`; those sensed by charge are here. Specification,
    section 3.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
        phases: of :func:`archsim.cost.silicon.phases.phase_factor`.
    """
    terms = macro.terms
    on_bitline = torch.sqrt(terms * macro.rows_on_bitline)
    charged = torch.where(macro.is_sensing("charge-redistribution"), terms, on_bitline)
    each_F = _each_F(macro.sensing, constants)
    column = each_F * charged * macro.weight_bits**constants.weight_exponent
    energy = macro.adcs * column * node.pitch * node.supply_V**2 * phases * macro.share_of_ones
    conducts = macro.is_non_volatile & macro.is_sensing("current")
    return torch.where(conducts | macro.is_sensing("digital"), 0.0, energy)


def _each_F(sensing: Tensor, constants: SiliconConstants) -> Tensor:
    """Capacitance per term or row, by the way of sensing."""
    by_name = {
        "current": constants.array_current_F,
        "charge-sum": constants.array_charge_sum_F,
        "charge-redistribution": constants.array_redistribution_F,
        "time-domain": constants.array_charge_sum_F,
    }
    zero = torch.zeros_like(constants.array_current_F)
    result = zero
    for code, name in enumerate(MACRO_SENSINGS):
        result = torch.where(sensing == code, by_name.get(name, zero), result)
    return result
