"""What limits latency, energy and area of a mapped network, and what to change.

The largest part of each total is named, and the one setting of :mod:`archsim.analysis.levers` that
takes most off it. Of settings whose product of area, energy and latency does not grow the best
counts; of the others only where there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from archsim.analysis.levers import Tried, priced
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.results.cost import CostBreakdown
from archsim.results.limits import Advice, Limit
from archsim.results.mapped import MapResult

#: The totals, in the order in which they are said.
TOTALS: dict[str, Callable[[CostBreakdown], Tensor]] = {
    "latency": lambda cost: cost.latency_s,
    "energy": lambda cost: cost.energy_J,
    "area": lambda cost: cost.area_m2,
}
#: A change smaller than this is not worth a word, relative.
_WORTH = 0.01
#: All visits to a shared block.
_BLOCK = "the shared block"


def limits(
    *, result: MapResult, table: LayerTable, points: Sequence[InsertionPoint] = ()
) -> tuple[Limit, ...]:
    """Return what limits latency, energy and area.

    Args:
        result: feasible.
        table: the network's layers.
        points: where the shared block goes.
    """
    cost = result.cost
    changes, others = priced(result.resolved, result.design, table, points)
    count = len(changes) + 1
    totals = {name: get(others).expand(count).tolist() for name, get in TOTALS.items()}
    feasible = others.feasible.expand(count).tolist()
    ratios = [
        {name: values[place] / values[0] for name, values in totals.items()}
        for place in range(1, count)
    ]
    kept = [
        (change, ratio)
        for change, ratio, good in zip(changes, ratios, feasible[1:], strict=True)
        if good
    ]
    leakage = {"leakage": cost.leakage_energy_J}
    parts: dict[str, tuple[Mapping[str, Tensor], Tensor | None]] = {
        "latency": (cost.times_s, cost.layer_latency_s),
        "energy": ({**cost.energies_J, **leakage}, cost.layer_energy_J),
        "area": (cost.areas_m2, None),
    }
    return tuple(_limit(result, name, *parts[name], _best(name, kept)) for name in TOTALS)


def _limit(
    result: MapResult,
    total: str,
    components: Mapping[str, Tensor],
    layers: Tensor | None,
    advice: Advice | None,
) -> Limit:
    """Name the largest parts of one total."""
    component, share = _largest({name: float(value) for name, value in components.items()})
    if layers is None:
        return Limit(total, component, share, None, 0.0, advice)
    plan = result.plan
    sums: dict[str, float] = {}
    for index, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True)):
        shared = kind == "tsb" and result.design == "common"
        place = _BLOCK if shared else name
        sums[place] = sums.get(place, 0.0) + float(layers[index])
    return Limit(total, component, share, *_largest(sums), advice)


def _largest(parts: Mapping[str, float]) -> tuple[str, float]:
    """Name the largest part, with its share of all."""
    name = max(parts, key=lambda each: parts[each])
    return name, parts[name] / sum(parts.values())


def _best(total: str, kept: Sequence[tuple[Tried, Mapping[str, float]]]) -> Advice | None:
    """Find the setting that takes most off a total, first among those that cost no more."""
    worth = [entry for entry in kept if entry[1][total] < 1 - _WORTH]
    if not worth:
        return None

    def product(ratio: Mapping[str, float]) -> float:
        return ratio["latency"] * ratio["energy"] * ratio["area"]

    fair = [entry for entry in worth if product(entry[1]) <= 1]
    change, ratio = min(fair or worth, key=lambda entry: entry[1][total])
    beside = {
        name: value - 1
        for name, value in ratio.items()
        if name != total and abs(value - 1) >= _WORTH
    }
    return Advice(change.path, change.value, ratio[total] - 1, beside)
