"""2x2 max-pool units from comparators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.cost import gates
from archsim.cost.standard_cells import once_per_technology, standard_cells

#: Comparators per unit (four inputs) and bits per comparator.
_COMPARATORS, _BITS = 3.0, 8.0


@dataclass(frozen=True, eq=False)
class MaxPool:
    """One 4-to-1, 8-bit unit."""

    area_m2: Tensor
    energy_J: Tensor
    delay_s: Tensor


def max_pool(*, design: DesignBatch) -> MaxPool:
    """Price one max-pool unit as DNN+NeuroSim V1.4 does (docs/validation.md).

    The third and fourth stage of a comparator bit enter the delay with a minus sign, an arithmetic
    slip of the reference below 0.01 % of any layer; it is kept so that both agree.

    Args:
        design: ``*batch``.
    """
    return _max_pool(design.technology, design.control_activity)


@once_per_technology
def _max_pool(technology: Technology, activity: Tensor) -> MaxPool:
    cells = standard_cells(technology)
    inverter, nand2, nand3 = cells.big_inverter, cells.big_nand2, cells.big_nand3
    nor2, nor8 = cells.big_nor2, cells.nor8
    width = _BITS * (9 * inverter.width_m + 4 * nand2.width_m + 3 * nand3.width_m) + (
        7 * inverter.width_m + nand2.width_m + nor2.width_m + nor8.width_m
    )
    scale = activity * technology.vdd_V**2
    inverter_load = inverter.c_in_F + inverter.c_out_F
    select = (
        (nand2.c_in_F + inverter.c_out_F)
        + (nor2.c_in_F + inverter.c_out_F)
        + 2 * inverter_load
        + (nor8.c_in_F + inverter.c_out_F)
    )
    bit = (
        4 * inverter_load + 4 * (nand2.c_in_F + nand2.c_out_F) + 3 * (nand3.c_in_F + nand3.c_out_F)
    )
    first = 2 * nand2.r_n_ohm * (nand2.c_out_F + nand3.c_in_F)
    second = nand3.r_p_ohm * (nand3.c_out_F + nand2.c_in_F)
    last = nand3.r_p_ohm * (nand3.c_out_F + 2 * inverter.c_out_F)
    stages = gates.chain_delay_s(first, second, first, second, first, last)
    per_bit = stages[0] + stages[1] - stages[2] - stages[3] + stages[4] + stages[5]
    wide = gates.stage_delay_s(2 * nor8.r_n_ohm * (2 * inverter.c_in_F + 8 * inverter.c_out_F))
    invert = gates.stage_delay_s(2 * inverter.r_n_ohm * (inverter.c_in_F + nor8.c_out_F))
    buffer = gates.stage_delay_s(2 * inverter.r_n_ohm * 2 * inverter.c_in_F, invert)
    return MaxPool(
        area_m2=_COMPARATORS * width * technology.cell_height_m,
        energy_J=_COMPARATORS * scale * (select + 4 * bit),
        delay_s=4 * per_bit + wide + invert + buffer + torch.zeros_like(width),
    )
