"""Where ``archsim program`` puts a network: what writing needs of the plan of ``archsim map``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from archsim.analysis.copies import settle
from archsim.arch.design import DesignBatch
from archsim.config.encodings import weight_encoding
from archsim.config.resolve import Resolved
from archsim.config.rules import check
from archsim.cost.off_chip import chips
from archsim.cost.verify_read import verify_read
from archsim.device import CellSpec
from archsim.errors import Code, NetworkError
from archsim.network import from_graph
from archsim.plan import MappingPlan
from mapping.compile import compile_plan
from tsb.cells.programmable import Programmable
from tsb.cells.stored import layer_names
from tsb.program.network import WritePlan


def write_plan(
    network: Programmable, *, resolved: Resolved, design: str, spec: CellSpec
) -> WritePlan:
    """Map a network and return what its programming needs of the plan.

    A network that cannot be traced is unrolled (im2col) onto one chip, and the result says why.

    Args:
        network: with its matrices.
        resolved: chip, device and shared block.
        design: placement of the shared block.
        spec: how the chip holds weights.

    Raises:
        NetworkError: a network that cannot be traced, with a shared block or on several chips.
        ConfigError: an array too narrow for one weight in this encoding.
    """
    several = resolved.chip.off_chip.when_full == "multi-chip"
    needed = several or design != "none"
    stored = _stored(resolved, spec)
    check(stored)
    batch = DesignBatch.from_resolved(stored, design)
    read = verify_read(design=batch)
    circuit = WritePlan(
        drivers=int(batch.write_drivers),
        row_read_s=float(read.row_s),
        cell_read_J=float(read.cell_J),
        cells_at_once=int(batch.cells_at_once),
    )
    if not (needed or resolved.chip.hierarchy.kernel_per_pe):
        return circuit
    graph = network.graph
    if graph is None:
        if needed:
            raise NetworkError(network.untraced, code=Code.UNSUPPORTED, field="network")
        return replace(circuit, untraced=network.untraced)
    points = () if design == "none" else graph.insertion_points(resolved.tsb.insertion)
    table = from_graph(graph)
    batch = DesignBatch.from_resolved(settle(stored, design, table, points), design)
    plan = compile_plan(design=batch, table=table, points=points)
    return replace(
        circuit,
        blocks=_blocks(plan),
        chips=int(chips(design=batch, plan=plan)) if several else 1,
        kernel_layers=_kernel_layers(plan, layer_names(network.model) or {}),
    )


def _stored(resolved: Resolved, spec: CellSpec) -> Resolved:
    """Return the configuration whose weights take the columns of the encoding that is written."""
    encoding = weight_encoding(spec.encoding).stored_as
    precision = resolved.chip.precision.model_copy(update={"encoding": encoding})
    chip = resolved.chip.model_copy(update={"precision": precision})
    return resolved.model_copy(update={"chip": chip})


def _kernel_layers(plan: MappingPlan, layer_of: Mapping[str, str]) -> frozenset[str]:
    """Name the weights whose kernel pixels have PEs of their own."""
    placed = zip(plan.names, plan.is_kernel.tolist(), strict=True)
    kernels = {name for name, is_kernel in placed if is_kernel}
    return frozenset(weight for weight, layer in layer_of.items() if layer in kernels)


def _blocks(plan: MappingPlan) -> int:
    """Shared blocks on the chip, with the copies that are planned (``tsb.copies``).

    Copies that come of a policy for all layers are not counted, as those of other layers are not.
    """
    layers = plan.layers
    each = torch.where(layers.wanted > 0, plan.blocks, 1.0)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    is_there = is_tsb & (layers.owned > 0)
    return round(float(torch.where(is_there, layers.instances * each, 0.0).sum()))
