"""Map several networks under several placements of the shared block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archsim.config.choices import PLACEMENTS
from archsim.config.load import Setting
from archsim.config.overrides import as_names, as_overrides
from archsim.network import LayerGraph
from archsim.results.compared import CompareResult

if TYPE_CHECKING:
    from torch import nn

from archsim.api.map import graph_of, map_network

#: Networks of the TSB paper, in the form in which its Table 1 was simulated.
PAPER_NETWORKS = ("lenet3", "vgg8", "resnet18-cifar-nodown")


def compare(
    networks: str
    | nn.Module
    | LayerGraph
    | Sequence[str | nn.Module | LayerGraph] = PAPER_NETWORKS,
    *,
    designs: str | Sequence[str] = PLACEMENTS,
    copies: Sequence[int | str | None] = (),
    **settings: Any,
) -> CompareResult:
    """Map several networks under several placements of the shared block.

    Args:
        networks: as ``network`` of :func:`map_network`, one or several.
        designs: placements, one or several; ``none`` is the base that ratios refer to.
        copies: values of ``tsb.copies`` to compare, each with every placement that has a block;
            empty for what the configuration says.
        **settings: further arguments of :func:`map_network`.
    """
    results = []
    names = ("input_shape", "input_dtype", "batch_axis")
    shape, dtype, axis = (settings.pop(name, None) for name in names)
    for network in _listed(networks):
        graph = graph_of(network, shape, dtype, {}, axis)
        results += [
            map_network(graph, design=design, **chosen)
            for design in as_names(designs)
            for chosen in _with_copies(settings, copies if design != PLACEMENTS[0] else ())
        ]
    return CompareResult(tuple(results))


def _with_copies(
    settings: dict[str, Any], copies: Sequence[int | str | None]
) -> list[dict[str, Any]]:
    """Return the settings with each number of copies; as they are where none is given."""
    overrides = as_overrides(settings.get("overrides", ()))
    chosen = [{**settings, "overrides": [*overrides, Setting("tsb.copies", n)]} for n in copies]
    return chosen or [settings]


def _listed(
    networks: str | nn.Module | LayerGraph | Sequence[str | nn.Module | LayerGraph],
) -> Sequence[str | nn.Module | LayerGraph]:
    """One network may stand alone; a module that is a sequence of layers is one network."""
    return networks if isinstance(networks, list | tuple) else (networks,)
