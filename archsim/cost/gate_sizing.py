"""Device widths: of a gate that fills its cell, of a pass gate, and for a wanted resistance."""

from __future__ import annotations

import torch
from torch import Tensor

from archsim.arch.technology import Technology
from archsim.cost.gates import (
    NOMINAL_HEIGHT,
    PLANAR_GAP_AND_EDGE,
    WIDTH_SLACK,
    Gate,
    GateKind,
    fins,
    make_gate,
)


def enlarge(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the largest device widths that keep the footprint of the given gate.

    Planar cells grow until they fill the height (20.9 F shared in proportion); FinFET cells grow
    by whole fins, which only inverters and two-input NORs can do (fins in ``configs/technology``).
    """
    node = technology.node_m
    usable = (NOMINAL_HEIGHT - PLANAR_GAP_AND_EDGE) * node
    share_p = width_p_m / (width_n_m + width_p_m)
    limit_n, limit_p = usable * (1 - share_p), usable * share_p
    grows = (width_n_m < limit_n) & (width_p_m < limit_p)
    planar_n = torch.where(grows, limit_n, width_n_m)
    planar_p = torch.where(grows, limit_p, width_p_m)
    count = torch.as_tensor(inputs, dtype=torch.float64)
    like_inverter = torch.as_tensor(kind == "inverter") | (
        torch.as_tensor(kind == "nor") & (count == 1)
    )
    like_nor2 = torch.as_tensor(kind == "nor") & (count == 2) & (width_p_m > width_n_m)
    whole = [width_n_m, width_p_m]
    for axis in (0, 1):
        inverter = technology.enlarged_inverter_fins[..., axis] * 2 * node
        nor2 = technology.enlarged_nor2_fins[..., axis] * 2 * node
        whole[axis] = torch.where(
            like_inverter, inverter, torch.where(like_nor2, nor2, whole[axis])
        )
    return (
        torch.where(technology.is_finfet, whole[0], planar_n),
        torch.where(technology.is_finfet, whole[1], planar_p),
    )


def enlarged_gate(
    technology: Technology,
    kind: GateKind,
    inputs: Tensor | int,
    width_n_m: Tensor,
    width_p_m: Tensor,
) -> Gate:
    """Lay out the footprint-filling version of a gate; leakage and size follow the new widths."""
    width_n_m, width_p_m = enlarge(technology, kind, inputs, width_n_m, width_p_m)
    return make_gate(technology, kind, inputs, width_n_m, width_p_m)


def pass_gate_height_m(
    technology: Technology, width_n_m: Tensor, width_p_m: Tensor, fingers: Tensor
) -> Tensor:
    """Return the height of a transmission gate laid out in ``fingers`` fingers, m."""
    node = technology.node_m
    planar = (width_n_m + width_p_m) / fingers + PLANAR_GAP_AND_EDGE * node
    tall: Tensor | float = (technology.pn_gap + 2 * technology.fin_edge) * node
    for width in (width_n_m, width_p_m):
        per_finger = torch.ceil(fins(technology, width) / fingers - WIDTH_SLACK)
        tall = tall + (per_finger - 1) * technology.fin_pitch_m + technology.w_fin_m
    return torch.where(technology.is_finfet, torch.as_tensor(tall), planar)


def sized_width_m(technology: Technology, unit_resistance_ohm: Tensor, target: Tensor) -> Tensor:
    """Return the width, at least minimum, of a device ``target`` ohm strong.

    Args:
        technology: node.
        unit_resistance_ohm: raw resistance of the unit device (F planar, one fin FinFET).
        target: wanted resistance of the single device, ohm.
    """
    width = technology.node_m * (unit_resistance_ohm / target).clamp_min(1.0)
    whole = 2 * technology.node_m * torch.ceil(width / technology.node_m - WIDTH_SLACK)
    return torch.where(technology.is_finfet, whole, width)


def unit_width_m(technology: Technology) -> Tensor:
    """Return the width of the unit device: F planar, one fin (2F) FinFET."""
    return technology.node_m * torch.where(technology.is_finfet, 2.0, 1.0)
