"""The standard cells that circuit blocks share, laid out once per technology.

Cells depend on the technology and on settings that a sweep over chips leaves alone, so it builds
them once. Results are remembered per :class:`Technology` object, unless gradients flow through it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from archsim.arch.technology import LIST_FIELDS, Technology
from archsim.cost.gate_sizing import enlarged_gate
from archsim.cost.gates import Gate, make_gate
from archsim.shapes import broadcast_shapes

#: Most inputs of a decoder NOR: 16 address bits.
_MAX_NOR_INPUTS = 8
#: Most bits of a flash ADC that the encoder table covers.
_MAX_ADC_BITS = 10

#: Combinations of technology and settings whose results are remembered, per function.
_REMEMBERED = 16

_ResultT = TypeVar("_ResultT")
_Arguments = ParamSpec("_Arguments")


def once_per_technology(
    build: Callable[_Arguments, _ResultT],
) -> Callable[_Arguments, _ResultT]:
    """Remember the last few results, unless gradients flow or an argument differs per design.

    Arguments are technologies, tensors (told apart by identity: a setting that a batch shares is
    the same tensor in each of its chunks) and plain values.
    """
    remembered = lru_cache(maxsize=_REMEMBERED)(build)

    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _ResultT:
        if not kwargs and all(_is_fixed(value) for value in args):
            return remembered(*args)
        return build(*args, **kwargs)

    return call


def _is_fixed(value: object) -> bool:
    """Whether all designs of a batch share a value, and no gradient is asked of it."""
    if isinstance(value, Technology):
        constants = {e.name: getattr(value, e.name) for e in dataclasses.fields(value)}
        return not any(
            constant.requires_grad or constant.dim() > (name in LIST_FIELDS)
            for name, constant in constants.items()
        )
    return not (isinstance(value, Tensor) and (value.dim() or value.requires_grad))


@dataclass(frozen=True, eq=False)
class StandardCells:
    """Gates of a technology. ``big_*`` fill the footprint of their minimum version."""

    inverter: Gate
    big_inverter: Gate
    big_nand2: Gate
    big_nand3: Gate
    big_nor2: Gate
    nor8: Gate
    driver: Gate
    mux_driver: Gate
    encoder_nand2: Gate
    encoder_nands: Gate
    decoder_nors: Gate

    def decoder_nor(self, inputs: Tensor) -> Gate:
        """Pick the decoder NOR with the given number of inputs, 1 to 8, per design."""
        return _pick(self.decoder_nors, inputs.clamp(1, _MAX_NOR_INPUTS) - 1)

    def encoder_nand(self, adc_bits: Tensor) -> Gate:
        """Pick the encoder NAND with 2^(bits - 1) inputs, per design."""
        return _pick(self.encoder_nands, adc_bits.clamp(1, _MAX_ADC_BITS) - 1)


def _pick(table: Gate, index: Tensor) -> Gate:
    """Gather entries of a table of gates (last axis) by a float index of shape ``*batch``."""
    position = index.long()

    def pick(values: Tensor) -> Tensor:
        if position.dim() == 0:
            return values[..., int(position)]
        shape = broadcast_shapes(values.shape[:-1], position.shape)
        wide = values.expand(*shape, values.shape[-1])
        return torch.gather(wide, -1, position.expand(shape).unsqueeze(-1)).squeeze(-1)

    return Gate(
        **{entry.name: pick(getattr(table, entry.name)) for entry in dataclasses.fields(Gate)}
    )


def _table(gates: list[Gate]) -> Gate:
    """Stack gates along a new last axis."""
    return Gate(
        **{
            entry.name: torch.stack([getattr(gate, entry.name) for gate in gates], -1)
            for entry in dataclasses.fields(Gate)
        }
    )


@once_per_technology
def standard_cells(technology: Technology) -> StandardCells:
    """Lay out the standard cells of a technology."""
    node = technology.node_m
    minimum_n, minimum_p = 2 * node, 2 * node * technology.r_pn
    return StandardCells(
        inverter=make_gate(technology, "inverter", 1, minimum_n, minimum_p),
        big_inverter=enlarged_gate(technology, "inverter", 1, minimum_n, minimum_p),
        big_nand2=enlarged_gate(technology, "nand", 2, 2 * minimum_n, minimum_p),
        big_nand3=enlarged_gate(technology, "nand", 3, 3 * minimum_n, minimum_p),
        big_nor2=enlarged_gate(technology, "nor", 2, 4 * minimum_n, minimum_p),
        nor8=make_gate(technology, "nor", 8, 16 * minimum_n, minimum_p),
        driver=make_gate(technology, "inverter", 1, 2 * minimum_n, 2 * minimum_p),
        mux_driver=make_gate(
            technology,
            "inverter",
            1,
            2 * minimum_n * technology.mux_driver_size,
            2 * minimum_p * technology.mux_driver_size,
        ),
        encoder_nand2=make_gate(technology, "nand", 2, 4 * minimum_n, 2 * minimum_p),
        encoder_nands=_table(
            [
                make_gate(technology, "nand", 2 ** (bits - 1), 4 * minimum_n, 2 * minimum_p)
                for bits in range(1, _MAX_ADC_BITS + 1)
            ]
        ),
        decoder_nors=_table(
            [
                enlarged_gate(technology, "nor", inputs, minimum_n, inputs * minimum_p)
                for inputs in range(1, _MAX_NOR_INPUTS + 1)
            ]
        ),
    )
