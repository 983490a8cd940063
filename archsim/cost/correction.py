"""Digital corrections: a scale and a bias for every output channel, after the analog sums.

A factor that undoes drift is a scale without a bias, of every channel or one for each layer.

What a chip of its own numbers needs in logic: a register for each number of each channel, and in
each result unit an adder (bias) and an array multiplier (scale). The multiplier is a row of
full adders of the width of a sum for every bit of the scale, through which carries ripple; its AND
gates are left out. Both work in turn on every value, before the activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import CHANNEL_CORRECTIONS, CORRECTED_LAYERS, DesignBatch
from archsim.cost.component.adder import Adder
from archsim.cost.component.flip_flop import FlipFlop
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class CorrectionUnit:
    """Logic of the digital corrections.

    ``area_m2`` and ``leakage_W`` are of the chip, ``*batch``; ``energy_J`` and ``delay_s`` of one
    corrected value, ``*batch``, 0 without corrections; ``layers`` is 1 for layers that have them,
    ``*batch layer``.
    """

    area_m2: Tensor
    leakage_W: Tensor
    energy_J: Tensor
    delay_s: Tensor
    layers: Tensor


def correction(
    *,
    design: DesignBatch,
    plan: MappingPlan,
    adder: Adder,
    register: FlipFlop,
    units: Tensor,
    sum_bit: Tensor,
) -> CorrectionUnit:
    """Price the digital corrections of a chip.

    Args:
        design: ``*batch``.
        plan: layers and their channels.
        adder: a full-adder bit.
        register: a bit of register.
        units: results taken per step by the chip, ``*batch``.
        sum_bit: width of a sum, ``*batch``.
    """
    bits, kind = design.correction_bits, design.correction

    def is_one_of(*names: str) -> Tensor:
        flags = torch.tensor([name in names for name in CHANNEL_CORRECTIONS], device=kind.device)
        return flags[kind].double()

    biased = is_one_of("bias", "scale-and-bias")
    scaled = is_one_of("scale-and-bias", "scale", "layer-scale")
    numbers = biased + scaled
    covered = _layers(design, plan) * numbers.clamp_max(1.0).unsqueeze(-1)
    of_layer = is_one_of("layer-scale").unsqueeze(-1)
    wide = torch.where(of_layer > 0, 1.0, plan.layers.weights_wide)
    stored_bit = plan.layers.over_layers(covered * wide) * numbers * bits
    adders = units * sum_bit * (biased + scaled * bits)
    add_J = adder.energy_J(sum_bit)
    product_bit = sum_bit + bits
    return CorrectionUnit(
        area_m2=stored_bit * register.area_m2 + adders * adder.bit_area_m2,
        leakage_W=stored_bit * register.leakage_W + adders * adder.bit_leakage_W,
        energy_J=biased * add_J + scaled * bits * add_J + numbers * bits * register.energy_J,
        delay_s=biased * adder.delay_s(sum_bit) + scaled * adder.delay_s(product_bit),
        layers=covered,
    )


def _layers(design: DesignBatch, plan: MappingPlan) -> Tensor:
    """1 for layers that are corrected if any are, ``*batch layer``: all, or the linear ones."""
    everywhere = design.corrected_layers == CORRECTED_LAYERS.index("all")
    where = design.rows.device

    def flags(kinds: tuple[str, ...]) -> Tensor:
        return torch.tensor([kind in kinds for kind in plan.kinds], device=where)

    is_corrected = torch.where(everywhere.unsqueeze(-1), ~flags(("tsb",)), flags(("linear",)))
    return is_corrected.double()
