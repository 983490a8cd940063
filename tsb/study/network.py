"""The network of a study: its module, its layer graph, and how much work an image is."""

from __future__ import annotations

import json
from functools import lru_cache

from torch import nn

from archsim.config.study import Study
from archsim.network.graph import LayerGraph
from archsim.network.load import load_module, load_network


def module_of(study: Study) -> nn.Module:
    """Return the network of a study with initial weights, in evaluation mode.

    Args:
        study: which.

    Raises:
        NetworkError: an unknown network or option.
    """
    return load_module(study.network, study.options)


@lru_cache(maxsize=4)
def _graph(network: str, options: str) -> LayerGraph:
    module = load_module(network, json.loads(options))
    return load_network(module, name=network.partition(":")[2] or network)


def graph_of(study: Study) -> LayerGraph:
    """Return the layer graph of a study's network.

    Args:
        study: which.
    """
    return _graph(study.network, json.dumps(study.options, sort_keys=True))


def network_macs(study: Study) -> int:
    """Return the multiply-adds of one image through a study's network.

    Args:
        study: which.
    """
    return graph_of(study).totals.macs
