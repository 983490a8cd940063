"""Repeated wires, and the H-trees built from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.cost import gates
from archsim.cost.standard_cells import once_per_technology

#: Wires from 1e4 F on are drawn two times, from 1e5 F on four times as wide.
_CLASS_LENGTHS = (1e4, 1e5)
#: Delay of a repeated wire (Bakoglu, Circuits, Interconnections and Packaging for VLSI, 1990).
_GATE_TERM, _WIRE_TERM = 0.7, 0.54
#: Energy-saving repeaters: half the size and 0.9 of the spacing per step.
_SPACING_STEP = 0.9
_MAX_STEPS = 8
#: Most stages an H-tree can have: 2^16 units along a side.
_MAX_STAGES = 16


@dataclass(frozen=True, eq=False)
class Repeater:
    """A repeater inverter and its spacing, ``*batch``."""

    technology: Technology
    spacing_m: Tensor
    c_in_F: Tensor
    c_out_F: Tensor
    resistance_ohm: Tensor
    width_m: Tensor
    leakage_W: Tensor

    @property
    def height_m(self) -> Tensor:
        """Layout height: one standard cell."""
        return self.technology.cell_height_m

    @property
    def energy_J_per_m(self) -> Tensor:
        """Energy of one transition per metre of one wire: C V^2 / 2."""
        technology = self.technology
        load = self.c_in_F + self.c_out_F + technology.c_wire_F_per_m * self.spacing_m
        return 0.5 * load * technology.vdd_V**2 / self.spacing_m

    @property
    def leakage_W_per_m(self) -> Tensor:
        """Leakage per metre of one wire."""
        return self.leakage_W / self.spacing_m

    def delay_s_per_m(self, resistance_ohm_per_m: Tensor) -> Tensor:
        """Delay per metre on a wire of the given resistance."""
        capacitance = self.technology.c_wire_F_per_m
        gate = self.resistance_ohm * (self.c_in_F + self.c_out_F + capacitance * self.spacing_m)
        wire = _WIRE_TERM * resistance_ohm_per_m * capacitance * self.spacing_m**2
        input_load = resistance_ohm_per_m * self.spacing_m * self.c_in_F
        return _GATE_TERM * (gate + wire + input_load) / self.spacing_m

    def delay_s_for(self, length_m: Tensor) -> Tensor:
        """Delay per metre on the wire class that each length calls for.

        Args:
            length_m: ``*batch length``.
        """
        node = self.technology.node_m.unsqueeze(-1)
        resistance = self.technology.wire_resistance_ohm_per_m
        short, middle, long = (
            self.delay_s_per_m(resistance[..., i]).unsqueeze(-1) for i in range(3)
        )
        longer = torch.where(length_m >= _CLASS_LENGTHS[1] * node, long, middle)
        return torch.where(length_m >= _CLASS_LENGTHS[0] * node, longer, short)


def _repeater(technology: Technology, size: Tensor, spacing_m: Tensor) -> Repeater:
    node = technology.node_m
    width_n, width_p = 2 * node * size, 2 * node * technology.r_pn * size
    gate = gates.make_gate(technology, "inverter", 1, width_n, width_p)
    return Repeater(
        technology=technology,
        spacing_m=spacing_m,
        c_in_F=gate.c_in_F,
        c_out_F=gate.c_out_F,
        resistance_ohm=(gate.r_n_ohm + gate.r_p_ohm) / 2,
        width_m=gate.width_m,
        leakage_W=technology.vdd_V * gate.leakage_A,
    )


@once_per_technology
def fastest_repeater(technology: Technology) -> tuple[Repeater, Tensor]:
    """Return the repeater that is delay-optimal at the tabulated supply, and its integer size.

    For wires of minimum width.
    """
    one = torch.ones_like(technology.node_m)
    unit = _repeater(technology, one, one)
    resistance = technology.wire_resistance_ohm_per_m[..., 0]
    capacitance = technology.c_wire_F_per_m
    gate_ohm = unit.resistance_ohm / technology.slowness
    size = torch.floor(torch.sqrt(gate_ohm * capacitance / (unit.c_in_F * resistance))).clamp_min(
        1.0
    )
    spacing = torch.sqrt(2 * gate_ohm * (unit.c_out_F + unit.c_in_F) / (resistance * capacitance))
    return _repeater(technology, size, spacing), size


def frugal_repeater(*, design: DesignBatch) -> Repeater:
    """Return the repeater that trades ``interconnect.delay_tolerance`` of delay for energy.

    Size is halved and spacing shortened step by step until the delay has grown by the tolerance;
    the step that breaks it is kept.

    Args:
        design: ``*batch``.
    """
    return _slowed_repeater(design.technology, design.delay_tolerance)


@once_per_technology
def _slowed_repeater(technology: Technology, delay_tolerance: Tensor) -> Repeater:
    # Sizes and spacings are chosen at the tabulated supply.
    operated, technology = technology, technology.replace(vdd_V=technology.tabulated_vdd_V)
    first, size = fastest_repeater(technology)
    resistance = technology.wire_resistance_ohm_per_m[..., 0]
    limit = (1 + delay_tolerance) * first.delay_s_per_m(resistance)
    spacing, current = first.spacing_m, first
    for _ in range(_MAX_STEPS):
        going = (current.delay_s_per_m(resistance) < limit) & (size > 1)
        if not bool(going.any()):
            break
        size = torch.where(going, torch.floor(size / 2).clamp_min(1.0), size)
        spacing = torch.where(going, spacing * _SPACING_STEP, spacing)
        current = _repeater(technology, size, spacing)
    return _repeater(operated, size, spacing)


@dataclass(frozen=True, eq=False)
class HTree:
    """A tree of wires over a square of units: flight time and lengths, plus area, ``*batch``."""

    flight_s: Tensor
    energy_length_m: Tensor
    leakage_length_m: Tensor
    area_m2: Tensor


def h_tree(
    *,
    repeater: Repeater,
    units_per_side: Tensor,
    unit_height_m: Tensor,
    unit_width_m: Tensor,
    wires: Tensor,
    fold: Tensor,
) -> HTree:
    """Price an H-tree over ``2^S x 2^S`` units, S = ceil(log2(units_per_side)).

    Energy counts half of every stage but the trunk, and the wire bundle is taken to grow with
    depth, both as in DNN+NeuroSim V1.4 (docs/validation.md).

    Args:
        repeater: of all its wires.
        units_per_side: units along the longer side.
        unit_height_m: height of a unit.
        unit_width_m: width of a unit.
        wires: width of the bus.
        fold: wires are stacked this many times.
    """
    stages = torch.ceil(torch.log2(units_per_side.clamp_min(1.0)) - 1e-9)
    side = torch.exp2(stages)
    trunk = torch.floor(side / 2) * unit_width_m
    both = unit_height_m + unit_width_m
    deepest = min(int(stages.max()) if stages.numel() else 0, _MAX_STAGES)
    stage = torch.arange(deepest, dtype=torch.float64, device=side.device)
    lengths = torch.exp2(stage) * torch.where(stage < stages.unsqueeze(-1), 1.0, 0.0)
    flight = trunk * repeater.delay_s_for(unit_width_m.unsqueeze(-1)).squeeze(-1)
    for unit in (unit_height_m, unit_width_m):
        length = lengths * unit.unsqueeze(-1)
        flight = flight + (length * repeater.delay_s_for(length)).sum(-1)
    bundles = side / 2 - (stages + 1) / 2
    tracks = wires / fold
    area = (
        bundles * (repeater.width_m * unit_height_m + repeater.height_m * unit_width_m) * tracks
        + tracks * repeater.height_m * trunk
    )
    return HTree(
        flight_s=flight,
        energy_length_m=0.5 * both * (side - 1) + trunk,
        leakage_length_m=both * (side / 2 - 1).clamp_min(0.0) + trunk,
        area_m2=area,
    )
