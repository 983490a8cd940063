"""Published closed-form ADC models, selectable in place of the circuit model.

Four public models of the same 8-bit converter differ by 22x in energy; ``archsim map
--set chip.adc.model=...`` shows what that does to a design. Formulas stand in ``configs/adc``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from archsim.arch.design import ADC_MODELS, DesignBatch
from archsim.config.checked import validate_model
from archsim.config.load import load_preset
from archsim.config.schema.adc import AndrulisAdc, IsaacAdc, ZigzagAdc
from archsim.units import to_si

#: Signal to noise and distortion of an ideal n-bit converter: 6.02 n + 1.76 dB (Bennett 1948).
_SNDR_PER_BIT, _SNDR_OFFSET = 6.02, 1.76


@dataclass(frozen=True, eq=False)
class Conversion:
    """One ADC: energy per conversion, area and conversion time, ``*batch``."""

    energy_J: Tensor
    area_m2: Tensor
    time_s: Tensor


def published(*, design: DesignBatch) -> Conversion | None:
    """Return the published model that each design selects; None if none does.

    Designs that keep the circuit model get zeros.

    Args:
        design: ``*batch``.
    """
    result: Conversion | None = None
    for code in design.adc_model.unique().tolist():
        name = ADC_MODELS[int(code)]
        if name == ADC_MODELS[0]:
            continue
        mine = design.adc_model == code
        model = _MODELS[name](design)
        zero = torch.zeros((), dtype=torch.float64, device=design.rows.device)
        previous = result or Conversion(zero, zero, zero)
        result = Conversion(
            torch.where(mine, model.energy_J, previous.energy_J),
            torch.where(mine, model.area_m2, previous.area_m2),
            torch.where(mine, model.time_s, previous.time_s),
        )
    return result


@lru_cache(maxsize=1)
def _andrulis_constants() -> AndrulisAdc:
    return validate_model(AndrulisAdc, load_preset("adc", "andrulis2024"), "adc")


@lru_cache(maxsize=1)
def _zigzag_constants() -> ZigzagAdc:
    return validate_model(ZigzagAdc, load_preset("adc", "zigzag-imc"), "adc")


@lru_cache(maxsize=1)
def _isaac_constants() -> IsaacAdc:
    return validate_model(IsaacAdc, load_preset("adc", "isaac"), "adc")


def _andrulis(design: DesignBatch) -> Conversion:
    """Energy from the survey's envelope of figure of merit, area from energy and rate."""
    constants = _andrulis_constants()
    bits = design.adc_bits
    node_nm = design.technology.node_m / to_si(1.0, "nm")
    frequency = constants.frequency.si
    high, low = constants.fom_high.si_values, constants.fom_low.si_values
    energy, area = constants.energy.si_values, constants.area.si_values
    from_rate = torch.full_like(bits, high[0] - high[1] * math.log(frequency))
    merit_dB = torch.minimum(from_rate, low[0] + low[1] * torch.ceil(bits))
    sndr_dB = _SNDR_PER_BIT * bits + _SNDR_OFFSET
    scale = torch.exp(
        energy[0] + energy[1] * torch.log(node_nm) - energy[2] * torch.log(bits) - energy[3]
    )
    energy_pJ = scale / (2 * 10 ** ((merit_dB - sndr_dB) / 10))
    area_um2 = torch.exp(
        area[0]
        + area[1] * torch.log(node_nm)
        + area[2] * math.log(frequency)
        + area[3] * torch.log(energy_pJ)
    )
    time = torch.full_like(energy_pJ, 1 / frequency)
    return Conversion(energy_pJ * to_si(1.0, "pJ"), area_um2 * to_si(1.0, "um2"), time)


def _zigzag(design: DesignBatch) -> Conversion:
    """Fit to three analog SRAM chips: energy as switched capacitance, time with the rows."""
    constants = _zigzag_constants()
    bits = design.adc_bits
    a0, a1 = constants.area.si_values
    per_row_s, base_s = constants.time.si_values
    linear_F, power_F = constants.energy.si_values
    area_um2 = 10 ** (a0 - a1 * bits) * torch.exp2(bits)
    return Conversion(
        (linear_F * bits + power_F * 4**bits) * design.technology.vdd_V**2,
        area_um2 * to_si(1.0, "um2"),
        bits * (per_row_s * design.rows + base_s),
    )


def _isaac(design: DesignBatch) -> Conversion:
    """One published converter; resolve() accepts it for its own number of bits only."""
    constants = _isaac_constants()
    like = torch.ones_like(design.adc_bits)
    return Conversion(
        like * constants.energy.si, like * constants.area.si, like / constants.frequency.si
    )


_MODELS: dict[str, Callable[[DesignBatch], Conversion]] = {
    "andrulis2024": _andrulis,
    "zigzag-imc": _zigzag,
    "isaac": _isaac,
}
