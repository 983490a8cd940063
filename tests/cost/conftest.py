"""Networks and designs of the cost tests, and one thread.

Small batches run on one thread: two that share a core wait for each other far longer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.network import from_graph, load_network
from tests.cost.random_designs import Network, any_design
from tests.designs import Conv, make_table, points_after


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def small_net() -> Network:
    layers = (
        Conv(10, 3, 12, kernel=3, padding=1, pool=True),
        Conv(5, 12, 40, kernel=3, stride=2, padding=1),
        Conv(3, 40, 40, kernel=3, padding=1),
        Conv(3, 40, 20),
        Conv(1, 180, 10),
    )
    return make_table(*layers), points_after(*layers)


@pytest.fixture(scope="package")
def paper_nets() -> dict[str, Network]:
    graphs = {name: load_network(name) for name in ("lenet3", "vgg8", "resnet20")}
    return {name: (from_graph(graph), graph.insertion_points()) for name, graph in graphs.items()}


@pytest.fixture(scope="package")
def mixed() -> list[DesignBatch]:
    pick = random.Random(7)
    return [any_design(pick) for _ in range(24)]
