"""The converters of a bank: energy of an invocation, and area."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import CONVERTER_KINDS, MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def converter_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants, phases: Tensor
) -> Tensor:
    """Return the energy of all conversions of an invocation, J, ``*batch``; 0 for digital.

    Comparisons grow with the bits, the capacitors that noise asks for with 4^bits. Specification,
    section 3. A known energy per conversion replaces the formula.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
        phases: of :func:`archsim.cost.silicon.phases.phase_factor`.
    """
    bits = macro.resolution_bit
    charged_F = constants.converter_linear_F * bits + constants.converter_thermal_F * 4**bits
    each = charged_F * node.pitch * node.supply_V**2 * phases * comparisons_per_bit(macro=macro)
    known = torch.where(torch.isnan(macro.adc_energy_J), each, torch.nan_to_num(macro.adc_energy_J))
    return torch.where(macro.is_sensing("digital"), 0.0, macro.adcs * known)


def comparisons_per_bit(*, macro: MacroBatch) -> Tensor:
    """Return 1, or (2^bits - 1) / bits for ramp and counting converters, ``*batch``.

    Physics, not calibrated: a search by halves compares once per bit, a ramp once per level.

    Args:
        macro: ``*batch``.
    """
    bits = macro.resolution_bit.clamp_min(1.0)
    is_ramp = macro.adc_kind == CONVERTER_KINDS.index("ramp")
    return torch.where(is_ramp, (2**bits - 1) / bits, 1.0)


def converter_area_m2(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants
) -> Tensor:
    """Return the area of all converters, m2, ``*batch``. Specification, section 5.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    return constants.area_converter_m2 * macro.resolution_bit * macro.adcs * node.shrink
