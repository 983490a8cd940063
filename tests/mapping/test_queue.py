"""The queue at the common block: who waits for which copy, and from when on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archsim.api.map import map_network, queue
from archsim.cli.app import app
from archsim.errors import ConfigError
from archsim.plan import RowStage
from archsim.results.schedule import BLOCK, Busy
from archsim.results.served import BlockQueue, Visit
from mapping.queue import _of_row
from mapping.schedule import LayerWork, simulate
from tests.refusals import refused


def test_vectors_of_a_row_are_dealt_round_by_round() -> None:
    """Ten vectors in two rows, two copies: the second row takes three rounds of 2 s from 4 s on."""
    row = Busy("tsb@a", BLOCK, 1, 2, 4.0, 10.0, ready_s=3.0)
    served = _of_row(row, vectors=10, copies=2)
    assert [(one.vector, one.copy, one.start_s, one.end_s) for one in served] == [
        (5, 0, 4, 6), (6, 1, 4, 6), (7, 0, 6, 8), (8, 1, 6, 8), (9, 0, 8, 10),
    ]  # fmt: skip
    assert {one.arrival_s for one in served} == {3.0}


def test_a_row_waits_from_when_its_own_rows_are_there() -> None:
    """Two layers of 1 s a row, in turn on one block of 2 s a row: the second's rows wait."""
    stages = [
        RowStage(0, 2, 1.0, (), queue=-1, unit=False, recurrent=False),
        RowStage(1, 2, 1.0, ((0, (1, 2)),), queue=0, unit=False, recurrent=False),
        RowStage(2, 2, 1.0, ((0, (1, 2)),), queue=0, unit=False, recurrent=False),
    ]
    work = [LayerWork("a", 2.0)]
    work += [LayerWork(name, 4.0, shared=True, is_block=True) for name in ("tsb@b", "tsb@c")]
    rows = {(row.name, row.row): row for row in simulate(stages, work).rows}
    assert [rows["tsb@b", place].ready_s for place in (0, 1)] == [1.0, 2.0]
    assert [rows["tsb@c", place].ready_s for place in (0, 1)] == [1.0, 2.0]


@pytest.fixture(scope="module")
def found() -> BlockQueue:
    return queue(map_network("lenet3", design="common", overrides={"tsb.copies": 4}))


def test_every_vector_is_served_once_and_never_before_it_is_there(found: BlockQueue) -> None:
    for visit in found.visits:
        mine = [one for one in found.served if one.insertion == visit.insertion]
        assert sorted(one.vector for one in mine) == list(range(visit.vectors))
        assert {one.copy for one in mine} == set(range(visit.copies))
        assert all(one.arrival_s <= one.start_s < one.end_s for one in mine)
    assert max(one.end_s for one in found.served) <= found.latency_s
    assert 0 < found.busy_share <= 1


def test_what_takes_longest_is_named() -> None:
    def limit(**times_s: float) -> str:
        parts = {"read_s": 1.0, "buffer_s": 1.0, "wires_s": 1.0, **times_s}
        visit = Visit("tsb@a", 1, 1, serve_s=4.0, **parts, mean_wait_s=0.0, longest_wait_s=0.0)
        return BlockQueue((visit,), (), slots=False, latency_s=8.0).limit

    assert "50 %" in limit(read_s=2.0)
    assert "tsb.copies" in limit(read_s=2.0)
    assert "tile_banks" in limit(buffer_s=2.0)
    assert "max_width" in limit(wires_s=2.0)


def test_the_file_holds_what_the_queue_has(tmp_path: Path, found: BlockQueue) -> None:
    for name in ("queue.csv", "queue.json"):
        arguments = ["map", "lenet3", "--design", "common", "--set", "tsb.copies=4"]
        run = CliRunner().invoke(app, [*arguments, "--queue", str(tmp_path / name)])
        assert run.exit_code == 0, run.output
        assert "Queue at the common block" in run.output
    with (tmp_path / "queue.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(found.served)
    data = json.loads((tmp_path / "queue.json").read_text(encoding="utf-8"))
    assert data == json.loads(json.dumps(found.to_dict()))


def test_without_a_common_block_there_is_no_queue() -> None:
    with refused(ConfigError, code="conflict", field="design", value="separate"):
        queue(map_network("lenet3", design="separate"))
