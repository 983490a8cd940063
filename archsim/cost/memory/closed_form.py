"""A compiled memory in closed form: energy, time, area and leakage over capacity, width and node.

An access has a part that is there once (decoder, word line, control) and a part per bit of the line
(bit line, sense amplifier, way out); both grow with a power of the capacity, and with the supply
squared. Capacitance follows the published 6T cell of the node, for node names are no lengths. The
constants, how they were found and how far off they are stand in ``configs/memory``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.config.checked import validate_model
from archsim.config.load import load_preset
from archsim.config.schema.memory import MemoryFile
from archsim.cost.silicon.node import bit_cell_m2, gate_delay_s


@dataclass(frozen=True, eq=False)
class MemoryShape:
    """What is asked of a memory, ``*batch``.

    ``bits`` it holds, ``line_bit`` of them move in an access, through one of ``ports``.
    """

    bits: Tensor
    line_bit: Tensor
    ports: Tensor


@dataclass(frozen=True, eq=False)
class MemoryPlace:
    """Where it is built, ``*batch``.

    Node and its published 6T cell, supply, gate delay and leakage of an n-channel transistor.
    """

    node_m: Tensor
    bit_cell_m2: Tensor
    supply_V: Tensor
    delay_s: Tensor
    leakage_A_per_m: Tensor

    @classmethod
    def of(cls, design: DesignBatch) -> MemoryPlace:
        """Return the node and supply of each design.

        Args:
            design: ``*batch``.
        """
        technology = design.technology
        node, supply = technology.node_m, technology.vdd_V
        return cls(
            node_m=node,
            bit_cell_m2=bit_cell_m2(node),
            supply_V=supply,
            delay_s=gate_delay_s(node, supply),
            leakage_A_per_m=technology.leakage_n_A_per_m,
        )


@dataclass(frozen=True, eq=False)
class Memory:
    """One memory, ``*batch``; energies per bit of an access, leakage with its refresh."""

    read_J_per_bit: Tensor
    write_J_per_bit: Tensor
    access_s: Tensor
    area_m2: Tensor
    leakage_W: Tensor

    def where(self, condition: Tensor, other: Memory) -> Memory:
        """Choose per design between this memory and another."""
        return Memory(
            *(
                torch.where(condition, getattr(self, entry.name), getattr(other, entry.name))
                for entry in dataclasses.fields(self)
            )
        )


@cache
def memory_constants(name: str) -> MemoryFile:
    """Return the constants of a kind of memory.

    Args:
        name: preset of ``configs/memory``, or a YAML path.

    Raises:
        ConfigError: no such preset, or one that does not fit the schema.
    """
    return validate_model(MemoryFile, load_preset("memory", name), "memory")


def closed_form(*, constants: MemoryFile, place: MemoryPlace, shape: MemoryShape) -> Memory:
    """Price a memory.

    Args:
        constants: of its kind.
        place: node and supply, ``*batch``.
        shape: capacity, width and ports, ``*batch``.
    """
    size: Tensor = shape.bits / constants.reference.si
    more = shape.ports - 1
    footprint = (1 + constants.port_height.si * more) * (1 + constants.port_width.si * more)
    cell: Tensor = (place.bit_cell_m2 / constants.reference_cell.si) ** constants.cell_exponent.si
    # Lines are as long as the cells are high and wide: on average the root of their area.
    scale = cell * torch.sqrt(footprint)

    def switched_F(access: float, access_exponent: float, bit: float, exponent: float) -> Tensor:
        once = access / shape.line_bit * torch.pow(size, access_exponent)
        return scale * (once + bit * torch.pow(size, exponent))

    read = switched_F(
        constants.read_access.si,
        constants.read_access_exponent.si,
        constants.read_bit.si,
        constants.read_bit_exponent.si,
    )
    write = switched_F(
        constants.write_access.si,
        constants.write_access_exponent.si,
        constants.write_bit.si,
        constants.write_bit_exponent.si,
    )
    cells = constants.cell_area.si * shape.bits + (
        constants.line_area.si * shape.line_bit * torch.sqrt(shape.bits)
    )
    read_J, write_J = read * place.supply_V**2, write * place.supply_V**2
    width_m = constants.leakage_width.si * place.node_m
    leakage = shape.bits * width_m * place.leakage_A_per_m * place.supply_V
    if constants.retention is not None:
        leakage = leakage + shape.bits * (read_J + write_J) / constants.retention.si
    return Memory(
        read_J_per_bit=read_J,
        write_J_per_bit=write_J,
        access_s=constants.access_delays.si * place.delay_s * size**constants.access_exponent.si,
        area_m2=cells * place.bit_cell_m2 * footprint,
        leakage_W=leakage,
    )
