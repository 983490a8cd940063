"""Stages: a chain that is known by its sizes flows as the model that it was made from."""

from __future__ import annotations

import dataclasses

from archsim.network import from_graph, load_network
from mapping.stages import BLOCK_QUEUE, stream


def test_a_chain_flows_as_its_model_does() -> None:
    table = from_graph(load_network("vgg8"))
    whole = list(range(len(table)))
    of_model = stream(table, (), whole)
    of_sizes = stream(dataclasses.replace(table, flow=None), (), whole)
    assert of_model.stages == of_sizes.stages
    # But the last map of the model is flattened: its head needs all of it, as it does here.
    assert of_model.kept == of_sizes.kept
    assert (of_model.waiting, of_sizes.waiting) == (32 * 128 + 16 * 256 + 8 * 512, 0)


def test_insertions_stand_behind_their_place_and_share_a_queue() -> None:
    graph = load_network("resnet20")
    table, points = from_graph(graph), graph.insertion_points()
    stages = stream(table, points, list(range(len(table) + len(points)))).stages
    blocks = [place for place, stage in enumerate(stages) if stage.row >= len(table)]
    assert len(blocks) == len(points)
    assert {stages[place].queue for place in blocks} == {BLOCK_QUEUE}
    first = blocks[0]
    # The first block reads the sum of the branch and the stem, and both next layers read it.
    assert [table.names[stages[source].row] for source, _ in stages[first].reads] == [
        "conv1",
        "layer1.0.conv2",
    ]
    assert [source for source, _ in stages[first + 1].reads] == [first]
