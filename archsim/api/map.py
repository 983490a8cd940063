"""Map one network onto one chip and price it.

A network becomes a layer graph, the compiler maps it onto crossbars and places the shared block,
and the cost engine prices that plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from archsim.analysis import limits as found_limits
from archsim.analysis import sensitivity, silicon_interval, uncertainty
from archsim.analysis.copies import settle
from archsim.analysis.soundness import refuse_unsound
from archsim.arch.design import DesignBatch
from archsim.config.overrides import Overrides, as_overrides
from archsim.config.resolve import DEFAULT_CHIP, Resolved, resolve, tsb_preset_for
from archsim.config.rules import check
from archsim.cost.engine import evaluate
from archsim.errors import Code, ConfigError
from archsim.network import LayerGraph, LayerTable, from_graph, load_network
from archsim.network.inputs import Dtypes, Shapes
from archsim.network.insertion import InsertionPoint
from archsim.results.limits import Limit
from archsim.results.mapped import MapResult
from archsim.results.sensitivity import Elasticity, Interval
from archsim.results.silicon_interval import SiliconInterval
from archsim.util.checks import seed_of
from mapping.compile import compile_plan

if TYPE_CHECKING:
    from torch import nn

    from archsim.plan import Placement
    from archsim.results.schedule import Schedule
    from archsim.results.served import BlockQueue
#: Network used when none is named.
DEFAULT_NETWORK = "vgg8"


def map_network(
    network: str | nn.Module | LayerGraph = DEFAULT_NETWORK,
    *,
    design: str = "none",
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str | None = None,
    overrides: Overrides = (),
    input_shape: Shapes | None = None,
    input_dtype: Dtypes | None = None,
    batch_axis: int | None = None,
    **options: Any,
) -> MapResult:
    """Map one network onto one chip and price it.

    Args:
        network: zoo name, ``timm:NAME``, ``package.module:function``, module or an already traced
            graph.
        design: placement of the shared block: none, common or separate.
        chip: chip preset or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: shared-block preset or YAML path; by default the paper's for this network.
        overrides: settings by path, ``{"chip.adc.bits": 6}``, or texts ``chip.adc.bits=6``, one or
            a list.
        input_shape: (channels, height, width) where the network does not say, or shapes by name.
        input_dtype: number format of the input, e.g. ``int64`` for token numbers, or by name.
        batch_axis: where the batch axis of the input lies, 1 for a module that takes time first.
        **options: passed to the network's factory.

    Raises:
        ArchsimError: bad input, with what is allowed.
    """
    graph = graph_of(network, input_shape, input_dtype, options, batch_axis)
    resolved = resolve(
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb or tsb_preset_for(graph.name),
        overrides=as_overrides(overrides),
    )
    return map_resolved(graph, resolved, design)


def placement(result: MapResult) -> Placement:
    """Place every subarray of a mapped network on the chip."""
    from mapping.place import place

    design = DesignBatch.from_resolved(result.resolved, result.design)
    return place(design=design, plan=result.plan)


def schedule(result: MapResult) -> Schedule:
    """Follow one image row by row: when each layer works, by an event simulation.

    Without ``chip.timing.overlap=rows`` the layers follow one another. It is the chip's own time:
    what crosses its border comes before and after, with ``off_chip`` of the cost's times.
    """
    from mapping.schedule import LayerWork, in_turn, simulate

    plan, cost = result.plan, result.cost
    unit = cost.layer_times_s["digital_unit"]
    work = [
        LayerWork(
            name,
            own_s=float(cost.layer_latency_s[index] - unit[index]),
            unit_s=float(unit[index]),
            depth=result.resolved.tsb.depth if kind == "tsb" else 1,
            shared=bool(plan.layers.shared[index] > 0),
            is_block=kind == "tsb",
        )
        for index, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True))
    ]
    overlaps = result.resolved.chip.timing.overlap == "rows"
    return simulate(plan.stages, work) if overlaps else in_turn(work)


def queue(result: MapResult) -> BlockQueue:
    """Follow the vectors of one image through the common shared block.

    Args:
        result: of :func:`map_network`, feasible.

    Raises:
        ConfigError: there is no common block.
    """
    if not bool((result.plan.layers.shared > 0).any()):
        raise ConfigError.of(
            Code.CONFLICT,
            "design",
            result.design,
            problem="there is no common block to wait for",
            allowed="common, of a network with insertion points",
        )
    from mapping.queue import block_queue

    return block_queue(schedule(result), result.plan, result.cost)


def sensitivities(result: MapResult) -> tuple[Elasticity, ...]:
    """Return how strongly each parameter moves EDP, energy, latency, period and area."""
    design = DesignBatch.from_resolved(result.resolved, result.design)
    table, points = _matrices(result.graph, result.resolved, result.design)
    return sensitivity.sensitivities(design=design, table=table, points=points)


def intervals(result: MapResult, *, samples: int = 500, seed: int = 0) -> tuple[Interval, ...]:
    """Return intervals of the totals from the uncertainty of the constants.

    Args:
        result: of :func:`map_network`.
        samples: draws.
        seed: of the draws, 0 to 2^32 - 1.

    Raises:
        ConfigError: a seed out of range.
    """
    table, points = _matrices(result.graph, result.resolved, result.design)
    return uncertainty.intervals(
        resolved=result.resolved,
        design=result.design,
        table=table,
        points=points,
        samples=samples,
        generator=torch.Generator().manual_seed(seed_of(seed)),
    )


def silicon_intervals(result: MapResult) -> tuple[SiliconInterval, ...]:
    """Return energy, latency, area and TOPS/mm2 with the intervals that hold published chips.

    Empty for ``chip.cost_model=neurosim``, which is not calibrated on published chips.
    """
    table, points = _matrices(result.graph, result.resolved, result.design)
    return silicon_interval.silicon_intervals(
        resolved=result.resolved, design=result.design, table=table, points=points
    )


def limits(result: MapResult) -> tuple[Limit, ...]:
    """Return what limits latency, energy and area of a feasible result, and what to change."""
    table, points = _matrices(result.graph, result.resolved, result.design)
    return found_limits.limits(result=result, table=table, points=points)


def _matrices(
    graph: LayerGraph, resolved: Resolved, design: str
) -> tuple[LayerTable, tuple[InsertionPoint, ...]]:
    """Layers, and the places of the shared block under a design."""
    points = () if design == "none" else graph.insertion_points(resolved.tsb.insertion)
    return from_graph(graph), points


def graph_of(
    network: str | nn.Module | LayerGraph,
    input_shape: Shapes | None,
    input_dtype: Dtypes | None,
    options: dict[str, Any],
    batch_axis: int | None = None,
) -> LayerGraph:
    """Return the layer graph of a network in any of the forms of :func:`map_network`."""
    if isinstance(network, LayerGraph):
        return network
    return load_network(
        network,
        input_shape=input_shape,
        input_dtype=input_dtype,
        batch_axis=batch_axis,
        **options,
    )


def map_resolved(graph: LayerGraph, resolved: Resolved, design: str) -> MapResult:
    """Compile a graph for a chip that is resolved already, and price the plan.

    Args:
        graph: of the network.
        resolved: the chip.
        design: placement of the shared block.

    Raises:
        ArchsimError: as :func:`map_network`.
    """
    table, points = _matrices(graph, resolved, design)
    check(resolved, network=graph.name, layers=len(table))
    asked = resolved.tsb.copies
    resolved = settle(resolved, design, table, points)
    batch = DesignBatch.from_resolved(resolved, design)
    plan = compile_plan(design=batch, table=table, points=points)
    cost = evaluate(design=batch, plan=plan)
    refuse_unsound(cost, resolved=resolved, design=design, table=table, points=points)
    return MapResult(graph.name, design, graph, resolved, plan, cost, copies_asked=asked)
