"""The network of a study: its module, its layer graph, and how much work an image is."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from torch import nn

from archsim.config.study import Study
from archsim.network.graph import LayerGraph
from archsim.network.load import graph_of_module, load_module
from archsim.network.own_code import check_said, is_said
from tsb.study.stored_graph import stored_graph


def module_of(study: Study) -> nn.Module:
    """Return the network of a study with initial weights, in evaluation mode.

    With :func:`tsb.cells.stored.stored_network` and :func:`graph_of` it has its weights on
    crossbars.

    Args:
        study: which.

    Raises:
        NetworkError: an unknown network or option, or code that was not said in this call.
    """
    check_said(study.network)
    return load_module(study.network, study.options)


@lru_cache(maxsize=4)
def _graph(network: str, options: str) -> LayerGraph:
    module = load_module(network, json.loads(options))
    return graph_of_module(network, module)


def graph_of(study: Study, run: Path | None = None) -> LayerGraph:
    """Return the layer graph of a study's network.

    Args:
        study: which.
        run: folder that may keep it, where the network is code that was not said in this call.

    Raises:
        NetworkError: code that was not said, and no folder that keeps its graph.
    """
    kept = None if run is None or is_said(study.network) else stored_graph(run)
    if kept is not None:
        return kept
    check_said(study.network)
    return _graph(study.network, json.dumps(study.options, sort_keys=True))


def network_macs(study: Study) -> int:
    """Return the multiply-adds of one image through a study's network.

    Args:
        study: which.
    """
    return graph_of(study).totals.macs
