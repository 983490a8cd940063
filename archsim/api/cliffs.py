"""Scan one network on one chip for totals that jump for a step of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.analysis.cliffs import (
    AXES,
    OUTPUTS,
    Scanned,
    neighbours,
    scan_outputs,
    scan_setting,
)
from archsim.api.map import DEFAULT_NETWORK, map_network
from archsim.errors import Code, ConfigError
from archsim.network import LayerGraph, from_graph
from archsim.results.cliffs import CliffScan, Jump

if TYPE_CHECKING:
    from torch import nn

#: All axes, in the order in which they are scanned.
ALL_AXES = (*AXES, OUTPUTS)
#: A last column of tiles that is filled to this share at most is worth a word.
_NEARLY_EMPTY = 0.1


def cliffs(
    network: str | nn.Module | LayerGraph = DEFAULT_NETWORK,
    *,
    axes: Sequence[str] = (),
    layers: Sequence[str] = (),
    span: int = 32,
    threshold: float = 0.1,
    design: str = "none",
    **settings: Any,
) -> CliffScan:
    """Find the steps of one at which a total jumps, and say what makes it jump.

    Args:
        network: as for :func:`archsim.api.map.map_network`.
        axes: of :data:`ALL_AXES`; none for all.
        layers: whose outputs are changed; none for the widest.
        span: outputs fewer and more that are tried.
        threshold: relative change from which a step is a jump.
        design: placement of the shared block.
        **settings: further arguments of ``map_network``.

    Raises:
        ConfigError: an unknown axis or layer, or a number out of range.
    """
    for axis in axes:
        if axis not in ALL_AXES:
            raise ConfigError.of(Code.UNKNOWN_NAME, "axis (--axis)", axis, allowed=ALL_AXES)
    if span < 1:
        raise ConfigError.of(Code.OUT_OF_RANGE, "span (--span)", span, allowed="1 or more")
    if not 0 < threshold < 1:
        raise ConfigError.of(
            Code.OUT_OF_RANGE, "threshold (--threshold)", threshold, allowed="above 0, below 1"
        )
    result = map_network(network, design=design, **settings)
    resolved, table = result.resolved, from_graph(result.graph)
    points = () if design == "none" else result.graph.insertion_points(resolved.tsb.insertion)
    for layer in layers:
        if layer not in table.names:
            raise ConfigError.of(Code.UNKNOWN_NAME, "layer (--layer)", layer, allowed=table.names)
    scanned = Scanned(resolved, design, table, tuple(points))
    widest = table.names[int(table.out_channels.argmax())]
    values: dict[str, tuple[int, ...]] = {}
    jumps: list[Jump] = []
    for axis in axes or ALL_AXES:
        if axis != OUTPUTS:
            values[axis], found = scan_setting(scanned, axis, bound=threshold)
            jumps += found
            continue
        for layer in layers or (widest,):
            priced, found = scan_outputs(scanned, layer, span=span, bound=threshold)
            values[f"{OUTPUTS} of {layer}"] = priced
            jumps += found
    return CliffScan(
        network=result.network,
        design=design,
        chip=resolved.chip.name,
        threshold=threshold,
        scanned=values,
        jumps=tuple(jumps),
        neighbours=neighbours(scanned, share=_NEARLY_EMPTY),
    )
