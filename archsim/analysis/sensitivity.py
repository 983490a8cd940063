"""Which parameter moves what: elasticities of the totals, from autograd.

The elasticity d ln(metric) / d ln(parameter) says by how many per cent a metric changes when a
parameter grows by one per cent. Continuous parameters are differentiated in one backward pass per
metric; whole numbers (rows, bits, ...) are stepped to their next value and the difference of logs
is taken. Counts such as folds, fingers and copies are constant between their jumps, so a derivative
is that of the smooth piece around the design.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from archsim.arch.design import MAX_LAST_LAYERS, DesignBatch
from archsim.arch.technology import Technology
from archsim.cost.engine import evaluate
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.sensitivity import Elasticity
from mapping.compile import compile_plan

#: Cost and plan of designs.
Priced = tuple[CostBreakdown, MappingPlan]

#: Next value of a whole-number parameter: these double, all others grow by one.
_DOUBLING = frozenset(
    {
        "rows",
        "cols",
        "mux_ratio",
        "bits_per_cell",
        "speed_up_degree",
        "copies",
        "linear_copies",
        "tsb_channels",
        "tsb_copies",
        "parallel_subarrays",
        "global_core_bit",
        "global_line_bit",
        "tile_core_bit",
        "tile_line_bit",
    }
)
#: Largest value of parameters that end somewhere: these are stepped down from there.
_LARGEST = {"last_layers": MAX_LAST_LAYERS, "rewritten_layers": MAX_LAST_LAYERS}


def sensitivities(
    *, design: DesignBatch, table: LayerTable, points: Sequence[InsertionPoint] = ()
) -> tuple[Elasticity, ...]:
    """Return the elasticities of every parameter that is not zero, largest effect first.

    That is the effect on the first metric of ``Place.SENSITIVITY``, the EDP.

    Args:
        design: shape ``()``.
        table: the network's layers.
        points: insertion points of the shared block.
    """

    def priced(changed: DesignBatch) -> Priced:
        plan = compile_plan(design=changed, table=table, points=points, merge_alike=True)
        return evaluate(design=changed, plan=plan), plan

    elasticities = _continuous(design, priced) + _stepped(design, priced)
    first = shown_in(Place.SENSITIVITY)[0].stem
    return tuple(sorted(elasticities, key=lambda entry: -abs(entry.values.get(first) or 0.0)))


def _continuous(design: DesignBatch, priced: Callable[[DesignBatch], Priced]) -> list[Elasticity]:
    """Elasticities of continuous parameters and technology constants, by autograd."""
    leaves: dict[str, Tensor] = {}
    fields: dict[str, Tensor] = {}
    constants: dict[str, Tensor] = {}
    for name, parameter in DesignBatch.parameters().items():
        if parameter.kind == "continuous":
            fields[name] = getattr(design, name).detach().clone().requires_grad_()
            leaves[parameter.path] = fields[name]
    for entry in dataclasses.fields(Technology):
        value = getattr(design.technology, entry.name)
        if value.dtype == torch.float64 and not entry.name.endswith("_fins"):
            constants[entry.name] = value.detach().clone().requires_grad_()
            leaves[f"technology.{entry.name}"] = constants[entry.name]
    # The read voltage is the technology's unless the chip sets its own.
    if torch.equal(design.v_read_V, design.technology.v_read_V):
        fields["v_read_V"] = constants["v_read_V"]
        del leaves["chip.read.voltage"]
    technology = dataclasses.replace(design.technology, **constants)
    cost, plan = priced(design.replace(technology=technology, **fields))
    values: dict[str, dict[str, float]] = {path: {} for path in leaves}
    for metric in shown_in(Place.SENSITIVITY):
        target = metric.in_si(cost, plan)
        gradients = torch.autograd.grad(
            target, list(leaves.values()), retain_graph=True, allow_unused=True
        )
        for (path, leaf), gradient in zip(leaves.items(), gradients, strict=True):
            if gradient is not None:
                scaled = (gradient * leaf.detach()).sum() / target.detach()
                values[path][metric.stem] = float(scaled)
    return [
        Elasticity(path, "continuous", float(leaf.detach().flatten()[0]), None, values[path])
        for path, leaf in leaves.items()
        if bool((leaf.detach() != 0).any()) and any(values[path].values())
    ]


def _next(name: str, value: float) -> float:
    """One step from a whole number, upwards if it can."""
    if value >= _LARGEST.get(name, math.inf):
        return value - 1
    return 2 * value if name in _DOUBLING else value + 1


def _stepped(design: DesignBatch, priced: Callable[[DesignBatch], Priced]) -> list[Elasticity]:
    """Elasticities of whole-number parameters from one step, all steps as one batch."""
    names = [
        name for name, parameter in DesignBatch.parameters().items() if parameter.kind == "integer"
    ]
    now = [float(getattr(design, name)) for name in names]
    after = [_next(name, value) for name, value in zip(names, now, strict=True)]
    # Row 0 is the design itself; row i steps the i-th parameter.
    batch = design
    for index, (name, value) in enumerate(zip(names, after, strict=True)):
        column = torch.full((len(names) + 1,), now[index], dtype=torch.float64)
        column[index + 1] = value
        batch = batch.replace(**{name: column})
    with torch.no_grad():
        cost, plan = priced(batch)
        totals = {
            metric.stem: metric.in_si(cost, plan).tolist() for metric in shown_in(Place.SENSITIVITY)
        }
        feasible = cost.feasible.tolist()
    elasticities = []
    for index, name in enumerate(names):
        if not feasible[index + 1] or now[index] <= 0:
            continue
        ratio = math.log(after[index] / now[index])
        values = {stem: math.log(row[index + 1] / row[0]) / ratio for stem, row in totals.items()}
        if any(values.values()):
            path = DesignBatch.parameters()[name].path
            elasticities.append(Elasticity(path, "integer", now[index], after[index], values))
    return elasticities
