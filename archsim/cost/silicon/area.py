"""Area of a bank: cells with their periphery, converters or adder trees, and what there is once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants
from archsim.cost.silicon.converters import converter_area_m2
from archsim.cost.silicon.digital_tree import digital_area_m2
from archsim.cost.silicon.node import NodeFactors

#: Transistors of the bit cell that areas are counted in.
_BIT_CELL_TRANSISTORS = 6


@dataclass(frozen=True, eq=False)
class MacroArea:
    """Parts of a bank, m2, ``*batch``."""

    cells_m2: Tensor
    converters_m2: Tensor
    digital_m2: Tensor
    fixed_m2: Tensor

    @property
    def total_m2(self) -> Tensor:
        """Their sum, ``*batch``."""
        return self.cells_m2 + self.converters_m2 + self.digital_m2 + self.fixed_m2


def bank_area(*, macro: MacroBatch, node: NodeFactors, constants: SiliconConstants) -> MacroArea:
    """Return the area of each part of a bank; a processor's share of its chip is in each.

    Specification, section 5.

    Args:
        macro: ``*batch``.
        node: of each macro.
        constants: of the silicon model.
    """
    sram = constants.area_sram_cell * macro.cell_transistors / _BIT_CELL_TRANSISTORS
    bit_cells = torch.where(macro.is_non_volatile, constants.area_nvm_cell, sram)
    share = torch.where(macro.is_processor, constants.area_processor, 1.0)
    return MacroArea(
        cells_m2=share * bit_cells * node.bit_cell_m2 * macro.rows * macro.cols,
        converters_m2=share * converter_area_m2(macro=macro, node=node, constants=constants),
        digital_m2=share * digital_area_m2(macro=macro, node=node, constants=constants),
        fixed_m2=share * constants.area_fixed_m2 * node.shrink,
    )
