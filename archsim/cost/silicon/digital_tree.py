"""Digital compute-in-memory: multipliers in the array and adder trees beside it."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def digital_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants
) -> Tensor:
    """Return the energy of an invocation of a digital macro, J, ``*batch``; 0 for analog.

    So much per product of one bit by one bit. Specification, section 3.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    each_F = constants.digital_F * node.pitch**constants.digital_pitch_exponent
    energy = each_F * node.supply_V**2 * macro.macs_1b
    return torch.where(macro.is_sensing("digital"), energy, 0.0)


def digital_area_m2(*, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants) -> Tensor:
    """Return the area of multipliers and trees, m2, ``*batch``; 0 for analog.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    area = constants.area_digital_m2 * macro.macs_1b * node.shrink
    return torch.where(macro.is_sensing("digital"), area, 0.0)
