"""Graphs of the built-in networks, shipped as data.

They are traced from the zoo by ``python -m archsim.network.kept.write_shipped``, and carry the hash
of the source that they follow from. Where it is another one, the network is traced: a changed zoo
is never read from an old file, and a test says that the files are old.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from archsim.network import zoo
from archsim.network.graph import LayerGraph
from archsim.network.kept.graph_data import from_data
from archsim.network.kept.versions import zoo_source

#: Where they are.
FOLDER = Path(zoo.__file__).with_name("graphs")
#: File that says what the others follow from.
SOURCE = "source.txt"


def shipped_graph(name: str) -> LayerGraph | None:
    """Return the graph of a built-in network with its default options.

    Args:
        name: of the registry.

    Returns:
        None where there is no file that fits this version.
    """
    return _graph(name) if is_fresh() else None


@lru_cache(maxsize=1)
def is_fresh() -> bool:
    """Say whether the files follow from the source that is there."""
    try:
        said = (FOLDER / SOURCE).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return said == zoo_source()


@lru_cache(maxsize=32)
def _graph(name: str) -> LayerGraph | None:
    try:
        return from_data(json.loads((FOLDER / f"{name}.json").read_bytes()))
    except Exception:  # noqa: BLE001 - a damaged installation: the network can still be traced
        return None


def renamed(graph: LayerGraph, name: str | None) -> LayerGraph:
    """Return a graph with the name that a user gave.

    Args:
        graph: of any network.
        name: None for its own.
    """
    return graph if name in (None, graph.name) else replace(graph, name=str(name))
