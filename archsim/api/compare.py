"""Map several networks under several placements of the shared block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.config.choices import PLACEMENTS
from archsim.network import LayerGraph
from archsim.results.compared import CompareResult

if TYPE_CHECKING:
    from torch import nn

from archsim.api.map import graph_of, map_network

#: Networks of the TSB paper, in the form in which its Table 1 was simulated.
PAPER_NETWORKS = ("lenet3", "vgg8", "resnet18-cifar-nodown")


def compare(
    networks: Sequence[str | nn.Module | LayerGraph] = PAPER_NETWORKS,
    *,
    designs: Sequence[str] = PLACEMENTS,
    **settings: Any,
) -> CompareResult:
    """Map several networks under several placements of the shared block.

    Args:
        networks: as ``network`` of :func:`map_network`.
        designs: placements; ``none`` is the base that ratios refer to.
        **settings: further arguments of :func:`map_network`.
    """
    results = []
    names = ("input_shape", "input_dtype", "batch_axis")
    shape, dtype, axis = (settings.pop(name, None) for name in names)
    for network in networks:
        graph = graph_of(network, shape, dtype, {}, axis)
        results += [map_network(graph, design=design, **settings) for design in designs]
    return CompareResult(tuple(results))
