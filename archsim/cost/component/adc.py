"""Analog-to-digital converters: current-mode flash, voltage-mode flash and SAR.

A flash converter is a bank of L-1 comparators against shared reference columns; its time is set by
the extreme references and its static power by the resistance of the column being read. Power and
time against resistance are fits to SPICE (``configs/technology``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import ADC_KINDS, DesignBatch
from archsim.arch.technology import Technology
from archsim.cost import gates
from archsim.cost.block import CircuitBlock, either, trail
from archsim.cost.component.adc_models import published
from archsim.cost.component.crossbar import CellArray
from archsim.cost.reads import rows_read
from archsim.cost.standard_cells import once_per_technology, standard_cells

#: Footprint of one comparator, in standard cells two gate pitches wide.
_COMPARATOR_CELLS = 9.0
#: SAR footprint in the same unit: fixed part and part per further bit, n and p devices together.
_SAR_CELLS, _SAR_CELLS_PER_BIT = 269.0 + 209.0, 109.0 + 73.0
#: Time per SAR decision, and of a voltage-mode flash conversion (published core: 1 ns each).
_DECISION_S = 1e-9
#: Read voltage at which the power fits were made.
_FIT_VOLTAGE_V = 0.5
#: Resistance at which the capacitance part of the time fit is anchored.
_TIME_ANCHOR_OHM = 1e5
#: Reference levels summed for the shared reference power run from 1 to L - 3.
_MAX_LEVELS = 1024


@dataclass(frozen=True, eq=False)
class AdcBank:
    """The ADC bank of a subarray and what its energy depends on, ``*batch``.

    ``published_J`` is the energy per conversion where a published model replaces the circuit, None
    if it does so for no design. ``switched_J`` is spent per column and read; ``reference_W`` is
    drawn per column while it converts; ``window_s`` is how long the static power flows.
    """

    block: CircuitBlock
    published_J: Tensor | None
    switched_J: Tensor
    reference_W: Tensor
    window_s: Tensor


@dataclass(frozen=True, eq=False)
class _Piecewise:
    """A three-piece function const + linear x + log ln(x); the last axis is the piece."""

    breaks: Tensor
    const: Tensor
    linear: Tensor
    log: Tensor

    def at(self, ln_x: Tensor, axes: int = 0) -> Tensor:
        """Evaluate at ``ln_x``, which has ``axes`` axes more than a batch."""
        x = torch.exp(ln_x)

        def piece(index: int) -> Tensor:
            const, linear, log = (
                trail(coefficients[..., index], axes)
                for coefficients in (self.const, self.linear, self.log)
            )
            return torch.addcmul(torch.addcmul(const, linear, x), log, ln_x)

        def below(index: int) -> Tensor:
            return ln_x < trail(torch.log(self.breaks[..., index]), axes)

        return either(
            below(0), lambda: piece(0), lambda: either(below(1), lambda: piece(1), lambda: piece(2))
        )


def _flash_time(technology: Technology) -> _Piecewise:
    """Conversion time against reference resistance, s."""
    return _Piecewise(
        technology.flash_time_breaks_ohm,
        technology.flash_time_const_s,
        technology.flash_time_linear_s_per_ohm,
        technology.flash_time_log_s,
    )


def _flash_power(technology: Technology) -> _Piecewise:
    """Static power of one comparator against column resistance, W."""
    return _Piecewise(
        technology.flash_power_breaks_ohm,
        technology.flash_power_const_W,
        technology.flash_power_linear_W_per_ohm,
        technology.flash_power_log_W,
    )


def adc(*, design: DesignBatch, array: CellArray) -> AdcBank:
    """Price the ADC bank below the array.

    Args:
        design: ``*batch``.
        array: the crossbar.
    """
    levels, is_sar = design.adc_levels, design.adc_kind == ADC_KINDS.index("sar")
    count = design.cols / design.mux_ratio
    technology = design.technology
    cell = technology.cell_height_m * 2 * technology.pitch_m
    sar_area = cell * (_SAR_CELLS + _SAR_CELLS_PER_BIT * (design.adc_bits - 1))
    # One reference column; drawn at the wire width for resistive cells (reference model).
    lam, node = technology.metal0_width_m, technology.node_m
    column = torch.where(
        design.is_sram,
        array.cell_height * lam * design.rows * array.cell_width * node,
        array.cell_height * lam * design.rows * array.cell_width * lam,
    )
    flash_area = (levels - 1) * (_COMPARATOR_CELLS * cell + column / levels)
    area = count * torch.where(is_sar, sar_area, flash_area)
    is_current = design.adc_kind == ADC_KINDS.index("flash-current")
    sar_time = (design.adc_bits + 1) * _DECISION_S
    flash_time = torch.where(is_current, _flash_time_s(design, array), _DECISION_S)
    window = torch.where(is_sar, sar_time, flash_time) * technology.slowness
    time = window
    model = published(design=design)
    if model is not None:
        chosen = design.adc_model > 0
        area = torch.where(chosen, count * model.area_m2, area)
        time = torch.where(chosen, model.time_s, window)
    return AdcBank(
        block=CircuitBlock(
            height_m=design.adc_area * area / array.width_m,
            width_m=array.width_m,
            latency_s=design.adc_time * time,
        ),
        published_J=None if model is None else model.energy_J,
        switched_J=torch.where(is_sar, 0.0, _switched_energy_J(design, array, is_current)),
        reference_W=torch.where(is_current, _reference_power_W(design, array), 0.0)
        * supply_power(technology),
        window_s=window,
    )


def supply_power(technology: Technology) -> Tensor:
    """Return the power of a converter over that at the tabulated supply, ``*batch``.

    Its energy goes with the square of the supply and its time with :attr:`Technology.slowness`.
    """
    return (technology.vdd_V / technology.tabulated_vdd_V) ** 2 / technology.slowness


def _full_scale_ohm(design: DesignBatch, array: CellArray) -> Tensor:
    """Resistance of a column with every cell fully on that is read at once."""
    cell = torch.where(design.is_sram, array.r_access_ohm, design.r_on_ohm)
    return cell / rows_read(design)


def _flash_time_s(design: DesignBatch, array: CellArray) -> Tensor:
    """Conversion time: the slower of the highest and the lowest reference level."""
    technology, levels = design.technology, design.adc_levels
    full = _full_scale_ohm(design, array)
    comparator = gates.gate_capacitance_F(technology, 2 * technology.node_m)
    extra = (
        array.c_bitline_F + (levels - 3) * comparator - technology.flash_time_c0_F
    ) / technology.flash_time_c0_F

    def at(x: Tensor) -> Tensor:
        base = _flash_time(technology).at(torch.log(x))
        beyond = (x - technology.flash_time_onset_ohm) / (
            _TIME_ANCHOR_OHM - technology.flash_time_onset_ohm
        )
        return base + technology.flash_time_slope_s * beyond.clamp_min(0.0) * extra

    return torch.maximum(at(full * levels / (levels - 1)), at(full * levels / 2))


def _switched_energy_J(design: DesignBatch, array: CellArray, is_current: Tensor) -> Tensor:
    """Capacitive energy per column and conversion of a flash ADC.

    The bit-line share of each comparator is lost in the reference; only the reference columns'
    1/L share is charged (docs/validation.md, "Physics or artefact"): below 1 % of the energy.
    """
    technology, levels = design.technology, design.adc_levels
    c_n, c_p, j_n, j_p = _comparator_loads_F(technology)
    sense = torch.where(is_current, j_n + c_n, j_n)
    wordline = torch.where(
        design.is_sram, array.c_wordline_F * technology.vdd_V**2 * design.rows / design.cols, 0.0
    )
    read = design.v_read_V**2
    return (levels - 1) * (
        array.c_bitline_F * read / levels
        + wordline / levels
        + (2 * c_n + sense * (1 / (levels - 1) + 1 / levels)) * read
        + (6 * c_p + 5 * c_n + 4 * j_p + 3 * j_n) * technology.vdd_V**2
    )


@once_per_technology
def _comparator_loads_F(technology: Technology) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gate and drain capacitance of the minimum n and p devices: C_n, C_p, J_n, J_p."""
    width_n = 2 * technology.node_m
    width_p = width_n * technology.r_pn
    none = torch.zeros_like(width_n)
    nominal = gates.NOMINAL_HEIGHT * technology.node_m
    return (
        gates.gate_capacitance_F(technology, width_n),
        gates.gate_capacitance_F(technology, width_p),
        gates.drain_capacitance_F(technology, "inverter", 1, width_n, none, nominal),
        gates.drain_capacitance_F(technology, "inverter", 1, none, width_p, nominal),
    )


def _flash_power_W(
    design: DesignBatch, ln_log_ohm: Tensor, ln_inverse_ohm: Tensor, axes: int
) -> Tensor:
    """Static power of all comparators of one column (current mode), W.

    Args:
        design: ``*batch``.
        ln_log_ohm: ln of the column resistance for the log-shaped part.
        ln_inverse_ohm: ln of the column resistance for the part that goes with conductance.
        axes: axes that the resistances have beyond ``*batch``.
    """
    technology = design.technology
    ln_scale = trail(torch.log(_FIT_VOLTAGE_V / design.v_read_V), axes)
    flash = trail(design.adc_levels - 1, axes) * _flash_power(technology).at(
        ln_log_ohm + ln_scale, axes
    )
    if bool((technology.flash_power_inverse_W > 0).any()):
        exponent = trail(technology.flash_power_exponent, axes)
        inverse = torch.exp(-exponent * (ln_inverse_ohm + ln_scale))
        flash = flash + trail(technology.flash_power_inverse_W, axes) * inverse
    return flash


def _reference_power_W(design: DesignBatch, array: CellArray) -> Tensor:
    """Mean power of the shared reference columns, charged to each column."""
    most = int(min(float(design.adc_levels.max()), _MAX_LEVELS))
    step = torch.arange(1, max(most - 2, 2), dtype=torch.float64, device=design.rows.device)
    levels = design.adc_levels.unsqueeze(-1)
    share_left = (1 - step / levels).clamp_min(1e-9)
    ln_column = torch.log(_full_scale_ohm(design, array)).unsqueeze(-1) - torch.log(share_left)
    power = _flash_power_W(design, ln_column, ln_column, 1)
    return torch.where(step <= levels - 3, power, 0.0).sum(-1) / design.adc_levels


def column_power_W(
    *, design: DesignBatch, ln_geometric_S: Callable[[], Tensor], ln_mean_S: Tensor, axes: int
) -> Tensor:
    """Static power of one column while its ADC converts, before the reference's share.

    The log-shaped part is evaluated at the geometric mean conductance, parts proportional to
    conductance at the arithmetic mean, as their averages demand.

    Args:
        design: ``*batch``.
        ln_geometric_S: mean log conductance of a non-empty column, ln S; called if a design has a
            current-mode flash ADC.
        ln_mean_S: log of the mean conductance of a non-empty column, ln S.
        axes: axes that the conductances have beyond ``*batch``.
    """

    def flash() -> Tensor:
        return _flash_power_W(design, -ln_geometric_S(), -ln_mean_S, axes)

    def sar() -> Tensor:
        return _sar_power_W(design, ln_mean_S, axes)

    power = either(
        trail(design.adc_kind == ADC_KINDS.index("flash-current"), axes),
        flash,
        lambda: either(
            trail(design.adc_kind == ADC_KINDS.index("sar"), axes),
            sar,
            lambda: torch.zeros((), dtype=torch.float64, device=ln_mean_S.device),
        ),
    )
    return power * trail(supply_power(design.technology), axes)


def _sar_power_W(design: DesignBatch, ln_mean_S: Tensor, axes: int) -> Tensor:
    """Power of a SAR ADC: a part per bit, and one that goes with the column's conductance."""
    technology = design.technology
    fixed = technology.sar_power_per_bit_W * design.adc_bits + technology.sar_power_base_W
    ln_scale = trail(torch.log(_FIT_VOLTAGE_V / design.v_read_V), axes)
    exponent = trail(technology.sar_power_exponent, axes)
    inverse = torch.exp(exponent * (ln_mean_S - ln_scale))
    return trail(fixed, axes) + trail(technology.sar_power_inverse_W, axes) * inverse


def thermometer_encoder(*, design: DesignBatch, array: CellArray) -> CircuitBlock:
    """Price the encoder from comparator outputs to binary; absent behind a SAR ADC.

    Its switching energy is not modelled (as in the reference; well below 1 % of a conversion).

    Args:
        design: ``*batch``.
        array: the crossbar.
    """
    technology = design.technology
    levels, bits = design.adc_levels, design.adc_bits
    cells = standard_cells(technology)
    inverter, nand, wide = cells.inverter, cells.encoder_nand2, cells.encoder_nand(bits)
    count = design.cols / design.mux_ratio
    block_width = inverter.width_m + nand.width_m + wide.width_m
    row = (inverter.width_m + nand.width_m) * (levels - 1) + bits * wide.width_m
    block_height = technology.cell_height_m * row / block_width
    per_row = torch.minimum(torch.ceil(array.width_m / block_width - 1e-9), count)
    stacked = torch.ceil(count / per_row)
    first = gates.stage_delay_s(inverter.r_n_ohm * (inverter.c_out_F + 2 * nand.c_in_F))
    second = gates.stage_delay_s(
        2 * nand.r_n_ohm * (nand.c_out_F + levels / 2 * wide.c_in_F), first
    )
    leakage = (levels - 1) * (nand.leakage_A + 5 * inverter.leakage_A) + bits * wide.leakage_A
    binary = (design.adc_kind == ADC_KINDS.index("sar")) | (design.adc_model > 0)
    block = CircuitBlock(
        height_m=stacked * block_height,
        width_m=torch.maximum(array.width_m, block_width),
        latency_s=first + second,
        leakage_W=count * technology.vdd_V * leakage,
    )
    return CircuitBlock().where(binary, block)
