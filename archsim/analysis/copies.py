"""``tsb.copies=auto``: the copies of a shared block that make an objective as small as it can be.

Numbers are tried from one copy upwards, ``fill`` and (for separate blocks) the policy of backbone
layers beside them. What adds more area than ``tsb.most_area`` of the chip with one copy of each
block, or cannot be built, is out. Of equal ones the first counts, the one with the fewest copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.analysis.tile_size import settle_tile, with_tiles
from archsim.arch.design import AUTO, FILL, LIKE_BACKBONE, DesignBatch
from archsim.config.resolve import Resolved
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.metrics import metric_of
from mapping.compile import compile_plan

#: Copies tried; the cost between neighbours moves by less than the step.
TRIED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
#: A number has to be better than fewer copies by this much to be taken, relative.
_LEAST_GAIN = 1e-3


@dataclass(frozen=True)
class Aim:
    """What ``auto`` means: the stem of a metric, and the share of area that copies may add."""

    objective: str = "edp"
    most_area: float = 0.1

    @classmethod
    def of(cls, resolved: Resolved) -> Aim:
        """Read it from a configuration."""
        return cls(resolved.tsb.objective, resolved.tsb.most_area)


def is_open(design: DesignBatch) -> bool:
    """Say whether some design leaves its number of copies to be found."""
    return bool((design.tsb_copies == AUTO).any())


def _one_copy(design: DesignBatch) -> DesignBatch:
    """Tiles are sized with one copy where the number is to be found, on these tiles."""
    copies = design.tsb_copies
    return design.replace(tsb_copies=torch.where(copies == AUTO, 1.0, copies))


def settled(
    *,
    design: DesignBatch,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
    aim: Aim,
) -> DesignBatch:
    """Return designs with a number of copies, or ``fill``, in place of ``auto``.

    Each candidate is one evaluation of the whole batch; without ``auto`` nothing is evaluated.

    Args:
        design: ``*batch``.
        table: the network's layers.
        points: where the shared block goes.
        aim: objective and bound.
    """
    design = with_tiles(design=_one_copy(design), table=table, points=points).replace(
        tsb_copies=design.tsb_copies
    )
    if not is_open(design):
        return design
    metric = metric_of(aim.objective)
    if metric is None:  # pragma: no cover - the schema names metrics
        raise AssertionError(aim.objective)
    asked = design.tsb_copies
    best_value: Tensor | None = None
    chosen = torch.ones_like(asked)
    first_area: Tensor = torch.zeros(())
    for number in (*map(float, TRIED[:1]), LIKE_BACKBONE, *map(float, TRIED[1:]), FILL):
        copies = torch.where(asked == AUTO, number, asked)
        with torch.no_grad():
            tried = design.replace(tsb_copies=copies)
            plan = compile_plan(design=tried, table=table, points=points, merge_alike=True)
            cost = evaluate(design=tried, plan=plan)
        value = metric.in_si(cost, plan)
        if best_value is None:
            best_value, first_area = value, cost.area_m2
            chosen = chosen.expand(value.shape).clone()
            continue
        fits = cost.area_m2 <= first_area * (1 + aim.most_area + 1e-9)
        better = cost.feasible & fits & (value < best_value * (1 - _LEAST_GAIN))
        best_value = torch.where(better, value, best_value)
        chosen = torch.where(better, number, chosen)
    return design.replace(tsb_copies=torch.where(asked == AUTO, chosen, asked))


def settle(
    resolved: Resolved,
    placement: str,
    table: LayerTable,
    points: Sequence[InsertionPoint],
) -> Resolved:
    """Return a configuration whose ``tsb.copies`` is what ``auto`` finds; itself without ``auto``.

    Args:
        resolved: one configuration.
        placement: of the shared block; without one there is nothing to find.
        table: the network's layers.
        points: where the shared block goes.
    """
    resolved = settle_tile(resolved, placement, table, points)
    if resolved.tsb.copies != "auto":
        return resolved
    design = DesignBatch.from_resolved(resolved, placement)
    found: int | str | None = 1
    if placement != "none":
        number = float(
            settled(design=design, table=table, points=points, aim=Aim.of(resolved)).tsb_copies
        )
        found = {FILL: "fill", LIKE_BACKBONE: None}.get(number, round(number))
    tsb = resolved.tsb.model_copy(update={"copies": found})
    return resolved.model_copy(update={"tsb": tsb})
