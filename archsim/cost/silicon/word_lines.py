"""Word lines and their drivers."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.node import NodeFactors


def word_line_energy_J(
    *, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants, phases: Tensor
) -> Tensor:
    """Return the energy of the word lines in an invocation, J, ``*batch``; 0 for digital.

    A driven line charges every cell that it crosses, also in columns that nobody reads.
    Specification, section 3.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
        phases: of :func:`archsim.cost.silicon.phases.phase_factor`.
    """
    crossed = macro.rows_driven * macro.cols
    energy = constants.word_line_F * crossed * node.pitch * node.supply_V**2 * phases
    return torch.where(macro.is_sensing("digital"), 0.0, energy)
