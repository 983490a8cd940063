"""Overlap of layers row by row: the closed form against an event simulation, and its laws."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from archsim.arch.design import OVERLAPS, DesignBatch
from archsim.cost.engine import evaluate
from archsim.cost.overlap import LayerTimes, image_latency_s
from archsim.network import from_graph, load_network
from archsim.network.flow import Lines, window_needs
from archsim.plan import MappingPlan, RowStage
from mapping.compile import compile_plan
from mapping.schedule import LayerWork, simulate
from tests.designs import make_design, near, price

ROWS = "chip.timing.overlap=rows"


def stage(row: int, rows: int, *reads: tuple[int, Sequence[int]], queue: int = -1) -> RowStage:
    return RowStage(row, rows, 1.0, tuple((s, tuple(n)) for s, n in reads), queue, False, False)


def latency_s(plan: MappingPlan, design: DesignBatch, own: Tensor, unit: Tensor) -> float:
    work = LayerTimes(own_s=own, unit_s=unit)
    least = torch.zeros((), dtype=torch.float64)
    return float(image_latency_s(design=design, plan=plan, work=work, least_s=least))


def simulated_s(plan: MappingPlan, own: Tensor, unit: Tensor, depth: int) -> float:
    work = [
        LayerWork(
            name,
            float(own[index]),
            float(unit[index]),
            depth if kind == "tsb" else 1,
            shared=bool(plan.layers.shared[index] > 0),
            is_block=kind == "tsb",
        )
        for index, (name, kind) in enumerate(zip(plan.names, plan.kinds, strict=True))
    ]
    return simulate(plan.stages, work).latency_s


# --- by hand --------------------------------------------------------------------------------------


def test_three_layers_by_hand() -> None:
    """4 rows of 1 s; a 3 x 3 kernel with padding needs 2, 3, 4, 4 of them; pooling by 2, 2 rows."""
    first, kernel = stage(0, 4), stage(1, 4, (0, (2, 3, 4, 4)))
    last = stage(2, 2, (1, (2, 4)))
    work = [LayerWork("a", 4.0), LayerWork("b", 8.0), LayerWork("c", 2.0)]
    # b begins at 2 s and has rows at 4, 6, 8, 10; c its first from 6 to 7, its last from 10 to 11.
    done = simulate([first, kernel, last], work)
    assert done.latency_s == 11.0
    assert [(row.name, row.start_s) for row in done.rows if row.name != "a"] == [
        ("b", 2.0), ("b", 4.0), ("c", 6.0), ("b", 6.0), ("b", 8.0), ("c", 10.0),
    ]  # fmt: skip


def test_a_branch_waits_for_the_longer_path() -> None:
    """A shortcut and two layers of 3 rows meet: the sum waits for the later."""
    one_each = (1, 2, 3)
    stages = [stage(0, 3), stage(1, 3, (0, one_each)), stage(2, 3, (0, one_each), (1, one_each))]
    work = [LayerWork("a", 3.0), LayerWork("b", 6.0), LayerWork("sum", 3.0)]
    assert simulate(stages, work).latency_s == 8.0


def test_a_deep_block_that_nobody_reads_to_the_end_counts_too() -> None:
    """A block of two layers on 2 rows of 1 s each; the head reads the first row alone."""
    stages = [stage(0, 2), stage(1, 1, (0, (1,)))]
    work = [LayerWork("block", 4.0, depth=2, is_block=True), LayerWork("head", 0.5)]
    # Rows leave the first crossbar at 1 and 2 s, the second at 2 and 3 s; the head is done at 2.5.
    assert simulate(stages, work).latency_s == 3.0


def test_a_common_block_serves_whole_maps_in_turn_or_in_slots() -> None:
    """Two layers of 2 rows; blocks of 2 s each: in turn the second waits, slots take 4 s each."""
    stages = [
        stage(0, 2), stage(1, 2, (0, (1, 2)), queue=9),
        stage(2, 2, (1, (1, 2))), stage(3, 2, (2, (1, 2)), queue=9),
    ]  # fmt: skip
    work = [
        LayerWork(n, t, shared=n.startswith("t"), is_block=n.startswith("t"))
        for n, t in (("a", 2.0), ("t1", 2.0), ("b", 2.0), ("t2", 2.0))
    ]
    # a: 1 s; t1: 2 to 3 s done; t2 begins at 3 s, has row 1 at 4 s, row 2 at 5 s.
    done = simulate(stages, work)
    assert done.latency_s == 5.0
    assert not done.slots


def test_window_needs() -> None:
    def needs(kernel: int, stride: int, padding: int, rows: int) -> list[int]:
        window = {"kernel": kernel, "stride": stride, "padding": padding}
        return window_needs(own=Lines(rows), source=Lines(8), **window).tolist()

    assert needs(3, 1, 1, 8) == [2, 3, 4, 5, 6, 7, 8, 8]
    assert needs(3, 2, 1, 4) == [2, 4, 6, 8]
    assert needs(2, 2, 0, 4) == [2, 4, 6, 8]
    assert needs(8, 1, 0, 1) == [8]


# --- closed form and simulation -------------------------------------------------------------------


class _Net(nn.Module):
    """Blocks of convolutions with strides, poolings and shortcuts, then a head."""

    def __init__(self, blocks: Sequence[tuple[int, int, bool, bool]]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList()
        self.kinds = blocks
        for kernel, stride, short, _ in blocks:
            branch = nn.Sequential(
                nn.Conv2d(4, 4, kernel, stride, kernel // 2), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1)
            )
            skip = nn.Conv2d(4, 4, 1, stride) if stride > 1 else nn.Identity()
            self.blocks.append(nn.ModuleList([branch, skip if short else nn.Identity()]))
        self.head = nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for (branch, skip), (_, _, short, pools) in zip(self.blocks, self.kinds, strict=True):
            x = branch(x) + skip(x) if short else branch(x)
            x = torch.relu(x)
            if pools and x.shape[-1] >= 4:
                x = nn.functional.max_pool2d(x, 2)
        return self.head(x.flatten(1))


_blocks = st.lists(
    st.tuples(st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]), st.booleans(), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(
    blocks=_blocks,
    size=st.integers(8, 20),
    placement=st.sampled_from(["none", "common", "separate"]),
    depth=st.sampled_from([1, 2]),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_the_closed_form_is_the_simulation(
    blocks: list[tuple[int, int, bool, bool]],
    size: int,
    placement: str,
    depth: int,
    data: st.DataObject,
) -> None:
    """Chains, strides, poolings and shortcuts, with any times: the same latency; and its bounds."""
    model = _Net(blocks)
    model(torch.zeros(1, 3, size, size))
    graph = load_network(model, input_shape=(3, size, size))
    design = make_design(ROWS, f"tsb.depth={depth}", design=placement)
    points = () if placement == "none" else graph.insertion_points("convolution")
    plan = compile_plan(design=design, table=from_graph(graph), points=points)
    seconds = st.floats(0.01, 10.0)
    count = len(plan.names)
    own = torch.tensor(data.draw(st.lists(seconds, min_size=count, max_size=count))).double()
    unit = torch.zeros_like(own)
    if data.draw(st.booleans()):
        unit = own.flip(0) / 3
        plan = dataclasses.replace(
            plan, stages=tuple(dataclasses.replace(each, unit=True) for each in plan.stages)
        )
    latency = latency_s(plan, design, own, unit)
    assert latency == near(simulated_s(plan, own, unit, depth), 1e-9)
    serial = float((own + unit).sum())
    assert float(own.max()) / depth <= latency * (1 + 1e-9)
    assert latency <= serial * (1 + 1e-9)


def test_a_batch_of_overlaps_equals_its_designs(paper_nets: dict[str, object]) -> None:
    table, points = paper_nets["resnet20"]
    singles = [
        make_design(f"chip.timing.overlap={name}", design=placement)
        for name in OVERLAPS
        for placement in ("none", "common", "separate")
    ]
    _, batch = price(DesignBatch.stack(singles), table, points)
    for index, design in enumerate(singles):
        _, one = price(design, table, points)
        for name in ("latency_s", "period_s", "area_m2", "dynamic_energy_J", "leakage_power_W"):
            assert getattr(batch, name)[index].item() == near(getattr(one, name).item(), 1e-12)


def test_merged_layers_give_the_same_totals(paper_nets: dict[str, object]) -> None:
    table, points = paper_nets["resnet20"]
    for placement in ("none", "common", "separate"):
        design = make_design(ROWS, design=placement)
        whole = price(design, table, points)[1]
        plan = compile_plan(design=design, table=table, points=points, merge_alike=True)
        merged = evaluate(design=design, plan=plan)
        for name in ("latency_s", "period_s", "area_m2"):
            assert getattr(merged, name).item() == near(getattr(whole, name).item(), 1e-12)
