"""The digital unit: products of two run-time operands, and functions that no crossbar computes.

Attention multiplies queries with keys and scores with values; none of them can wait in NVM cells.
A square array of multiply-adders does it: in each, an array multiplier (a row of full adders for
every bit of an input, as in :mod:`archsim.cost.correction`), an adder and a register as wide as
``chip.digital.accumulator_bits``. An operand that is read from the global buffer serves one side of
the array. The same multiply-adders evaluate norms, softmax and activations, value by value
(:mod:`archsim.network.digital` counts the operations); their inputs are read once each. All layers
share the unit, so in a pipeline it is a stage of its own. Whether the buffer delivers operands as
fast as the unit takes them is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.component.adder import Adder
from archsim.cost.component.buffer import Buffer
from archsim.cost.component.flip_flop import FlipFlop
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class DigitalUnitCost:
    """The unit of a chip; all zero where the network has no work for it.

    ``area_m2`` and ``leakage_W`` are of all multiply-adders, ``*batch``; ``delay_s`` of one
    operation, ``*batch``; ``energy_J`` of one image and ``steps`` its operations one after the
    other, ``*batch layer``.
    """

    area_m2: Tensor
    leakage_W: Tensor
    delay_s: Tensor
    energy_J: Tensor
    steps: Tensor


def mac_energy_J(*, design: DesignBatch, adder: Adder, register: FlipFlop) -> Tensor:
    """Energy of one multiply-add of two inputs, operands at hand, J, ``*batch``.

    Args:
        design: ``*batch``.
        adder: a full-adder bit.
        register: a bit of register.
    """
    bits, sum_bit = design.input_bits, design.accumulator_bits
    multiply = bits * adder.energy_J(bits)
    return multiply + adder.energy_J(sum_bit) + (sum_bit + 2 * bits) * register.energy_J


def digital_unit(
    *, design: DesignBatch, plan: MappingPlan, adder: Adder, register: FlipFlop, buffer: Buffer
) -> DigitalUnitCost:
    """Price the digital unit of a chip.

    Args:
        design: ``*batch``.
        plan: layers and the digital work behind them.
        adder: a full-adder bit.
        register: a bit of register.
        buffer: the global buffer.
    """
    layers = plan.layers
    bits, sum_bit = design.input_bits, design.accumulator_bits
    operations = layers.digital_macs + layers.digital_operations
    if not bool(operations.any()):  # as in most networks of a sweep
        none = torch.zeros_like(design.mac_units)
        return DigitalUnitCost(none, none, none, 0 * operations, 0 * operations)
    present = (operations > 0).any(-1).to(torch.float64)
    adders = bits**2 + sum_bit
    registers = sum_bit + 2 * bits
    count = present * design.mac_units
    side = torch.sqrt(design.mac_units).unsqueeze(-1)
    read_bit = (2 * layers.digital_macs / side + layers.digital_reads) * bits.unsqueeze(-1)
    written_bit = layers.digital_writes * bits.unsqueeze(-1)
    each_J = mac_energy_J(design=design, adder=adder, register=register).unsqueeze(-1)
    return DigitalUnitCost(
        area_m2=count * (adders * adder.bit_area_m2 + registers * register.area_m2),
        leakage_W=count * (adders * adder.bit_leakage_W + registers * register.leakage_W),
        delay_s=adder.delay_s(2 * bits) + adder.delay_s(sum_bit),
        energy_J=operations * each_J
        + read_bit * buffer.read_J_per_bit.unsqueeze(-1)
        + written_bit * buffer.write_J_per_bit.unsqueeze(-1),
        steps=torch.ceil(operations / design.mac_units.unsqueeze(-1)),
    )
