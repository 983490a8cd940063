"""A scan for cliffs: totals that jump for a step of one in rows, columns, bits or outputs.

What a chip leaves to be found (``auto``) is found once, for the network as it is, and then held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archsim.analysis.cliff_reasons import Built, explain
from archsim.arch.design import DesignBatch
from archsim.arch.rules import broken, table_of
from archsim.config.resolve import Resolved
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.plan import MappingPlan
from archsim.results.cliffs import Jump, Neighbour
from archsim.results.cost import CostBreakdown
from mapping.compile import compile_plan

#: Totals that are looked at; products of them (EDP) would name every step twice.
TOTALS: dict[str, Callable[[CostBreakdown], Tensor]] = {
    "area": lambda cost: cost.area_m2,
    "dynamic energy": lambda cost: cost.dynamic_energy_J,
    "leakage power": lambda cost: cost.leakage_power_W,
    "latency": lambda cost: cost.latency_s,
    "period": lambda cost: cost.period_s,
    "write pulses": lambda cost: cost.programming.write_pulses,
}
#: The axis that changes the network: outputs of one layer.
OUTPUTS = "outputs"


@dataclass(frozen=True)
class CountedSetting:
    """A setting that is counted: its path and the least and most that are scanned."""

    path: str
    least: int
    most: int
    per_mux: bool = False


AXES: dict[str, CountedSetting] = {
    "rows": CountedSetting("chip.crossbar.rows", 32, 256),
    "cols": CountedSetting("chip.crossbar.cols", 32, 256, per_mux=True),
    "adc_bits": CountedSetting("chip.adc.bits", 3, 10),
    "input_bits": CountedSetting("chip.precision.input_bits", 1, 16),
    "weight_bits": CountedSetting("chip.precision.weight_bits", 1, 16),
    "cell_bits": CountedSetting("chip.precision.bits_per_cell", 1, 8),
}


@dataclass(frozen=True, eq=False)
class Scanned:
    """One network on one chip, with all that is left to be found settled."""

    resolved: Resolved
    placement: str
    table: LayerTable
    points: tuple[InsertionPoint, ...]


def scan_setting(
    scanned: Scanned, name: str, *, bound: float
) -> tuple[tuple[int, ...], tuple[Jump, ...]]:
    """Scan one of :data:`AXES` over all values that the rules allow.

    Args:
        scanned: network and chip.
        name: of the axis.
        bound: relative change from which a step is a jump.

    Returns:
        The values that were priced, and the jumps between neighbours.
    """
    axis = AXES[name]
    step = scanned.resolved.chip.crossbar.mux_ratio if axis.per_mux else 1
    first = -(-axis.least // step) * step
    values = torch.arange(first, axis.most + 1, step, dtype=torch.float64)
    settings = table_of(scanned.resolved, scanned.placement).written({axis.path: values})
    padded = "chip.precision.pad_top_slice"
    if name in ("weight_bits", "cell_bits"):  # a weight may end within a cell
        settings = settings.written({padded: torch.tensor(True)})
    legal = torch.ones_like(values, dtype=torch.bool)
    for mask in broken(settings, layers=len(scanned.table)).values():
        legal &= ~mask
    whole = DesignBatch.from_resolved(scanned.resolved, scanned.placement)
    design = whole.updated(settings, [axis.path]).index(legal)
    kept = [round(value) for value in values[legal].tolist()]
    with torch.no_grad():
        plan = compile_plan(design=design, table=scanned.table, points=scanned.points)
        cost = evaluate(design=design, plan=plan)

    def built(place: int) -> Built:
        one = design.index(place)
        return Built(one, compile_plan(design=one, table=scanned.table, points=scanned.points))

    totals = {key: get(cost).expand(len(kept)) for key, get in TOTALS.items()}
    return tuple(kept), tuple(_jumps(name, kept, step, totals, built, bound))


def scan_outputs(
    scanned: Scanned, layer: str, *, span: int, bound: float
) -> tuple[tuple[int, ...], tuple[Jump, ...]]:
    """Scan the outputs of one layer, its inputs and all other layers as they are.

    Args:
        scanned: network and chip.
        layer: its name.
        span: how many outputs fewer and more are tried; grouped layers go by whole groups.
        bound: relative change from which a step is a jump.
    """
    table, index = scanned.table, scanned.table.names.index(layer)
    groups, outputs = round(float(table.groups[index])), round(float(table.out_channels[index]))
    least, most = max(groups, outputs - span * groups), outputs + span * groups
    values = list(range(least, most + 1, groups))
    design = DesignBatch.from_resolved(scanned.resolved, scanned.placement)
    plans: list[MappingPlan] = []
    costs: list[CostBreakdown] = []
    for value in values:
        channels = table.out_channels.clone()
        channels[index] = value
        changed = dataclasses.replace(table, out_channels=channels)
        with torch.no_grad():
            plans.append(compile_plan(design=design, table=changed, points=scanned.points))
            costs.append(evaluate(design=design, plan=plans[-1]))
    totals = {
        key: torch.stack([get(cost).reshape(()) for cost in costs]) for key, get in TOTALS.items()
    }
    name = f"{OUTPUTS} of {layer}"
    jumps = _jumps(name, values, groups, totals, lambda place: Built(design, plans[place]), bound)
    return tuple(values), tuple(jumps)


def _jumps(
    name: str,
    values: Sequence[int],
    step: int,
    totals: dict[str, Tensor],
    built: Callable[[int], Built],
    bound: float,
) -> Iterator[Jump]:
    """Steps between neighbours at which a total changes by more than the bound."""
    steps = {key: total[1:] / total[:-1] - 1 for key, total in totals.items()}
    for place in range(len(values) - 1):
        if values[place + 1] - values[place] != step:
            continue
        changes = {
            key: float(change[place])
            for key, change in steps.items()
            if abs(float(change[place])) > bound
        }
        if not changes:
            continue
        before, after = values[place], values[place + 1]
        kind, reason = explain(
            built(place),
            built(place + 1),
            axis=name,
            values=(before, after),
            largest=max(abs(change) for change in changes.values()),
            bound=bound,
        )
        yield Jump(name, before, after, changes, kind, reason)


def neighbours(scanned: Scanned, *, share: float) -> tuple[Neighbour, ...]:
    """Return the layers whose last column of tiles holds at most a share of what it could.

    Args:
        scanned: network and chip.
        share: of the columns of a tile.
    """
    design = DesignBatch.from_resolved(scanned.resolved, scanned.placement)
    plan = compile_plan(design=design, table=scanned.table, points=scanned.points)
    floor, per_weight = plan.floorplan, float(design.columns_per_weight)
    found = []
    for index, name in enumerate(scanned.table.names):
        side = float(floor.kernel_side if bool(plan.is_kernel[index]) else floor.tile_side)
        columns = float(plan.layers.columns[index])
        across = float(plan.tile_cols[index])
        last = columns - (across - 1) * side
        fewer = -int(-last // per_weight)
        tiles = round(float(plan.tiles[index]) / across)
        outputs = round(float(plan.layers.weights_wide[index]))
        if across > 1 and last <= share * side and fewer < outputs:
            found.append(Neighbour(name, outputs, fewer, tiles))
    return tuple(found)
