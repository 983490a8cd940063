"""Shift-and-add units below the ADCs: one stage joins weight slices, one joins input bits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.block import CircuitBlock
from archsim.cost.component.adder import Adder
from archsim.cost.component.crossbar import CellArray
from archsim.cost.component.flip_flop import FlipFlop
from archsim.cost.reads import columns_per_conversion, row_groups


@dataclass(frozen=True, eq=False)
class ShiftAdd:
    """One stage: its block, its adder delay and its operations per read."""

    block: CircuitBlock
    adder_delay_s: Tensor
    operations: Tensor


def shift_add_stages(
    *, design: DesignBatch, array: CellArray, cell: Adder, register: FlipFlop
) -> tuple[ShiftAdd, ShiftAdd]:
    """Price both stages; the weight stage is absent when one cell holds the whole weight.

    Args:
        design: ``*batch``.
        array: the crossbar.
        cell: the full-adder bit.
        register: one flip-flop.

    Returns:
        The stage that joins weight slices and the stage that joins input bits.
    """
    slices = design.weight_slices
    turns = design.mux_ratio / columns_per_conversion(design)
    weights_per_adc = turns / slices
    results = torch.where(
        design.floor_results,
        torch.floor(weights_per_adc + 1e-9),
        torch.where(weights_per_adc < 1, weights_per_adc, torch.floor(weights_per_adc + 1e-9)),
    )
    weight = _stage(design, array, cell, register, design.adc_bits, slices, (slices - 1) * results)
    # Groups of rows are added up in the same register.
    bits = design.adc_bits + slices + torch.ceil(torch.log2(row_groups(design)) - 1e-9)
    inputs = _stage(design, array, cell, register, bits, design.input_bits, results)
    absent = slices == 1
    return (
        ShiftAdd(
            CircuitBlock().where(absent, weight.block), weight.adder_delay_s, weight.operations
        ),
        inputs,
    )


def _stage(
    design: DesignBatch,
    array: CellArray,
    cell: Adder,
    register: FlipFlop,
    adder_bits: Tensor,
    extra_bits: Tensor,
    operations: Tensor,
) -> ShiftAdd:
    """One adder of ``adder_bits`` and a register of that plus ``extra_bits`` per ADC."""
    units = design.cols / design.mux_ratio
    register_bits = adder_bits + extra_bits
    height = (
        units * adder_bits * cell.bit_area_m2 / array.width_m
        + design.technology.cell_height_m
        + register.height_in_width(register_bits * units, array.width_m)
    )
    energy = units * (
        cell.energy_J(adder_bits) + design.register_activity * register_bits * register.energy_J
    )
    block = CircuitBlock(
        height_m=height,
        width_m=array.width_m,
        read_energy_J=operations * energy,
        leakage_W=units * (adder_bits * cell.bit_leakage_W + register_bits * register.leakage_W),
    )
    return ShiftAdd(block, cell.delay_s(adder_bits), operations)
