"""Batches in chunks and threads, and merged layers, give what single designs give."""

import pytest
import torch

from archsim.analysis.totals import evaluate_totals
from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.engine import evaluate
from archsim.network import from_graph, load_network
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from mapping.compile import compile_plan


@pytest.fixture(scope="module")
def network():
    graph = load_network("resnet20")
    return from_graph(graph), graph.insertion_points()


@pytest.fixture(scope="module")
def batch():
    base = DesignBatch.from_resolved(resolve(), "separate")
    count = 37
    generator = torch.Generator().manual_seed(3)

    def pick(*values):
        index = torch.randint(len(values), (count,), generator=generator)
        return torch.tensor(values, dtype=torch.float64)[index]

    return base.replace(
        rows=pick(32, 64, 96, 128, 256),
        cols=pick(64, 128, 256),
        mux_ratio=pick(4, 8, 16),
        bits_per_cell=pick(1, 2, 4),
        adc_bits=pick(3, 5, 7),
        adc_kind=torch.randint(3, (count,), generator=generator),
        placement=torch.randint(3, (count,), generator=generator),
        tsb_channels=pick(8, 16, 48),
    )


def test_chunks_and_threads_change_nothing(network, batch):
    table, points = network
    whole = evaluate_totals(design=batch, table=table, points=points, chunk=1000)
    small = evaluate_totals(design=batch, table=table, points=points, chunk=5, threads=2)
    assert set(whole) == {"feasible", *(metric.column for metric in shown_in(Place.SWEEP))}
    for name in whole:
        assert torch.equal(whole[name], small[name]), name


def test_rows_equal_single_designs_without_merging(network, batch):
    table, points = network
    totals = evaluate_totals(design=batch, table=table, points=points)
    for index in range(0, 37, 6):
        one = batch.index(index)
        with torch.no_grad():
            plan = compile_plan(design=one, table=table, points=points)
            cost = evaluate(design=one, plan=plan)
        expected = {metric.column: metric.in_column(cost, plan) for metric in shown_in(Place.SWEEP)}
        expected["feasible"] = cost.feasible
        for name, values in totals.items():
            wanted = pytest.approx(float(expected[name]), rel=1e-12, abs=0)
            assert float(values[index]) == wanted, name
