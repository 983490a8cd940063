"""``hierarchy.tile=auto``: the tile that makes area x energy x latency as small as it can be.

Sides are tried from the rule of DNN+NeuroSim (``search``) and then from small to large; of equal
ones the first counts. Each candidate is one evaluation of the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from archsim.arch.design import TILE_AUTO, TILE_SEARCH, DesignBatch
from archsim.config.resolve import Resolved
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from mapping.compile import compile_plan

#: Arrays along a side of a tile that are tried: even, as a tile has two PEs along each side.
TRIED = (2, 4, 6, 8, 10, 12, 16, 20, 24, 32)
#: A side has to be better than those before by this much to be taken, relative.
_LEAST_GAIN = 1e-6


def with_tiles(
    *, design: DesignBatch, table: LayerTable, points: Sequence[InsertionPoint] = ()
) -> DesignBatch:
    """Return designs with a tile size in place of ``auto``; themselves without it.

    Args:
        design: ``*batch``.
        table: the network's layers.
        points: where the shared block goes.
    """
    asked = design.tile_arrays
    is_auto = asked == TILE_AUTO
    if not bool(is_auto.any()):
        return design
    best: Tensor | None = None
    chosen = torch.full_like(asked, TILE_SEARCH)
    for number in (TILE_SEARCH, *map(float, TRIED)):
        tried = design.replace(tile_arrays=torch.where(is_auto, number, asked))
        with torch.no_grad():
            plan = compile_plan(design=tried, table=table, points=points, merge_alike=True)
            cost = evaluate(design=tried, plan=plan)
        value = cost.area_m2 * cost.energy_J * cost.latency_s
        value = torch.where(cost.feasible, value, torch.inf)
        if best is None:
            best, chosen = value, chosen.expand(value.shape).clone()
            continue
        better = value < best * (1 - _LEAST_GAIN)
        best = torch.where(better, value, best)
        chosen = torch.where(better, number, chosen)
    return design.replace(tile_arrays=torch.where(is_auto, chosen, asked))


def settle_tile(
    resolved: Resolved,
    placement: str,
    table: LayerTable,
    points: Sequence[InsertionPoint],
) -> Resolved:
    """Return a configuration whose ``hierarchy.tile`` is what ``auto`` finds; itself without.

    Args:
        resolved: one configuration.
        placement: of the shared block.
        table: the network's layers.
        points: where the shared block goes.
    """
    if resolved.chip.hierarchy.tile != "auto":
        return resolved
    design = DesignBatch.from_resolved(resolved, placement)
    if resolved.tsb.copies == "auto":  # found afterwards, on this tile
        design = design.replace(tsb_copies=1.0)
    number = round(float(with_tiles(design=design, table=table, points=points).tile_arrays))
    tile = number if number > 0 else "search"
    hierarchy = resolved.chip.hierarchy.model_copy(update={"tile": tile})
    chip = resolved.chip.model_copy(update={"hierarchy": hierarchy})
    return resolved.model_copy(update={"chip": chip})
