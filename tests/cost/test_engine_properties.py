"""Property: what must hold for every design, whatever the numbers are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archsim.arch.design import DesignBatch
from archsim.cost.engine import ENERGY_COMPONENTS, TIME_COMPONENTS
from archsim.cost.verify_read import verify_read
from tests.cost.random_designs import Network
from tests.designs import Conv, make_design, make_table, near, points_after, price, tensors_of

# --- one path, scalar or batch ------------------------------------------------------------------


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
                assert float(found) == near(float(expected), rel=1e-12), name


def test_permuting_a_batch_permutes_the_result(
    mixed: list[DesignBatch], small_net: Network
) -> None:
    order = list(range(len(mixed)))[::-1]
    _, forward = price(DesignBatch.stack(mixed), *small_net)
    _, backward = price(DesignBatch.stack([mixed[i] for i in order]), *small_net)
    for name in ("area_m2", "energy_J", "latency_s", "period_s"):
        left, right = getattr(forward, name)[order], getattr(backward, name)
        torch.testing.assert_close(left, right, rtol=1e-12, atol=0)


# --- sums ---------------------------------------------------------------------------------------


def added(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*parts.values())).sum(0)


def close(left: Tensor, right: Tensor, name: str) -> None:
    left, right = torch.broadcast_tensors(left, right)
    torch.testing.assert_close(left, right, rtol=1e-11, atol=0, msg=name)


def test_components_and_layers_add_up(mixed: list[DesignBatch], small_net: Network) -> None:
    plan, cost = price(DesignBatch.stack(mixed), *small_net)
    close(added(cost.areas_m2), cost.area_m2, "area")
    close(added(cost.energies_J), cost.dynamic_energy_J, "energy")
    close(added(cost.times_s) - cost.hidden_s, cost.latency_s, "time")
    close(added(cost.layer_energies_J), cost.layer_energy_J, "layer energy")
    close(cost.layer_energy_J.sum(-1), cost.dynamic_energy_J, "energy over layers")
    one_by_one = torch.tensor([float(design.overlap) == 0 for design in mixed])
    assert bool(one_by_one.any())
    assert not bool(one_by_one.all())
    parts, layers = added(cost.layer_times_s), cost.layer_latency_s
    close(parts[one_by_one], layers[one_by_one], "layer time")
    close(layers.sum(-1)[one_by_one], cost.latency_s[one_by_one], "time over layers")
    assert bool((parts >= layers * (1 - 1e-12)).all())
    assert bool((cost.hidden_s[one_by_one].abs() <= 1e-12 * cost.latency_s[one_by_one]).all())
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
    close(cost.ops_per_J, 2 * cost.network_macs / cost.energy_J, "operations per joule")
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
    read = verify_read(design=design)
    energy = written.write_pulses * design.cell_pulse.energy_J + written.verify_reads * read.cell_J
    close(written.energy_J, energy, "programming energy")
    assert bool((written.write_pulses >= written.cells * (1 - 1e-12)).all())
    assert bool((written.verified_cells <= written.cells).all())
    nobody = design.write_policy == 0
    close(written.write_pulses[nobody], written.cells[nobody], "one pulse per cell")
    assert float(written.verify_reads[nobody].abs().max()) == 0


# --- a random space -----------------------------------------------------------------------------


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


# --- infeasible designs are masks ---------------------------------------------------------------


def test_too_few_tiles_is_a_mask(small_net: Network) -> None:
    base = make_design()
    needed = float(price(base, *small_net)[0].floorplan.tiles)
    bound = torch.tensor([needed - 1, needed, needed + 1], dtype=torch.float64)
    plan, cost = price(base.replace(max_tiles=bound), *small_net)
    assert plan.feasible.tolist() == [False, True, True]
    assert cost.feasible.tolist() == [False, True, True]
    broken = next(entry for entry in cost.constraints if entry.name == "tiles")
    assert broken.bound.tolist() == bound.tolist()
    assert broken.demand.expand(3).tolist() == [needed] * 3
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
    assert broken.demand.tolist() == near([12 / 0.99, 12 / 1.01], rel=2e-3)


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
