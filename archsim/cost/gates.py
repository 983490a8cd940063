"""Closed forms of CMOS gates: size, capacitance, resistance, leakage and delay.

Layout and capacitance rules follow CACTI/NVSim style standard cells (Dong et al., NVSim, TCAD 2012,
doi:10.1109/TCAD.2012.2185930), as used by DNN+NeuroSim V1.4; planar and FinFET forms live side by
side and are selected per design. Widths are electrical gate widths in metres, a FinFET width of 2F
being one fin. Everything broadcasts over ``*batch``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from archsim.arch.technology import Technology
from archsim.cost.block import either

#: Layout height, in F, on which the geometry rules are calibrated (28 F standard cell).
NOMINAL_HEIGHT = 28.0
#: Height lost to well edges (two times 1.8 F) and to the p-to-n gap (3.5 F) of a planar cell.
EDGE_LOSS = 3.6
PLANAR_GAP_AND_EDGE = 7.1
#: Drawn source or drain length of a planar device, in F.
PLANAR_DIFFUSION = 2.8
#: Share of leaking states: NAND and NOR with two inputs, then with any other number.
NAND_LEAKAGE = (0.48, 0.31)
NOR_LEAKAGE = (0.95, 0.62)
#: Relative slack for widths that exactly fill their cell: they fit.
WIDTH_SLACK = 1e-9

GateKind = Literal["inverter", "nand", "nor"]


def fins(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the number of fins of a device ``width_m`` wide (one per started 2F)."""
    return torch.ceil(width_m / (2 * technology.node_m) - WIDTH_SLACK)


def electrical_width_m(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the current-carrying width: the drawn width, or fins times effective fin width."""
    return either(
        technology.is_finfet,
        lambda: fins(technology, width_m) * technology.w_fin_effective_m,
        lambda: width_m,
    )


def resistance_n_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the effective on-resistance of an n device for delays: m Vdd / (Ion w)."""
    return technology.resistance_factor * driving_n_ohm(technology, width_m)


def resistance_p_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the effective on-resistance of a p device for delays: m Vdd / (Ion w)."""
    return technology.resistance_factor * driving_p_ohm(technology, width_m)


def driving_n_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the saturation resistance Vdd / (Ion w) of an n device at the supply."""
    return raw_resistance_n_ohm(technology, width_m) * technology.slowness


def driving_p_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the saturation resistance Vdd / (Ion w) of a p device at the supply."""
    return raw_resistance_p_ohm(technology, width_m) * technology.slowness


def raw_resistance_n_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the resistance of an n device at the tabulated supply, for which gates are sized."""
    current = technology.i_on_n_A_per_m * electrical_width_m(technology, width_m)
    return technology.tabulated_vdd_V / current


def raw_resistance_p_ohm(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the resistance of a p device at the tabulated supply, for which gates are sized."""
    current = technology.i_on_p_A_per_m * electrical_width_m(technology, width_m)
    return technology.tabulated_vdd_V / current


def gate_capacitance_F(technology: Technology, width_m: Tensor) -> Tensor:
    """Return the gate capacitance of a device ``width_m`` wide."""
    return either(
        technology.is_finfet,
        lambda: fins(technology, width_m) * technology.c_fin_F,
        lambda: technology.c_gate_F_per_m * width_m,
    )


@dataclass(frozen=True, eq=False)
class _Side:
    """One polarity of a gate as laid out: folds, their height and whether it exists."""

    folds: Tensor
    folded: Tensor
    finger_m: Tensor
    present: Tensor

    def where(self, condition: Tensor, other: _Side) -> _Side:
        """Choose per design between this side and another."""
        return _Side(
            *(
                torch.where(condition, getattr(self, name), getattr(other, name))
                for name in self.__dataclass_fields__
            )
        )


def _sides(
    technology: Technology, width_n_m: Tensor, width_p_m: Tensor, height_m: Tensor
) -> tuple[_Side, _Side]:
    """Fold the n and p devices into a cell of ``height_m``."""
    share_p = width_p_m / (width_n_m + width_p_m)
    both = (width_n_m > 0) & (width_p_m > 0)

    def planar() -> _Sides:
        limit_n, limit_p = _planar_limits_m(technology, share_p, both, height_m)
        return _Sides(_fold_planar(width_n_m, limit_n), _fold_planar(width_p_m, limit_p))

    def finfet() -> _Sides:
        limit_n, limit_p = _fin_limits(technology, share_p, both, height_m)
        return _Sides(
            _fold_fins(technology, width_n_m, limit_n), _fold_fins(technology, width_p_m, limit_p)
        )

    sides = either(technology.is_finfet, finfet, planar)
    return sides.n, sides.p


@dataclass(frozen=True, eq=False)
class _Sides:
    """Both polarities of a gate."""

    n: _Side
    p: _Side

    def where(self, condition: Tensor, other: _Sides) -> _Sides:
        """Choose per design between these sides and others."""
        return _Sides(self.n.where(condition, other.n), self.p.where(condition, other.p))


def _planar_limits_m(
    technology: Technology, share_p: Tensor, both: Tensor, height_m: Tensor
) -> tuple[Tensor, Tensor]:
    """Tallest n and p finger: the height left after gap and edges, shared in proportion."""
    node = technology.node_m
    usable = torch.where(both, height_m - PLANAR_GAP_AND_EDGE * node, height_m - EDGE_LOSS * node)
    limit_p = usable * torch.where(both, share_p, 1.0)
    limit_n = usable * torch.where(both, 1 - share_p, 1.0)
    return limit_n, limit_p


def _fin_limits(
    technology: Technology, share_p: Tensor, both: Tensor, height_m: Tensor
) -> tuple[Tensor, Tensor]:
    """Most fins of an n and of a p finger: a whole number of fin tracks."""
    node = technology.node_m
    at_nominal = (height_m / node - NOMINAL_HEIGHT).abs() < 1e-6 * NOMINAL_HEIGHT
    tracks = (
        height_m * technology.cell_height / NOMINAL_HEIGHT
        - (technology.pn_gap + technology.fin_edge) * node
        + technology.fin_pitch_m
    ) / (2 * (technology.w_fin_m + technology.fin_pitch_m).clamp_min(1e-12))
    base = torch.where(at_nominal, technology.max_fins, torch.floor(tracks + WIDTH_SLACK))
    slots = 2 * base
    small_p = torch.floor(slots * share_p + WIDTH_SLACK)
    small_n = torch.floor(slots * (1 - share_p) + WIDTH_SLACK)
    fins_n = torch.where(share_p > 0.5, small_n, slots - small_p)
    fins_p = slots - fins_n
    fins_n, fins_p = (
        torch.where(fins_p < 1, slots - 1, fins_n.clamp_min(1.0)),
        torch.where(fins_n < 1, slots - 1, fins_p.clamp_min(1.0)),
    )
    return torch.where(both, fins_n, slots), torch.where(both, fins_p, slots)


def _fold_planar(width_m: Tensor, limit_m: Tensor) -> _Side:
    """Fold one planar device into fingers no taller than the limit."""
    fits = width_m <= limit_m * (1 + WIDTH_SLACK)
    folds = torch.ceil(width_m / limit_m.clamp_min(1e-30) - WIDTH_SLACK)
    finger = torch.where(fits, width_m, limit_m)
    return _Side(torch.where(fits, 1.0, folds), ~fits, finger, width_m > 0)


def _fold_fins(technology: Technology, width_m: Tensor, limit_fins: Tensor) -> _Side:
    """Fold one FinFET into fingers of no more fins than the limit."""
    count = fins(technology, width_m)
    fits = count <= limit_fins
    folds = torch.floor(count / limit_fins.clamp_min(1.0) + WIDTH_SLACK)
    finger = torch.where(fits, count, limit_fins) * technology.w_fin_m
    return _Side(torch.where(fits, 1.0, folds), ~fits, finger, width_m > 0)


def _odd_extra(folds: Tensor) -> Tensor:
    """1 for an even number of fingers (two outer edges on the drain side), else 0."""
    return 1.0 - torch.remainder(folds, 2.0)


@dataclass(frozen=True, eq=False)
class Gate:
    """A static CMOS gate as laid out in a cell row.

    ``width_m`` footprint; ``c_in_n_F``/``c_in_p_F`` gate capacitance of one n and one p device;
    ``c_out_F`` drain capacitance at the output; ``r_n_ohm``/``r_p_ohm`` on-resistance of one
    device; ``leakage_A`` state-averaged off-current.
    """

    width_m: Tensor
    width_n_m: Tensor
    width_p_m: Tensor
    c_in_n_F: Tensor
    c_in_p_F: Tensor
    c_out_F: Tensor
    r_n_ohm: Tensor
    r_p_ohm: Tensor
    leakage_A: Tensor

    @property
    def c_in_F(self) -> Tensor:
        """Input capacitance."""
        return self.c_in_n_F + self.c_in_p_F


def footprint_m(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
    height_m: Tensor,
) -> Tensor:
    """Return the layout width of a gate folded into ``height_m``, m."""
    side_n, side_p = _sides(technology, width_n_m, width_p_m, height_m)
    region = torch.maximum((side_n.folds + 1) * side_n.present, (side_p.folds + 1) * side_p.present)
    pitch = technology.pitch_m
    if kind == "inverter":
        return region * pitch
    return torch.where(side_n.folded | side_p.folded, inputs * region, inputs + 1.0) * pitch


def drain_capacitance_F(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
    height_m: Tensor,
) -> Tensor:
    """Return the output capacitance of a gate folded into ``height_m``, F."""
    side_n, side_p = _sides(technology, width_n_m, width_p_m, height_m)
    any_folded = side_n.folded | side_p.folded
    total: Tensor | float = 0.0
    for side, parallel in ((side_n, kind == "nor"), (side_p, kind == "nand")):
        if kind == "inverter":
            area, sidewall = _inverter_diffusion(technology, side, side_p.folds)
        else:
            area, sidewall = _stack_diffusion(technology, side, inputs, any_folded, parallel)
        junction = area * side.finger_m * technology.c_junction_area_F_per_m2
        edge = sidewall * technology.c_junction_side_F_per_m
        channel = side.folds * side.finger_m * technology.c_junction_channel_F_per_m
        total = total + torch.where(side.present, junction + edge + channel, 0.0)
    return torch.as_tensor(total)


def _diffusion_m(technology: Technology) -> Tensor:
    """Length of one source or drain region, m."""
    return either(
        technology.is_finfet,
        lambda: (technology.gate_pitch - technology.gate_length) * technology.node_m,
        lambda: PLANAR_DIFFUSION * technology.node_m,
    )


def _drain_source_m(technology: Technology, side: _Side) -> tuple[Tensor, Tensor]:
    """Total drain and source length over the fingers of a device, m."""
    unit = _diffusion_m(technology)
    drain = torch.where(side.folded, torch.ceil((side.folds + 1) / 2), 1.0) * unit
    source = torch.where(side.folded, torch.floor((side.folds + 1) / 2), 1.0) * unit
    return drain, source


def _inverter_diffusion(
    technology: Technology, side: _Side, folds_p: Tensor
) -> tuple[Tensor, Tensor]:
    """Drain length and sidewall of one side of an inverter (the p folds shape both sidewalls)."""
    drain, _ = _drain_source_m(technology, side)
    return drain, 2 * drain + side.finger_m * (1 + _odd_extra(folds_p))


def _stack_diffusion(
    technology: Technology,
    side: _Side,
    inputs: Tensor | int,
    any_folded: Tensor,
    parallel: bool,
) -> tuple[Tensor, Tensor]:
    """Drain length and sidewall of the parallel or the series side of a many-input gate."""
    count = torch.as_tensor(inputs, dtype=torch.float64)
    drain, source = _drain_source_m(technology, side)
    height, extra = side.finger_m, _odd_extra(side.folds)
    if parallel:
        flat = drain * torch.floor((count + 1) / 2)
        flat_side = 2 * flat + height * (1 - _odd_extra(count))
        fold = count * drain
        fold_side = 2 * fold + count * height * (1 + extra)
    else:
        flat = count * drain
        flat_side = 2 * flat + height
        fold = count * drain + (count - 1) * source
        fold_side = 2 * fold + count * height * (1 + extra) + (count - 1) * height * (1 - extra)
    return torch.where(any_folded, fold, flat), torch.where(any_folded, fold_side, flat_side)


def leakage_A(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
) -> Tensor:
    """Return the state-averaged off-current of a gate, A."""
    i_n = electrical_width_m(technology, width_n_m) * technology.leakage_n_A_per_m
    i_p = electrical_width_m(technology, width_p_m) * technology.leakage_p_A_per_m
    if kind == "inverter":
        return (i_n + i_p) / 2
    count = torch.as_tensor(inputs, dtype=torch.float64)
    two, other = NAND_LEAKAGE if kind == "nand" else NOR_LEAKAGE
    # One argument is a tensor: from two numbers torch.where makes single precision.
    factor = torch.where(count == 2, torch.full_like(count, two), other)
    return factor * count * (i_p if kind == "nand" else i_n)


def make_gate(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
    height_m: Tensor | None = None,
) -> Gate:
    """Lay out a gate: footprint in the nominal cell, drain capacitance in the real one.

    Args:
        technology: node.
        kind: inverter, nand or nor.
        inputs: number of inputs (ignored for an inverter).
        width_n_m: width of one n device.
        width_p_m: width of one p device.
        height_m: cell height; ``None`` for the standard cell.
    """
    nominal = NOMINAL_HEIGHT * technology.node_m if height_m is None else height_m
    real = technology.cell_height_m if height_m is None else height_m
    return Gate(
        width_m=footprint_m(technology, kind, inputs, width_n_m, width_p_m, nominal),
        width_n_m=width_n_m,
        width_p_m=width_p_m,
        c_in_n_F=gate_capacitance_F(technology, width_n_m),
        c_in_p_F=gate_capacitance_F(technology, width_p_m),
        c_out_F=drain_capacitance_F(technology, kind, inputs, width_n_m, width_p_m, real),
        r_n_ohm=resistance_n_ohm(technology, width_n_m),
        r_p_ohm=resistance_p_ohm(technology, width_p_m),
        leakage_A=leakage_A(technology, kind, inputs, width_n_m, width_p_m),
    )


_LN2 = math.log(2.0)


def stage_delay_s(tau_s: Tensor, previous_s: Tensor | float = 0.0) -> Tensor:
    """Return the delay of a stage of time constant ``tau_s`` driven by a stage ``previous_s`` slow.

    Horowitz's slope law with threshold Vdd/2: sqrt((ln 2 tau)^2 + tau t_previous)
    (M. Horowitz, Stanford 1983).
    """
    return torch.sqrt((_LN2 * tau_s) ** 2 + tau_s * previous_s)


def chain_delay_s(*taus_s: Tensor) -> tuple[Tensor, ...]:
    """Return the delay of each stage of a chain that starts with a step."""
    delays: list[Tensor] = []
    for tau in taus_s:
        delays.append(stage_delay_s(tau, delays[-1] if delays else 0.0))
    return tuple(delays)


def parallel_ohm(first: Tensor, second: Tensor) -> Tensor:
    """Return two resistances in parallel."""
    return 1 / (1 / first + 1 / second)
