"""What a node changes: wire pitch, bit cell, supply and gate delay.

Node names are not lengths. Capacitance follows the wire pitch, and that the published 6T bit cell:
``sqrt(a6(node) / a6(28 nm))``. Between the nodes of the table: straight in ln over ln.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import SiliconConstants, silicon_nodes


@dataclass(frozen=True, eq=False)
class NodeFactors:
    """Of each macro, ``*batch``.

    Attributes:
        bit_cell_m2: published 6T cell.
        shrink: its area over that at 28 nm.
        pitch: wire pitch over that at 28 nm.
        nominal_V: supply of the node.
        supply_V: of the macro, as the energy sees it.
        delay_s: of a gate at that supply.
    """

    bit_cell_m2: Tensor
    shrink: Tensor
    pitch: Tensor
    nominal_V: Tensor
    supply_V: Tensor
    delay_s: Tensor


def node_factors(*, macro: MacroBatch, constants: SiliconConstants) -> NodeFactors:
    """Return what the node and the supply of each macro give.

    Args:
        macro: ``*batch``.
        constants: of the silicon model.
    """
    table = silicon_nodes()
    reference = torch.tensor(table.reference_node_m, dtype=torch.float64)
    bit_cell = _between(macro.node_m, table.node_m, table.bit_cell_m2)
    shrink = bit_cell / _between(reference, table.node_m, table.bit_cell_m2)
    nominal = _between(macro.node_m, table.node_m, table.supply_V)
    said = torch.where(torch.isnan(macro.vdd_V), nominal, torch.nan_to_num(macro.vdd_V))
    core = torch.minimum(said, constants.highest_nvm_supply_V)
    supply = torch.where(macro.is_non_volatile, core, said)
    delay = gate_delay_s(macro.node_m, supply)
    return NodeFactors(bit_cell, shrink, torch.sqrt(shrink), nominal, supply, delay)


def reference_delay_s() -> Tensor:
    """Return the gate delay at 28 nm and its nominal supply, s, shape ``()``."""
    table = silicon_nodes()
    reference = torch.tensor(table.reference_node_m, dtype=torch.float64)
    return _between(reference, table.delay_node_m, table.delay_s)


def _slowness(volts: Tensor) -> Tensor:
    """Alpha-power law: supply over the power of the overdrive."""
    table = silicon_nodes()
    return volts / (volts - table.threshold_V).clamp_min(table.least_overdrive_V) ** table.alpha


def _between(x: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Interpolate ln y over ln x, ``*batch``; beyond the ends along the last piece.

    Args:
        x: ``*batch``.
        xs: of the table, ascending.
        ys: of the table.
    """
    lx, ly = torch.log(xs.to(x.device)), torch.log(ys.to(x.device))
    width = lx.diff()
    step = torch.log(x).unsqueeze(-1) - lx[:-1]
    lower, upper = torch.zeros_like(width), width.clone()
    lower[0], upper[-1] = -torch.inf, torch.inf
    return torch.exp(ly[0] + (ly.diff() / width * step.clamp(lower, upper)).sum(-1))


def bit_cell_m2(node_m: Tensor) -> Tensor:
    """Return the area of the published 6T cell of a node, m2, ``*batch``.

    Args:
        node_m: ``*batch``.
    """
    table = silicon_nodes()
    return _between(node_m, table.node_m, table.bit_cell_m2)


def gate_delay_s(node_m: Tensor, vdd_V: Tensor) -> Tensor:
    """Return the delay of a gate of a node at a supply, s, ``*batch``.

    Args:
        node_m: ``*batch``.
        vdd_V: ``*batch``.
    """
    table = silicon_nodes()
    nominal = _between(node_m, table.node_m, table.supply_V)
    fastest = torch.minimum(vdd_V, table.highest_supply * nominal)
    delay = _between(node_m, table.delay_node_m, table.delay_s)
    return delay * _slowness(fastest) / _slowness(nominal)
