"""Ripple-carry adders and adder trees, from NAND gates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.cost import gates
from archsim.cost.standard_cells import once_per_technology, standard_cells

#: NAND gates per full adder.
_NANDS_PER_BIT = 9.0
#: Most levels an adder tree can have (2^20 inputs).
MAX_TREE_LEVELS = 20


@dataclass(frozen=True, eq=False)
class Adder:
    """A full-adder bit and the closed forms of words built from it, ``*batch``."""

    bit_area_m2: Tensor
    bit_leakage_W: Tensor
    first_bit_energy_J: Tensor
    next_bit_energy_J: Tensor
    two_bit_delay_s: Tensor
    next_bit_delay_s: Tensor
    nand_width_m: Tensor

    def per_layer(self) -> Adder:
        """The same adder with a layer axis to broadcast against."""
        return Adder(*(getattr(self, name).unsqueeze(-1) for name in self.__dataclass_fields__))

    def energy_J(self, bits: Tensor) -> Tensor:
        """Energy of one addition of ``bits``-wide words."""
        return self.first_bit_energy_J + (bits - 1) * self.next_bit_energy_J

    def delay_s(self, bits: Tensor) -> Tensor:
        """Delay of one addition: the carry ripples through all bits."""
        return self.two_bit_delay_s + (bits - 2).clamp_min(0.0) * self.next_bit_delay_s


def adder(*, design: DesignBatch, drives_register: bool = False) -> Adder:
    """Build the full-adder bit from enlarged two-input NANDs.

    Args:
        design: ``*batch``.
        drives_register: the sum drives a register's inverter, as in a shift-add; else nothing.
    """
    return _adder(design.technology, design.adder_activity, drives_register)


@once_per_technology
def _adder(technology: Technology, activity: Tensor, drives_register: bool) -> Adder:
    cells = standard_cells(technology)
    nand, inverter = cells.big_nand2, cells.inverter
    c_in, c_out = nand.c_in_F, nand.c_out_F
    scale = activity * technology.vdd_V**2
    pull_down, pull_up = 2 * nand.r_n_ohm, nand.r_p_ohm

    stages = gates.chain_delay_s(
        pull_down * (c_out + 3 * c_in),
        pull_up * (c_out + 2 * c_in),
        pull_down * (c_out + 3 * c_in),
        pull_up * (c_out + 2 * c_in),
        pull_down * (c_out + 3 * c_in),
        pull_up * (c_out + c_in),
        pull_down * (c_out + (inverter.c_out_F if drives_register else 0.0)),
    )
    return Adder(
        bit_area_m2=_NANDS_PER_BIT * nand.width_m * technology.cell_height_m,
        bit_leakage_W=_NANDS_PER_BIT * technology.vdd_V * nand.leakage_A,
        first_bit_energy_J=scale * (14 * c_in + 7 * c_out),
        next_bit_energy_J=scale * (13 * c_in + 7 * c_out),
        two_bit_delay_s=stages[0] + stages[1] + stages[4] + stages[5] + stages[6],
        next_bit_delay_s=stages[2] + stages[3],
        nand_width_m=nand.width_m,
    )


@dataclass(frozen=True, eq=False)
class TreeSize:
    """Adders of a tree: their number times their width, and the levels."""

    bit_adders: Tensor
    energy_J: Tensor
    levels: Tensor


def adder_tree(*, cell: Adder, inputs: Tensor, bits: Tensor) -> TreeSize:
    """Size one tree that adds ``inputs`` words of ``bits`` bits.

    Level *i* has floor(inputs / 2^(i+1)) adders (repeated integer halving) of bits + i.

    Args:
        cell: the full-adder bit.
        inputs: words to add, any shape.
        bits: width of the words.

    Returns:
        Total adder bits, energy per result and number of levels; all zero for one input.
    """
    levels = torch.ceil(torch.log2(inputs.clamp_min(1.0)) - 1e-9)
    bit_adders = torch.zeros_like(inputs * bits)
    energy = torch.zeros_like(inputs * bits * cell.first_bit_energy_J)
    deepest = int(levels.max()) if levels.numel() else 0
    count = inputs
    for level in range(min(deepest, MAX_TREE_LEVELS)):
        count = torch.floor(count / 2)
        here = torch.where(level < levels, count, 0.0)
        bit_adders = bit_adders + here * (bits + level)
        energy = energy + here * cell.energy_J(bits + level)
    return TreeSize(bit_adders, energy, levels)


def tree_delay_s(*, cell: Adder, inputs: Tensor, bits: Tensor) -> Tensor:
    """Delay of a tree: one full-width adder, then two bits of ripple per further level."""
    levels = torch.ceil(torch.log2(inputs.clamp_min(1.0)) - 1e-9)
    return cell.delay_s(bits) + (levels - 1).clamp_min(0.0) * cell.two_bit_delay_s
