"""Level shifters of the write path: area only, a read does not use them."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.cost import gates
from archsim.cost.standard_cells import once_per_technology

#: Device sizes (n, p) in units of 2F of the three stages: low side, latch, output.
_LOW, _LATCH, _OUTPUT = (15.0, 20.0), (32.0, 10.0), (64.0, 82.0)
#: Thick-oxide devices are twice as wide and 2.5 times as long and tall.
_IO_WIDTH, _IO_LENGTH = 2.0, 2.5
#: Height of a shifter in standard cells.
_CELLS_TALL = 2.5
#: Above this write voltage core devices break down and shifters are needed (MODEL.md section 5).
SHIFTER_THRESHOLD_V = 1.5


def level_shifter_area_m2(*, design: DesignBatch) -> Tensor:
    """Return the area of one level shifter, 0 where the cell is written at core voltage.

    Args:
        design: ``*batch``.
    """
    area = _shifter_area_m2(design.technology, design.io_device_shifters, design.shifter_wiring)
    highest_V = torch.maximum(design.v_write_V, design.v_reset_V)
    needed = ~design.is_sram & (highest_V > SHIFTER_THRESHOLD_V)
    return torch.where(needed, area, 0.0)


@once_per_technology
def _shifter_area_m2(technology: Technology, io: Tensor, wiring: Tensor) -> Tensor:
    """Area of one shifter, from core or from thick-oxide (``io``) devices."""
    node = technology.node_m
    widen = torch.where(io, _IO_WIDTH, 1.0)
    lengthen = torch.where(io, _IO_LENGTH, 1.0)
    height = torch.where(io, _IO_LENGTH, 1.0) * gates.NOMINAL_HEIGHT * node

    def stage(sizes: tuple[float, float]) -> Tensor:
        width_n = 2 * node * sizes[0] * widen
        width_p = 2 * node * sizes[1] * technology.r_pn * widen
        return gates.footprint_m(technology, "inverter", 1, width_n, width_p, height)

    width = stage(_LOW) + lengthen * (2 * stage(_LATCH) + stage(_OUTPUT))
    tall = torch.where(io, _CELLS_TALL, 1.0) * technology.cell_height_m
    return tall * width * torch.where(io, wiring, 1.0)
