"""External DRAM in closed form: ``configs/off-chip``, from the currents of data sheets.

A transfer opens rows, moves its bits through columns and interface, and waits once for the first
bit. Bits lie one behind the other, so a transfer opens as many rows as it fills, at least one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch


@dataclass(frozen=True, eq=False)
class Transfer:
    """What moving some bits to or from the memory takes, ``*batch``; nothing for none."""

    energy_J: Tensor
    time_s: Tensor


def read(*, design: DesignBatch, bits: Tensor) -> Transfer:
    """Read bits that lie one behind the other.

    Args:
        design: ``*batch``.
        bits: ``*batch``.
    """
    return _moved(design, bits, design.memory_J_per_bit)


def write(*, design: DesignBatch, bits: Tensor) -> Transfer:
    """Write bits one behind the other.

    Args:
        design: ``*batch``.
        bits: ``*batch``.
    """
    return _moved(design, bits, design.memory_write_J_per_bit)


def _moved(design: DesignBatch, bits: Tensor, each_J: Tensor) -> Transfer:
    some = bits > 0
    rows = torch.where(some, (bits / design.memory_row_bit).clamp_min(1.0), 0.0)
    return Transfer(
        energy_J=bits * each_J + rows * design.memory_row_J,
        time_s=bits / design.memory_bit_per_s + torch.where(some, design.memory_latency_s, 0.0),
    )
