"""Which setting makes totals of a design infinite, no number, or zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.arch.technology import Technology
from archsim.config.resolve import Resolved, resolve
from archsim.cost.engine import evaluate
from archsim.cost.soundness import SOUND
from archsim.errors import Code, ConfigError, Problem
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan


def refuse_unsound(
    cost: CostBreakdown,
    *,
    resolved: Resolved,
    design: str,
    table: LayerTable,
    points: Sequence[InsertionPoint] = (),
) -> None:
    """Refuse a design that could be built if its totals were finite and positive.

    Args:
        cost: of the design, shape ``()``.
        resolved: its configuration.
        design: placement of the shared block.
        table: the network's layers.
        points: insertion points of the shared block.

    Raises:
        ConfigError: with the settings that make them what they are, where each does so alone.
    """
    broken = [each.name for each in cost.constraints if bool(each.violated)]
    if broken != [SOUND]:
        return
    blamed = _to_blame(resolved, design, table, points)
    wrong = _wrong(cost)
    if not blamed:
        said = f"{wrong}: no finite positive number"
        more = ", and no single setting is to blame; set back those that are unusual"
        raise ConfigError(said + more, code=Code.NOT_FINITE, field=wrong.partition(",")[0])
    raise ConfigError.joined(
        Problem(
            f"{path} = {value}: makes {wrong} no finite positive number; allowed: e.g. {usual}",
            Code.NOT_FINITE,
            path,
            value,
            f"e.g. {usual}",
        )
        for path, value, usual in blamed
    )


def _wrong(cost: CostBreakdown) -> str:
    """Totals, or parts of them, that are not what they should be."""
    totals = {
        "area": cost.area_m2,
        "dynamic energy": cost.dynamic_energy_J,
        "latency": cost.latency_s,
        "period": cost.period_s,
        "clock": cost.clock_s,
    }
    parts = {
        "leakage energy": cost.leakage_energy_J,
        "programming time": cost.programming.time_s,
        "programming energy": cost.programming.energy_J,
        **{f"area of {name}": value for name, value in cost.areas_m2.items()},
        **{f"energy of {name}": value for name, value in cost.energies_J.items()},
        **{f"time of {name}": value for name, value in cost.times_s.items()},
    }
    found = [name for name, value in totals.items() if not 0 < float(value) < math.inf]
    found = found or [name for name, value in parts.items() if not 0 <= float(value) < math.inf]
    return ", ".join(found or ["the totals"])


def _to_blame(
    resolved: Resolved, design: str, table: LayerTable, points: Sequence[InsertionPoint]
) -> list[tuple[str, object, object]]:
    """Settings that differ from the default chip's, and alone make the difference.

    Each with its value and the default, SI. One row of a batch sets back one of them.
    """
    own = DesignBatch.from_resolved(resolved, design)
    usual = DesignBatch.from_resolved(resolve(), design)
    found: list[tuple[str, str, bool]] = []
    for name, parameter in DesignBatch.parameters().items():
        if parameter.is_number and not torch.equal(getattr(own, name), getattr(usual, name)):
            found.append((name, parameter.path, False))
    for name in Technology.constant_names():
        mine, other = getattr(own.technology, name), getattr(usual.technology, name)
        if not torch.equal(mine, other):
            found.append((name, f"technology.{Technology.key_of(name)}", True))
    if not found:
        return []
    fields: dict[str, Tensor] = {}
    constants: dict[str, Tensor] = {}
    for row, (name, _, is_constant) in enumerate(found):
        source, default = (own.technology, usual.technology) if is_constant else (own, usual)
        value = getattr(source, name)
        column = value.expand(len(found), *value.shape).clone()
        column[row] = getattr(default, name)
        (constants if is_constant else fields)[name] = column
    batch = own.replace(technology=own.technology.replace(**constants), **fields)
    with torch.no_grad():
        plan = compile_plan(design=batch, table=table, points=points, merge_alike=True)
        constraints = evaluate(design=batch, plan=plan).constraints
    broken = next(each.violated for each in constraints if each.name == SOUND)
    mended = ~broken.expand(len(found))
    return [
        (
            path,
            getattr(own.technology if is_constant else own, name).tolist(),
            getattr(usual.technology if is_constant else usual, name).tolist(),
        )
        for (name, path, is_constant), good in zip(found, mended.tolist(), strict=True)
        if good
    ]
