"""Property: what must hold for every design, whatever the numbers are."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.engine import ENERGY_COMPONENTS, TIME_COMPONENTS
from archsim.network import from_graph, load_network
from archsim.network.insertion import InsertionPoint
from archsim.network.table import LayerTable
from archsim.plan import MappingPlan
from archsim.results import CostBreakdown
from tests.designs import Conv, make_design, make_table, points_after, price, tensors_of

Network = tuple[LayerTable, tuple[InsertionPoint, ...]]

NODES = ("65nm-lstp", "45nm-hp", "32nm-lstp", "22nm-lstp", "22nm-hp", "14nm-lstp", "10nm-lstp")
CHOICES: dict[str, tuple[object, ...]] = {
    "chip.crossbar.rows": (32, 64, 96, 128, 256),
    "chip.crossbar.cols": (64, 128, 256),
    "chip.crossbar.mux_ratio": (4, 8, 16, 32),
    "chip.precision.weight_bits": (4, 8),
    "chip.precision.input_bits": (1, 4, 8, 9),
    "chip.precision.encoding": ("offset", "differential"),
    "chip.adc.kind": ("flash-current", "flash-voltage", "sar"),
    "chip.adc.bits": (3, 4, 5, 7, 8),
    "chip.adc.model": ("circuit", "circuit", "andrulis2024", "zigzag-imc"),
    "chip.hierarchy.kernel_per_pe": ("true", "false"),
    "chip.hierarchy.duplication": ("none", "fill", "balance"),
    "chip.hierarchy.speed_up_degree": (1, 4, 8),
    "chip.hierarchy.copies": (1, 2, 3),
    "chip.hierarchy.buffer_rule": ("per_pe", "per_side"),
    "chip.hierarchy.size_check": ("true", "false"),
    "chip.timing.pipeline": ("true", "false"),
    "chip.timing.count_padding": ("true", "false"),
    "chip.timing.copy_rule": ("tiles", "arrays"),
    "chip.timing.clock_floor": (0.0, 1.0),
    "chip.interconnect.kind": ("xy-bus", "h-tree"),
    "chip.interconnect.width_rule": ("fixed", "halve"),
    "chip.interconnect.transfer_rule": ("pipelined", "whole_flight"),
    "chip.interconnect.length_rule": ("half_grid", "reference"),
    "chip.buffers.kind": ("register-file", "sram"),
    "chip.accumulation.result_rule": ("ceil", "floor"),
    "chip.accumulation.width_rule": ("log2", "sqrt"),
    "chip.accumulation.idle_pe_energy": ("true", "false"),
    "chip.accumulation.array_rule": ("all", "one_pe"),
    "chip.accumulation.copies_in_tree": ("true", "false"),
    "chip.area.white_space": ("none", "bounding_box"),
    "chip.activity.first_layer": ("uniform", "relu", "dense"),
    "chip.activity.hidden": ("relu", "dense"),
    "chip.programming.policy": ("none", "tsb", "all"),
    "chip.programming.parallel_subarrays": (1, 4),
    "tsb.channels": (4, 16, 64, 128),
    "tsb.depth": (1, 2),
    "tsb.copies": (1, 3),
    "tsb.per_group": ("true", "false"),
}


def any_design(pick: random.Random) -> DesignBatch:
    """A design with every choice drawn at random."""
    device = pick.choice(("rram", "fefet", "sram", "pcm"))
    cell_bits = 1 if device == "sram" else pick.choice((1, 2, 4))
    overrides = [f"{path}={pick.choice(values)}" for path, values in CHOICES.items()]
    overrides.append(f"chip.precision.bits_per_cell={cell_bits}")
    return make_design(
        *overrides,
        node=pick.choice(NODES),
        device=device,
        design=pick.choice(("none", "common", "separate")),
    )


@pytest.fixture(scope="module")
def small_net() -> Network:
    layers = (
        Conv(10, 3, 12, kernel=3, padding=1, pool=True),
        Conv(5, 12, 40, kernel=3, stride=2, padding=1),
        Conv(3, 40, 40, kernel=3, padding=1),
        Conv(3, 40, 20),
        Conv(1, 180, 10),
    )
    return make_table(*layers), points_after(*layers)


@pytest.fixture(scope="module")
def paper_nets() -> dict[str, Network]:
    graphs = {name: load_network(name) for name in ("lenet3", "vgg8", "resnet20")}
    return {name: (from_graph(graph), graph.insertion_points()) for name, graph in graphs.items()}


@pytest.fixture(scope="module")
def mixed() -> list[DesignBatch]:
    pick = random.Random(7)
    return [any_design(pick) for _ in range(40)]


# --- one path, scalar or batch --------------------------------------------------------------------


def assert_same(found: Any, expected: Any, row: int) -> None:
    """Every tensor of ``found`` at ``row`` equals the scalar result, bit for bit or 1e-12."""
    scalars = dict(tensors_of(expected))
    for name, batched in tensors_of(found):
        scalar = scalars[name]
        # A tensor that no varying parameter reaches keeps the shape of the scalar call.
        mine = batched[row] if batched.dim() > scalar.dim() else batched
        if scalar.dtype == torch.float64:
            torch.testing.assert_close(mine, scalar, rtol=1e-12, atol=0, msg=f"{name}, {row}")
        else:
            assert torch.equal(mine, scalar), (name, row)


def test_every_row_of_a_mixed_batch_equals_the_scalar_call(
    mixed: list[DesignBatch], small_net: Network
) -> None:
    plan, cost = price(DesignBatch.stack(mixed), *small_net)
    for row, design in enumerate(mixed):
        one_plan, one_cost = price(design, *small_net)
        assert_same(plan, one_plan, row)
        assert_same(cost, one_cost, row)


def test_two_batch_axes_equal_scalar_calls(small_net: Network) -> None:
    base = make_design(design="common")
    bits, mux = (4.0, 6.0, 8.0), (8.0, 16.0)
    grid = base.replace(
        adc_bits=torch.tensor(bits, dtype=torch.float64).unsqueeze(-1),
        mux_ratio=torch.tensor(mux, dtype=torch.float64),
    )
    _, cost = price(grid, *small_net)
    assert cost.latency_s.shape == (3, 2)
    assert cost.layer_energy_J.shape == (3, 2, 9)
    for i, adc_bits in enumerate(bits):
        for j, mux_ratio in enumerate(mux):
            _, one = price(base.replace(adc_bits=adc_bits, mux_ratio=mux_ratio), *small_net)
            for name in ("area_m2", "energy_J", "latency_s", "period_s"):
                found, expected = getattr(cost, name)[i, j], getattr(one, name)
                assert float(found) == pytest.approx(float(expected), rel=1e-12), name


def test_permuting_a_batch_permutes_the_result(
    mixed: list[DesignBatch], small_net: Network
) -> None:
    order = list(range(len(mixed)))[::-1]
    _, forward = price(DesignBatch.stack(mixed), *small_net)
    _, backward = price(DesignBatch.stack([mixed[i] for i in order]), *small_net)
    for name in ("area_m2", "energy_J", "latency_s", "period_s"):
        left, right = getattr(forward, name)[order], getattr(backward, name)
        torch.testing.assert_close(left, right, rtol=1e-12, atol=0)


# --- sums -----------------------------------------------------------------------------------------


def added(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*parts.values())).sum(0)


def close(left: Tensor, right: Tensor, name: str) -> None:
    left, right = torch.broadcast_tensors(left, right)
    torch.testing.assert_close(left, right, rtol=1e-11, atol=0, msg=name)


def test_components_and_layers_add_up(mixed: list[DesignBatch], small_net: Network) -> None:
    plan, cost = price(DesignBatch.stack(mixed), *small_net)
    close(added(cost.areas_m2), cost.area_m2, "area")
    close(added(cost.energies_J), cost.dynamic_energy_J, "energy")
    close(added(cost.times_s), cost.latency_s, "time")
    close(added(cost.layer_energies_J), cost.layer_energy_J, "layer energy")
    close(added(cost.layer_times_s), cost.layer_latency_s, "layer time")
    close(cost.layer_energy_J.sum(-1), cost.dynamic_energy_J, "energy over layers")
    close(cost.layer_latency_s.sum(-1), cost.latency_s, "time over layers")
    for name in ENERGY_COMPONENTS:
        close(cost.layer_energies_J[name].sum(-1), cost.energies_J[name], name)
    for name in TIME_COMPONENTS:
        close(cost.layer_times_s[name].sum(-1), cost.times_s[name], name)
    floor = plan.floorplan
    close(plan.tiles.sum(-1), floor.tiles, "tiles")
    assert bool((cost.layer_area_m2.sum(-1) <= cost.area_m2 * (1 + 1e-12)).all())


def test_products_and_derived_totals(mixed: list[DesignBatch], small_net: Network) -> None:
    design = DesignBatch.stack(mixed)
    _, cost = price(design, *small_net)
    close(cost.energy_J, cost.dynamic_energy_J + cost.leakage_energy_J, "energy")
    close(cost.edp_Js, cost.energy_J * cost.latency_s, "edp")
    close(cost.edp_period_Js, cost.energy_J * cost.period_s, "edp with period")
    close(cost.throughput_per_s, 1 / cost.period_s, "throughput")
    close(cost.ops_per_J, 2 * cost.macs / cost.energy_J, "operations per joule")
    busy = torch.where(design.pipeline, cost.period_s, cost.latency_s)
    close(cost.leakage_energy_J, cost.leakage_power_W * busy, "leakage")
    assert bool((cost.period_s <= cost.latency_s * (1 + 1e-12)).all())
    close(
        torch.where(design.pipeline, cost.latency_s, cost.period_s), cost.latency_s, "no pipeline"
    )


def test_programming_adds_up(mixed: list[DesignBatch], small_net: Network) -> None:
    design = DesignBatch.stack(mixed)
    plan, cost = price(design, *small_net)
    written = cost.programming
    close(written.cells, plan.write_cells.sum(-1), "cells")
    close(written.verified_cells, plan.verified_cells.sum(-1), "verified cells")
    energy = (
        written.write_pulses * design.write_energy_J
        + written.verify_reads * design.verify_read_energy_J
    )
    close(written.energy_J, energy, "programming energy")
    assert bool((written.write_pulses >= written.cells * (1 - 1e-12)).all())
    assert bool((written.verified_cells <= written.cells).all())
    nobody = design.write_policy == 0
    close(written.write_pulses[nobody], written.cells[nobody], "one pulse per cell")
    assert float(written.verify_reads[nobody].abs().max()) == 0


# --- monotone where physics is ---------------------------------------------------------------------


def sweep(net: Network, field: str, values: list[float], base: DesignBatch) -> CostBreakdown:
    return price(base.replace(**{field: torch.tensor(values, dtype=torch.float64)}), *net)[1]


def never_falls(values: Tensor, name: str) -> None:
    values = values if values.dim() else values.unsqueeze(0)
    assert bool((values[1:] >= values[:-1] * (1 - 1e-12)).all()), (name, values.tolist())


@pytest.mark.parametrize("network", ["lenet3", "vgg8"])
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["flash-current", "flash-voltage", "sar"])
def test_more_adc_bits_never_cost_less(
    paper_nets: dict[str, Network], network: str, kind: int
) -> None:
    base = make_design(design="separate").replace(adc_kind=kind)
    cost = sweep(paper_nets[network], "adc_bits", [3, 4, 5, 6, 7, 8, 9, 10], base)
    never_falls(cost.area_m2, "area")
    never_falls(cost.areas_m2["adc"], "ADC area")
    never_falls(cost.dynamic_energy_J, "energy")
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.clock_s, "clock")
    never_falls(cost.times_s["array"], "array time")
    never_falls(cost.latency_s, "latency")


@pytest.mark.parametrize("model", [1, 2], ids=["andrulis2024", "zigzag-imc"])
def test_more_bits_of_published_adcs_never_cost_energy_or_time_less(
    small_net: Network, model: int
) -> None:
    base = make_design().replace(adc_model=model)
    cost = sweep(small_net, "adc_bits", [4, 5, 6, 7, 8, 9, 10], base)
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.areas_m2["adc"], "ADC area")
    never_falls(cost.clock_s, "clock")


@pytest.mark.parametrize("device", ["rram", "fefet", "sram"])
def test_more_columns_per_adc_never_read_faster_and_need_less_adc_area(
    paper_nets: dict[str, Network], device: str
) -> None:
    base = make_design(device=device)
    cost = sweep(paper_nets["vgg8"], "mux_ratio", [4, 8, 16, 32, 64], base)
    never_falls(cost.times_s["array"], "array time")
    never_falls(-cost.areas_m2["adc"], "ADC area")


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["flash-current", "flash-voltage", "sar"])
def test_more_input_bits_never_cost_less(paper_nets: dict[str, Network], kind: int) -> None:
    base = make_design(design="common").replace(adc_kind=kind)
    cost = sweep(paper_nets["lenet3"], "input_bits", [1, 2, 3, 4, 6, 8, 10, 16], base)
    never_falls(cost.times_s["array"], "array time")
    # Tile buffers change from one wide line to cores of 32-bit lines when they outgrow a core, and
    # a second core doubles their ports, so their time jumps up and down (SPEC_CHIP.md section 3.2).
    never_falls(cost.latency_s - cost.times_s["buffer"], "latency without buffers")
    never_falls(cost.energies_J["adc"], "ADC energy")
    never_falls(cost.energies_J["drivers"], "driver energy")
    never_falls(cost.dynamic_energy_J, "energy")
    never_falls(cost.area_m2, "area")


@pytest.mark.parametrize("node", ["65nm-lstp", "22nm-lstp", "7nm-lstp"])
def test_higher_supply_never_costs_less_energy(small_net: Network, node: str) -> None:
    base = make_design(node=node, device="fefet", design="common")
    scale = torch.tensor([0.9, 1.0, 1.1, 1.2], dtype=torch.float64)
    technology = base.technology.replace(vdd_V=base.technology.vdd_V * scale)
    _, cost = price(base.replace(technology=technology), *small_net)
    for name in ENERGY_COMPONENTS:
        never_falls(cost.energies_J[name], name)
    never_falls(cost.leakage_power_W, "leakage")


def test_word_lines_and_adders_go_with_the_square_of_the_supply(small_net: Network) -> None:
    """SRAM: the access transistor of a resistive cell is sized by the supply."""
    base = make_design(device="sram")
    technology = base.technology.replace(vdd_V=2 * base.technology.vdd_V)
    _, once = price(base, *small_net)
    _, twice = price(base.replace(technology=technology), *small_net)
    assert float(twice.energies_J["array"] / once.energies_J["array"]) == pytest.approx(4)
    assert float(twice.energies_J["adder_tree"] / once.energies_J["adder_tree"]) == pytest.approx(4)


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("duplication", ["none", "fill", "balance"])
def test_copies_divide_the_array_time_exactly(
    paper_nets: dict[str, Network], network: str, duplication: str
) -> None:
    base = make_design(f"chip.hierarchy.duplication={duplication}")
    plan, cost = price(
        base.replace(copies=torch.tensor([1, 2, 4, 8], dtype=torch.float64)), *paper_nets[network]
    )
    array = cost.times_s["array"]
    never_falls(-array, "array time")
    never_falls(cost.area_m2, "area")
    assert (array / array[0]).tolist() == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8], rel=1e-12)
    copies = plan.copies / plan.copies[0]
    assert bool((copies == torch.tensor([[1.0], [2.0], [4.0], [8.0]])).all())


def test_copies_leave_the_read_energy_alone(paper_nets: dict[str, Network]) -> None:
    base = make_design("chip.hierarchy.duplication=none")
    cost = sweep(paper_nets["vgg8"], "copies", [1, 2, 4], base)
    for name in ("array", "adc", "mux", "drivers", "shift_add"):
        assert cost.energies_J[name].tolist() == pytest.approx(
            [float(cost.energies_J[name].reshape(-1)[0])] * cost.energies_J[name].numel()
        )


# --- the shared block ------------------------------------------------------------------------------


def placements(net: Network, channels: int, *overrides: str) -> tuple[MappingPlan, CostBreakdown]:
    """None, common and separate as one batch."""
    base = make_design(f"tsb.channels={channels}", *overrides)
    return price(base.replace(design=torch.tensor([0, 1, 2])), *net)


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("channels", [1, 8, 32, 128, 512])
@pytest.mark.parametrize("duplication", ["none", "balance"])
def test_a_shared_block_never_saves_energy_time_or_area(
    paper_nets: dict[str, Network], network: str, channels: int, duplication: str
) -> None:
    _, cost = placements(paper_nets[network], channels, f"chip.hierarchy.duplication={duplication}")
    for name in ("dynamic_energy_J", "energy_J", "latency_s", "area_m2"):
        none, common, separate = getattr(cost, name).tolist()
        assert common > none, name
        assert separate > none, name


@pytest.mark.parametrize("network", ["lenet3", "vgg8", "resnet20"])
@pytest.mark.parametrize("channels", [1, 2, 4, 5, 10])
def test_common_needs_no_more_subarrays_and_cells_than_separate(
    paper_nets: dict[str, Network], network: str, channels: int
) -> None:
    """For blocks no wider than the maps: a separate block leaves the corner it cannot use out."""
    plan, cost = placements(paper_nets[network], channels)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    subarrays = (plan.subarrays_used * is_tsb).sum(-1).tolist()
    cells = (plan.write_cells * is_tsb).sum(-1).tolist()
    assert subarrays[0] == 0
    assert 0 < subarrays[1] <= subarrays[2]
    assert 0 < cells[1] <= cells[2]
    pulses = cost.programming.write_pulses.tolist()
    assert pulses[0] < pulses[1] <= pulses[2]


def test_without_insertion_points_the_placement_is_immaterial(small_net: Network) -> None:
    _, cost = placements((small_net[0], ()), 16)
    for name in ("energy_J", "latency_s", "area_m2"):
        values = getattr(cost, name)
        assert values.numel() == 1 or float(values.max()) == float(values.min()), name


def test_all_visits_to_one_common_block_are_one_pipeline_stage(small_net: Network) -> None:
    plan, cost = placements(small_net, 4)
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    queue = float((cost.layer_latency_s[1] * is_tsb).sum())
    backbone = float((cost.layer_latency_s[1] * ~is_tsb).max())
    assert float(cost.period_s[1]) == pytest.approx(max(queue, backbone), rel=1e-12)
    assert float(cost.period_s[2]) == pytest.approx(float(cost.layer_latency_s[2].max()), rel=1e-12)


def test_more_common_blocks_share_the_queue(small_net: Network) -> None:
    base = make_design("tsb.channels=4", "chip.hierarchy.duplication=none", design="common")
    plan, cost = price(
        base.replace(tsb_copies=torch.tensor([1, 2, 4], dtype=torch.float64)), *small_net
    )
    is_tsb = torch.tensor([kind == "tsb" for kind in plan.kinds])
    array = (cost.layer_times_s["array"] * is_tsb).sum(-1)
    assert (array / array[0]).tolist() == pytest.approx([1, 1 / 2, 1 / 4], rel=1e-12)


def test_queue_of_the_common_block_by_hand(small_net: Network) -> None:
    """sum over insertions of ceil(C / c) H W depth products, whatever the chip."""
    plan, _ = price(make_design("tsb.channels=16", "tsb.depth=2", design="common"), *small_net)
    tsb = [i for i, kind in enumerate(plan.kinds) if kind == "tsb"]
    # maps: 12 x 10 x 10, 40 x 3 x 3, 40 x 3 x 3, 20 x 3 x 3
    expected = [2 * groups * size**2 for groups, size in ((1, 10), (3, 3), (3, 3), (2, 3))]
    assert plan.layers.vectors[tsb].tolist() == expected
    assert plan.layers.owned[tsb].tolist() == [2, 0, 0, 0]


# --- a random space --------------------------------------------------------------------------------


@st.composite
def chains(draw: st.DrawFn) -> list[Conv]:
    """One to four chained layers, tiny or oddly shaped.

    Built into a network by the test: run-time type checks draw on ``random``, which hypothesis
    forbids inside a strategy.
    """
    layers = []
    channels = draw(st.integers(1, 70))
    size = draw(st.sampled_from((1, 2, 5, 8, 13)))
    for _ in range(draw(st.integers(1, 4))):
        kernel = draw(st.sampled_from([k for k in (1, 2, 3, 5) if k <= size]))
        padding = draw(st.integers(0, kernel // 2))
        stride = draw(st.integers(1, 2))
        outputs = draw(st.integers(1, 150))
        layer = Conv(size, channels, outputs, kernel, stride, padding)
        pool = layer.out >= 2 and draw(st.booleans())
        layers.append(Conv(size, channels, outputs, kernel, stride, padding, pool))
        channels, size = outputs, layer.out // 2 if pool else layer.out
    return layers


@given(layers=chains())
@settings(max_examples=20)
def test_any_design_on_any_network_is_finite_and_positive(
    mixed: list[DesignBatch], layers: list[Conv]
) -> None:
    net = make_table(*layers), points_after(*layers)
    # Positions that touch padding are counted: without them a small map has no work at all.
    design = DesignBatch.stack(mixed).replace(count_padding=True)
    plan, cost = price(design, *net)
    for name, tensor in tensors_of(cost):
        if tensor.is_floating_point() and not name.startswith(".constraints"):
            assert bool(torch.isfinite(tensor).all()), name
            assert float(tensor.min()) >= 0, name
    for name in ("area_m2", "dynamic_energy_J", "leakage_power_W", "latency_s", "period_s"):
        assert float(getattr(cost, name).min()) > 0, name
    assert float(plan.utilisation.min()) >= 0
    assert float(plan.utilisation.max()) <= 1
    owned = plan.layers.owned > 0
    assert bool((plan.subarrays_used.expand(owned.shape)[owned] >= 1).all())
    capacity = plan.subarrays_used * (design.rows * design.cols).unsqueeze(-1)
    assert bool((plan.write_cells <= capacity).all())


# --- gradients ------------------------------------------------------------------------------------

CONTINUOUS = tuple(
    name for name, entry in DesignBatch.parameters().items() if entry.kind == "continuous"
)


def merit(cost: CostBreakdown) -> Tensor:
    """One number that hangs on everything, each part of about the same size."""
    written = cost.programming
    parts = (
        cost.area_m2,
        cost.energy_J,
        cost.latency_s,
        cost.period_s,
        written.energy_J,
        written.time_s,
        written.write_pulses,
    )
    return torch.stack([torch.log(part) for part in parts]).sum()


@pytest.mark.parametrize(
    ("node", "device", "kind", "chip"),
    [
        ("22nm-lstp", "rram", "flash-current", "rram-22nm"),
        ("22nm-hp", "rram", "flash-current", "neurosim-v1.4"),
        ("45nm-lstp", "pcm", "sar", "rram-22nm"),
        ("7nm-lstp", "fefet", "flash-voltage", "rram-22nm"),
        ("14nm-lstp", "sram", "flash-current", "neurosim-v1.4"),
    ],
)
def test_every_continuous_parameter_has_a_finite_gradient(
    small_net: Network, node: str, device: str, kind: str, chip: str
) -> None:
    base = make_design(
        f"chip.adc.kind={kind}",
        "chip.programming.policy=all",
        chip=chip,
        node=node,
        device=device,
        design="common",
    )
    values = {name: getattr(base, name).clone().requires_grad_(True) for name in CONTINUOUS}
    _, cost = price(base.replace(**values), *small_net)
    gradients = torch.autograd.grad(merit(cost), list(values.values()), allow_unused=True)
    for name, gradient in zip(CONTINUOUS, gradients, strict=True):
        assert gradient is None or bool(torch.isfinite(gradient)), name


def test_every_technology_constant_has_a_finite_gradient(small_net: Network) -> None:
    for node in ("32nm-lstp", "10nm-lstp"):
        base = make_design(node=node, device="fefet", design="separate")
        names = base.technology.constant_names()
        values = {
            name: getattr(base.technology, name).clone().requires_grad_(True) for name in names
        }
        design = base.replace(technology=base.technology.replace(**values))
        _, cost = price(design, *small_net)
        gradients = torch.autograd.grad(merit(cost), list(values.values()), allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            assert gradient is None or bool(torch.isfinite(gradient).all()), (node, name)


@pytest.mark.parametrize(
    "name",
    [
        "r_on_ohm",
        "r_off_ohm",
        "v_read_V",
        "v_access_V",
        "access_ratio",
        "adc_energy",
        "adc_time",
        "shifter_wiring",
        "register_activity",
        "buffer_activity",
        "control_activity",
        "toggle_in",
        "fold",
        "weight_std",
        "input_std",
        "pulse_width_s",
        "write_energy_J",
        "verify_read_time_s",
        "sigma",
    ],
)
def test_gradient_equals_central_difference(small_net: Network, name: str) -> None:
    """Step 1e-4: truncation is its square. Nothing is rounded to cycles within such a step."""
    base = make_design("chip.programming.policy=all", design="common")
    value = getattr(base, name)
    leaf = value.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(
        merit(price(base.replace(**{name: leaf}), *small_net)[1]), leaf
    )
    step = 1e-4 * value
    with torch.no_grad():
        up, down = (
            merit(price(base.replace(**{name: value + sign * step}), *small_net)[1])
            for sign in (1, -1)
        )
    difference = (up - down) / (2 * step)
    scale = float(value)
    assert float(gradient) * scale == pytest.approx(float(difference) * scale, rel=1e-5, abs=1e-7)


# --- infeasible designs are masks ------------------------------------------------------------------


def test_too_few_tiles_is_a_mask(small_net: Network) -> None:
    base = make_design()
    needed = float(price(base, *small_net)[0].floorplan.tiles)
    bound = torch.tensor([needed - 1, needed, needed + 1], dtype=torch.float64)
    plan, cost = price(base.replace(max_tiles=bound), *small_net)
    assert plan.feasible.tolist() == [False, True, True]
    assert cost.feasible.tolist() == [False, True, True]
    broken = next(entry for entry in cost.constraints if entry.name == "tiles")
    assert broken.bound.tolist() == bound.tolist()
    assert float(broken.demand) == needed
    assert "chip.hierarchy.max_tiles (more)" in broken.levers
    assert bool(torch.isfinite(cost.energy_J).all()), "costs are there all the same"


@pytest.mark.parametrize(
    ("node", "least_ohm"),
    # r_on >= R_eq(F) / 15: a transistor of a quarter of r_on fits a 12F wide cell.
    [("65nm-lstp", 4990), ("45nm-lstp", 5240), ("32nm-lstp", 5530), ("22nm-lstp", 5760)],
)
def test_access_transistor_must_fit_under_the_cell(
    small_net: Network, node: str, least_ohm: float
) -> None:
    r_on = torch.tensor([0.99, 1.01], dtype=torch.float64) * least_ohm
    _, cost = price(make_design(node=node).replace(r_on_ohm=r_on), *small_net)
    assert cost.feasible.tolist() == [False, True]
    broken = next(entry for entry in cost.constraints if "access" in entry.name)
    assert broken.bound.tolist() == [12, 12]
    assert broken.demand.tolist() == pytest.approx([12 / 0.99, 12 / 1.01], rel=2e-3)


def test_sram_has_no_access_transistor_to_fit(small_net: Network) -> None:
    _, cost = price(make_design(device="sram").replace(r_on_ohm=1.0), *small_net)
    assert bool(cost.feasible)


def test_size_check_refuses_narrow_networks(small_net: Network) -> None:
    """Kernel-per-PE wants 2R columns: 40 outputs of 4 cells round up to 256 = 2 x 128."""
    checked = make_design("chip.hierarchy.size_check=true")
    rows = torch.tensor([64, 128, 256], dtype=torch.float64)
    plan, _ = price(checked.replace(rows=rows), *small_net)
    assert plan.feasible.tolist() == [True, True, False]
    plan, _ = price(checked.replace(rows=rows, size_check=False), *small_net)
    assert bool(plan.feasible.all())
