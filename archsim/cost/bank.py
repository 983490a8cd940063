"""A crossbar with its periphery as one bank of the silicon model (``cost_model: silicon``).

Every read of a subarray is an invocation of :mod:`archsim.cost.silicon` per turn of the mux:
cells, word lines, converters and control. Accumulation in the bank is in its calibrated terms, for
published macros contain theirs; so the shift-adds of :mod:`archsim.cost.subarray` are left out, and
tiles, buffers, wires and digital units come around it as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import ADC_KINDS, MEMORIES, DesignBatch
from archsim.arch.macro import CONVERTER_KINDS, MACRO_MEMORIES, MACRO_SENSINGS, MacroBatch
from archsim.arch.silicon_settings import SENSINGS
from archsim.cost.activity import level_statistics
from archsim.cost.block import add_up
from archsim.cost.component.crossbar import is_passive
from archsim.cost.memory.closed_form import memory_constants
from archsim.cost.reads import columns_per_conversion, dummy_columns, input_planes, rows_read
from archsim.cost.silicon.price import price_macro

#: Share of ones that the calibrated terms stand for.
_USUAL_ONES = 0.5
#: What the silicon model calls the kinds of converters of a chip, in code order of these.
_SILICON_KIND = {
    "flash-current": "flash",
    "flash-voltage": "flash",
    "sar": "binary-search",
}
_KINDS = tuple(_SILICON_KIND.get(kind, kind) for kind in ADC_KINDS)
#: Transistors of the bit cell that leakage is known of.
_BIT_CELL_TRANSISTORS = 6


@dataclass(frozen=True, eq=False)
class Bank:
    """One subarray as a bank, ``*batch``.

    Attributes:
        converter_J: of one conversion.
        array_J: charge of a column for one conversion with all rows of a group.
        array_power: how that goes with the share of the rows that hold weights.
        row_dc_J: current of one driven row for one conversion.
        is_ohmic: whether that current is known, so that a layer's ones decide.
        word_line_J: of one driven row in one invocation.
        control_J: of one invocation.
        invocation_s: time of one invocation.
        areas_m2: by component.
        leakage_W: of the cells; none for those that need no supply.
    """

    converter_J: Tensor
    array_J: Tensor
    array_power: Tensor
    row_dc_J: Tensor
    is_ohmic: Tensor
    word_line_J: Tensor
    control_J: Tensor
    invocation_s: Tensor
    areas_m2: dict[str, Tensor]
    leakage_W: Tensor

    @property
    def area_m2(self) -> Tensor:
        """Area of the bank."""
        return add_up(self.areas_m2.values())


def bank_macro(*, design: DesignBatch) -> MacroBatch:
    """Return each design's subarray as a macro: what ``archsim macro`` would be told of it.

    Args:
        design: ``*batch``.
    """
    return MacroBatch.of(
        memory=_translated(design.memory, MEMORIES, MACRO_MEMORIES),
        sensing=_translated(design.sensing, SENSINGS, MACRO_SENSINGS),
        adc_kind=_translated(design.adc_kind, _KINDS, CONVERTER_KINDS),
        node_m=design.technology.node_m,
        vdd_V=design.technology.vdd_V,
        cell_transistors=design.cell_transistors,
        rows=design.rows,
        cols=design.cols + dummy_columns(design),
        rows_read=rows_read(design),
        adcs=design.cols / design.mux_ratio,
        adc_bits=design.adc_bits,
        input_bits=design.dac_bits,
        weight_bits=design.weight_bits_read,
        phases=input_planes(design),
        cells_per_weight=columns_per_conversion(design),
        activity=_or_nan(design.read_activity),
        cell_current_A=_cell_current_A(design),
        sense_time_s=_or_nan(design.sense_time_s),
        cell_supply_V=_or_nan(design.cell_supply_V),
        adc_energy_J=_or_nan(design.conversion_J),
        cycle_s=_or_nan(design.read_cycle_s),
    )


def bank(*, design: DesignBatch) -> Bank:
    """Price one subarray of each design as a bank.

    Args:
        design: ``*batch``.
    """
    macro = bank_macro(design=design)
    cost = price_macro(macro=macro)
    energy, factor = cost.energy, design.macro_energy
    is_current = macro.is_sensing("current") & macro.is_non_volatile
    by_term = macro.is_sensing("charge-redistribution") | is_current
    time = torch.where(torch.isnan(macro.cycle_s), design.macro_time, 1.0)
    width_m = memory_constants("sram").leakage_width.si * design.technology.node_m
    cell_A = width_m * design.technology.leakage_n_A_per_m
    cells = design.rows * macro.cols * design.cell_transistors / _BIT_CELL_TRANSISTORS
    area = cost.area
    parts = {"array": area.cells_m2, "adc": area.converters_m2, "control": area.fixed_m2}
    known = ~torch.isnan(macro.cell_current_A) & ~torch.isnan(macro.sense_time_s)
    return Bank(
        converter_J=factor * energy.converters_J / macro.adcs,
        array_J=factor * energy.array_J / macro.adcs,
        array_power=torch.where(by_term, 1.0, 0.5),
        row_dc_J=factor * energy.dc_J / macro.adcs / macro.rows_driven,
        is_ohmic=known & torch.isnan(macro.activity),
        word_line_J=factor * energy.word_lines_J / macro.rows_driven,
        control_J=factor * energy.fixed_J,
        invocation_s=time * cost.latency_s,
        areas_m2={name: design.macro_area * part for name, part in parts.items()},
        leakage_W=torch.where(design.is_sram, cells * cell_A * design.technology.vdd_V, 0.0),
    )


def ones_factor(*, bank: Bank, share: Tensor) -> Tensor:
    """Return what a layer's ones make of the current: 1 but where it is known, ``*batch layer``.

    Args:
        bank: ``*batch``.
        share: of ones among the input bits, ``*batch layer``.
    """
    return torch.where(bank.is_ohmic.unsqueeze(-1), share / _USUAL_ONES, 1.0)


def verify_conversion_J(*, design: DesignBatch) -> Tensor:
    """Return what reading one cell takes beside its own read pulse, J, ``*batch``.

    One row is on, in one pass; word line and control are shared by the columns that are converted.

    Args:
        design: ``*batch``.
    """
    one = torch.ones_like(design.rows)
    macro = bank_macro(design=design).replace(
        rows_read=one, input_bits=one, phases=one, cell_current_A=one * torch.nan
    )
    energy = price_macro(macro=macro).energy
    shared = energy.converters_J + energy.array_J + energy.word_lines_J + energy.fixed_J
    return design.macro_energy * shared / macro.adcs


def _cell_current_A(design: DesignBatch) -> Tensor:
    """Mean current of a cell that is read: as said, or by Ohm's law where the time is known."""
    said = _or_nan(design.cell_current_A)
    wanted = (design.cell_current_A < 0) & (design.sense_time_s >= 0) & ~design.is_sram
    if not bool(wanted.any()):
        return said
    levels = level_statistics(design=design)
    g_off, g_on = (1 / design.r_off_ohm)[..., None], (1 / design.r_on_ohm)[..., None]
    conductance = g_off + levels.level * (g_on - g_off)
    access = torch.where(is_passive(design), 0.0, design.access_ratio * design.r_on_ohm)
    branch = 1 / (1 / conductance + access[..., None])
    mean_S = (levels.probability * branch).sum(-1)
    return torch.where(wanted, design.v_read_V * mean_S, said)


def _or_nan(value: Tensor) -> Tensor:
    """Return NaN, which stands for unknown in a macro, where a setting is not given."""
    return torch.where(value < 0, torch.nan, value)


def _translated(code: Tensor, names: tuple[str, ...], others: tuple[str, ...]) -> Tensor:
    """Return the codes that others have for the same names."""
    table = torch.tensor([others.index(name) for name in names], device=code.device)
    return table[code]
