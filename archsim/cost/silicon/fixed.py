"""What a bank has once: timing, references and control."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def fixed_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants, phases: Tensor
) -> Tensor:
    """Return the energy of timing, references and control, J, ``*batch``; 0 for digital.

    Specification, section 3. It matters where converters are few.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
        phases: of :func:`archsim.cost.silicon.phases.phase_factor`.
    """
    energy = constants.fixed_F * node.pitch * node.supply_V**2 * phases
    return torch.where(macro.is_sensing("digital"), 0.0, energy)
