"""Energy of all reads of a layer's subarrays: of the circuits, or of banks of the silicon model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.activity import plane_probability
from archsim.cost.bank_energy import bank_energy
from archsim.cost.block import either
from archsim.cost.conversions import conversions_J
from archsim.cost.gating import running
from archsim.cost.pieces import Pieces
from archsim.cost.reads import array_reads, input_passes, signed_layers
from archsim.cost.tile import Parts
from archsim.plan import MappingPlan


@dataclass(frozen=True, eq=False)
class SubarrayEnergy:
    """Energy per component for one image and one instance, J, ``*batch layer``."""

    array: Tensor
    adc: Tensor
    mux: Tensor
    drivers: Tensor
    control: Tensor
    shift_add: Tensor

    def where(self, condition: Tensor, other: SubarrayEnergy) -> SubarrayEnergy:
        """Choose per design between this and another."""
        return SubarrayEnergy(
            *(
                torch.where(condition, getattr(self, entry.name), getattr(other, entry.name))
                for entry in dataclasses.fields(self)
            )
        )


def subarray_energy(
    *, design: DesignBatch, parts: Parts, plan: MappingPlan, pieces: Pieces
) -> SubarrayEnergy:
    """Price all reads of every layer, by the one cost model that a design has.

    Args:
        design: ``*batch``.
        parts: with the subarray.
        plan: counts.
        pieces: PE pieces whose subarrays are read.
    """
    layers = plan.layers
    probability = plane_probability(
        design=design,
        is_first=layers.is_first,
        is_signed=signed_layers(design=design, layers=layers),
        padding_share=layers.padding_share,
    )
    return either(
        design.is_silicon.unsqueeze(-1),
        lambda: _of_banks(design, parts, plan, pieces, probability),
        lambda: _of_circuits(design, parts, plan, pieces, probability),
    )


def _of_banks(
    design: DesignBatch, parts: Parts, plan: MappingPlan, pieces: Pieces, probability: Tensor
) -> SubarrayEnergy:
    if parts.subarray.bank is None:  # pragma: no cover - a design of this model has one
        raise AssertionError("no bank")
    energy = bank_energy(
        design=design,
        bank=parts.subarray.bank,
        layers=plan.layers,
        pieces=pieces,
        passes=input_passes(design=design, layers=plan.layers),
        ones=probability.sum(-1) / design.input_bits.unsqueeze(-1),
    )
    none = torch.zeros_like(energy.array)
    return SubarrayEnergy(
        array=energy.array,
        adc=energy.adc,
        mux=none,
        drivers=energy.drivers,
        control=energy.control,
        shift_add=none,
    )


def _of_circuits(
    design: DesignBatch, parts: Parts, plan: MappingPlan, pieces: Pieces, probability: Tensor
) -> SubarrayEnergy:
    layers, array = plan.layers, parts.subarray
    rows, cols = design.rows.unsqueeze(-1), design.cols.unsqueeze(-1)
    reads = layers.vectors * array_reads(design=design, layers=layers)
    passes = input_passes(design=design, layers=layers)
    ones_per_vector = passes * probability.sum(-1)
    subarrays = pieces.total(lambda r, c: torch.ceil(r / rows) * torch.ceil(c / cols))
    driven_rows = pieces.total(lambda r, c: r * torch.ceil(c / cols))
    active_rows = driven_rows * ones_per_vector * layers.vectors

    def block(name: str, share: Tensor | float = 1.0) -> Tensor:
        return array.blocks[name].read_energy_J.unsqueeze(-1) * subarrays * share * reads

    # Converters, their mux and shift-adds that work, as a share of those of these subarrays.
    mux = design.mux_ratio.unsqueeze(-1)
    converters = pieces.total(lambda r, c: torch.ceil(r / rows) * torch.ceil(c / mux))
    share = running(design=design, used=converters * mux / (subarrays * cols), there=1 + 0 * reads)
    # Bit-planes that a row register takes per image.
    planes = layers.vectors * passes * design.input_bits.unsqueeze(-1)
    registers = running(
        design=design,
        used=driven_rows * parts.register.energy_J.unsqueeze(-1) * planes,
        there=block("drivers"),
    )
    driver_rows = array.blocks["drivers"].row_energy_J.unsqueeze(-1) * active_rows
    return SubarrayEnergy(
        array=array.array.row_energy_J.unsqueeze(-1) * active_rows,
        adc=layers.vectors
        * passes
        * conversions_J(
            design=design, array=array, plan=plan, pieces=pieces, probability=probability
        ),
        mux=block("mux", share) + block("mux_decoder"),
        drivers=registers + driver_rows,
        control=torch.zeros_like(active_rows),
        shift_add=block("shift_add_weight", share) + block("shift_add_input", share),
    )
