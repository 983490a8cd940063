"""The converters of a bank: energy of an invocation, and area."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converter.registry import of_kind
from archsim.cost.silicon.node import NodeFactors


def converter_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants, phases: Tensor
) -> Tensor:
    """Return the energy of all conversions of an invocation, J, ``*batch``; 0 for digital.

    Comparisons grow with the bits, the capacitors that noise asks for with 4^bits; each kind of
    converter has its law. Specification, section 3. A known energy per conversion replaces it.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
        phases: of :func:`archsim.cost.silicon.phases.phase_factor`.
    """
    charged_F = of_kind(macro=macro, constants=constants, what="energy_F")
    each = charged_F * node.pitch * node.supply_V**2 * phases
    known = torch.where(torch.isnan(macro.adc_energy_J), each, torch.nan_to_num(macro.adc_energy_J))
    return torch.where(macro.is_sensing("digital"), 0.0, macro.adcs * known)


def converter_area_m2(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants
) -> Tensor:
    """Return the area of all converters, m2, ``*batch``. Specification, section 5.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    each_m2 = of_kind(macro=macro, constants=constants, what="area_m2")
    return each_m2 * macro.adcs * node.shrink
