"""One subarray: the crossbar with its drivers, mux, ADCs and shift-adds put together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.bank import Bank, bank
from archsim.cost.block import CircuitBlock, add_up
from archsim.cost.component.adc import AdcBank, adc, thermometer_encoder
from archsim.cost.component.adder import adder
from archsim.cost.component.column import column_mux, mux_decoder, source_line_switch
from archsim.cost.component.crossbar import CellArray, crossbar
from archsim.cost.component.flip_flop import flip_flop
from archsim.cost.component.level_shifter import level_shifter_area_m2
from archsim.cost.component.shift_add import ShiftAdd, shift_add_stages
from archsim.cost.component.sram_periphery import precharger, write_driver
from archsim.cost.component.wordline_driver import wordline_driver
from archsim.cost.reads import mux_turns


@dataclass(frozen=True, eq=False)
class Subarray:
    """Everything the chip needs to know of one subarray, ``*batch``.

    ``areas_m2`` are used areas by block, ``leakages_W`` their leakage; ``height_m`` and ``width_m``
    the sides that wires have to cross; ``clock_s`` the period of the whole chip; ``conversion_s``
    the time of one turn of the mux; ``cycles_per_read`` ADC and extra accumulation cycles per input
    bit-plane. ``bank`` is what the silicon cost model has in place of the circuits, None if no
    design has it.
    """

    array: CellArray
    adc: AdcBank
    blocks: dict[str, CircuitBlock]
    areas_m2: dict[str, Tensor]
    height_m: Tensor
    width_m: Tensor
    clock_s: Tensor
    conversion_s: Tensor
    adc_cycles: Tensor
    accumulation_cycles: Tensor
    leakages_W: dict[str, Tensor]
    leakage_in_use_W: Tensor
    bank: Bank | None = None

    @property
    def area_m2(self) -> Tensor:
        """Area that one subarray takes on the chip."""
        return self.height_m * self.width_m

    @property
    def leakage_W(self) -> Tensor:
        """Leakage of one subarray."""
        return add_up(self.leakages_W.values())

    @property
    def used_area_m2(self) -> Tensor:
        """Area of the blocks alone, without white space."""
        return add_up(self.areas_m2.values())


def subarray(*, design: DesignBatch) -> Subarray:
    """Lay out and time one subarray: as circuits, or as a bank of the silicon cost model.

    Args:
        design: ``*batch``.
    """
    circuits = _circuits(design)
    if not bool(design.is_silicon.any()):
        return circuits
    return _as_bank(design, circuits, bank(design=design))


def _as_bank(design: DesignBatch, circuits: Subarray, bank: Bank) -> Subarray:
    """Put a bank where circuits were, for designs of the silicon cost model: a square of its area.

    Circuits stay what programming asks for: the cells and their access.
    """
    silicon = design.is_silicon
    given = design.chip_clock_s > 0
    clock = torch.where(given, design.chip_clock_s, bank.invocation_s)
    clocks = torch.ceil(bank.invocation_s / clock - 1e-9).clamp_min(1.0)
    side = torch.sqrt(bank.area_m2)
    none = torch.zeros_like(bank.leakage_W)

    def either_of(of_bank: dict[str, Tensor], of_circuits: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            name: torch.where(silicon, of_bank.get(name, none), of_circuits.get(name, none))
            for name in dict.fromkeys((*of_circuits, *of_bank))
        }

    return dataclasses.replace(
        circuits,
        areas_m2=either_of(bank.areas_m2, circuits.areas_m2),
        height_m=torch.where(silicon, side, circuits.height_m),
        width_m=torch.where(silicon, side, circuits.width_m),
        clock_s=torch.where(silicon, clock, circuits.clock_s),
        conversion_s=torch.where(silicon, bank.invocation_s, circuits.conversion_s),
        adc_cycles=circuits.adc_cycles * torch.where(silicon, clocks, 1.0),
        accumulation_cycles=torch.where(silicon, 0.0, circuits.accumulation_cycles),
        leakages_W=either_of({"array": bank.leakage_W}, circuits.leakages_W),
        leakage_in_use_W=torch.where(silicon, 0.0, circuits.leakage_in_use_W),
        bank=bank,
    )


def _circuits(design: DesignBatch) -> Subarray:
    """Lay out and time the circuits of one subarray.

    Blocks above and below the array stack in height, drivers and side shifters in width; the
    clock holds the slower of word line and mux, then precharge, ADC and encoder, stretched by the
    silicon sensing factor.
    """
    register = flip_flop(design.technology)
    array = crossbar(design=design)
    driver = wordline_driver(design=design, array=array, register=register)
    mux = column_mux(design=design, array=array)
    decoder = mux_decoder(design=design, mux=mux)
    converter = adc(design=design, array=array)
    encoder = thermometer_encoder(design=design, array=array)
    sum_cell = adder(design=design, drives_register=True)
    weight_stage, input_stage = shift_add_stages(
        design=design, array=array, cell=sum_cell, register=register
    )
    switch = source_line_switch(design=design, array=array, register=register)
    charge = precharger(design=design, array=array)
    write = write_driver(design=design, array=array)
    shifter = level_shifter_area_m2(design=design)
    side_shifters = 2 * design.rows * shifter
    top_shifters = design.cols * shifter
    # Mux and decoder share the lower left corner: the taller sets the height of both.
    mux_height = torch.maximum(mux.block.height_m, decoder.height_m)
    height = (
        top_shifters / array.width_m
        + switch.height_m
        + charge.height_m
        + write.height_m
        + array.height_m
        + mux_height
        + converter.block.height_m
        + encoder.height_m
        + weight_stage.block.height_m
        + input_stage.block.height_m
    )
    side = side_shifters / array.height_m + driver.width_m
    width = array.width_m + torch.maximum(side, decoder.width_m)
    areas = {
        "array": array.area_m2,
        "adc": converter.block.area_m2 + encoder.area_m2 + charge.area_m2,
        "mux": mux_height * array.width_m + decoder.area_m2,
        "drivers": driver.area_m2 + switch.area_m2 + write.area_m2 + side_shifters + top_shifters,
        "shift_add": weight_stage.block.area_m2 + input_stage.block.area_m2,
    }
    used = add_up(areas.values())
    shrink = torch.where(design.bounding_box, 1.0, torch.sqrt(used / (height * width)))
    clock = design.sensing_time * (
        torch.maximum(driver.latency_s, mux.block.latency_s + decoder.latency_s)
        + charge.latency_s
        + converter.block.latency_s
        + encoder.latency_s
    )
    blocks = {
        "drivers": driver,
        "mux": mux.block,
        "mux_decoder": decoder,
        "encoder": encoder,
        "shift_add_weight": weight_stage.block,
        "shift_add_input": input_stage.block,
        "source_line_switch": switch,
        "precharger": charge,
        "write_driver": write,
    }
    busy_rows = design.rows * torch.ceil(design.cols / design.mux_ratio)
    cells = design.rows * design.cols
    leakages = {
        "array": array.leakage_W,
        "adc": encoder.leakage_W + charge.leakage_W,
        "mux": mux.block.leakage_W + decoder.leakage_W,
        "drivers": driver.leakage_W + switch.leakage_W + write.leakage_W,
        "shift_add": weight_stage.block.leakage_W + input_stage.block.leakage_W,
    }
    return Subarray(
        array=array,
        adc=converter,
        blocks=blocks,
        areas_m2=areas,
        height_m=height * shrink,
        width_m=width * shrink,
        clock_s=clock,
        conversion_s=clock,
        adc_cycles=mux_turns(design),
        accumulation_cycles=_extra_cycles(design, weight_stage, input_stage, clock),
        leakages_W=leakages,
        leakage_in_use_W=array.leakage_W * (cells - busy_rows) / cells,
    )


def _extra_cycles(
    design: DesignBatch, weight_stage: ShiftAdd, input_stage: ShiftAdd, clock_s: Tensor
) -> Tensor:
    """Cycles per read for which a slow shift-add holds up the next read; 0 if it hides."""
    results = input_stage.operations
    weight = weight_stage.operations * (
        torch.ceil(weight_stage.adder_delay_s / clock_s) - 1
    ).clamp_min(0.0)
    per_result = (mux_turns(design) + weight) / results.clamp_min(1e-9)
    inputs = results * (torch.ceil(input_stage.adder_delay_s / clock_s) - per_result).clamp_min(0.0)
    return torch.where(results > 0, weight + inputs, 0.0)
