"""A network that does not fit: reloaded weights and several chips, against hand-made sums."""

from __future__ import annotations

import pytest
import torch

from archsim.analysis.totals import evaluate_totals
from archsim.api.map import map_network
from archsim.config.sourced import _FAMILIES
from archsim.network import from_graph, load_network
from archsim.results.mapped import MapResult
from archsim.units import TO_SI
from tests.designs import make_design, near

#: LeNet-3 without copies takes 5 tiles or fewer; VGG-8 without copies many more than 20.
PLAIN = ("chip.hierarchy.duplication=none",)
LPDDR4_RATE, LPDDR4_STANDBY_W = 102.4e9, 24.6e-3


def lpddr4_J(bits: float) -> float:
    """Reading bits that fill rows of 16 Kibit."""
    return bits * 8.47e-12 + bits / 16384 * 1205e-12


def lpddr4_s(bits: float) -> float:
    return 37.5e-9 + bits / LPDDR4_RATE


LINK_J, LINK_RATE = 50.8e-12, 204.8e9


def vgg8(*settings: str, design: str = "none") -> MapResult:
    """VGG-8 without copies."""
    return map_network(
        "vgg8", design=design, overrides=[*PLAIN, *settings], chip="rram-22nm-neurosim"
    )


def full(when: str, tiles: int, *settings: str, design: str = "none") -> MapResult:
    """VGG-8 on chips of ``tiles`` tiles."""
    return vgg8(
        f"chip.off_chip.when_full={when}",
        f"chip.hierarchy.max_tiles={tiles}",
        *settings,
        design=design,
    )


def test_every_unit_beside_an_si_unit_has_its_factor() -> None:
    for family in _FAMILIES:
        for unit in family[1:]:
            assert unit in TO_SI, unit


@pytest.mark.parametrize("when", ["reload", "multi-chip"])
def test_a_network_that_fits_costs_what_it_cost(when: str) -> None:
    plain, roomy = vgg8(), full(when, 1000)
    assert roomy.totals == plain.totals
    assert roomy.chips == 1
    assert roomy.loads_per_image == 0


def test_reload_adds_memory_reads_and_programming_to_every_image() -> None:
    whole = vgg8()
    reloaded = full("reload", 20)
    tiles = float(whole.plan.floorplan.tiles)
    parts = -(-tiles // 20)
    assert parts > 1
    assert reloaded.loads_per_image == parts
    assert float(reloaded.plan.floorplan.tiles) == near(20)
    bits = 8 * whole.graph.totals.weights
    programming = whole.cost.programming
    load_J = float(programming.energy_J) + lpddr4_J(bits)
    load_s = max(float(programming.time_s), lpddr4_s(bits))
    found = reloaded.cost
    load_J += LPDDR4_STANDBY_W * float(found.period_s)
    assert float(found.energies_J["off_chip"]) == near(load_J)
    on_chip = sum(float(v) for k, v in found.energies_J.items() if k != "off_chip")
    assert float(found.dynamic_energy_J) == near(on_chip + load_J)
    on_chip_s = sum(float(v) for k, v in found.times_s.items() if k != "off_chip")
    assert float(found.latency_s) == near(on_chip_s + load_s)
    assert float(found.period_s) > load_s
    assert float(found.area_m2) < float(whole.cost.area_m2)


def test_images_that_wait_together_share_the_load() -> None:
    alone, together = full("reload", 20), full("reload", 20, "chip.off_chip.images_per_reload=100")
    bits = 8 * alone.graph.totals.weights
    load_J = float(alone.cost.programming.energy_J) + lpddr4_J(bits)
    shared = float(together.cost.energies_J["off_chip"])
    waiting = shared - load_J / 100
    assert waiting > 0  # maps go out and come back between parts
    assert shared < load_J
    assert float(together.cost.period_s) < float(alone.cost.period_s)
    assert float(together.cost.latency_s) > float(alone.cost.latency_s)
    assert together.loads_per_image == near(alone.loads_per_image / 100)


def test_a_slow_memory_bounds_the_load() -> None:
    slow = full("reload", 20, "memory.bandwidth=0.001")
    bits = 8 * slow.graph.totals.weights
    assert float(slow.cost.programming.time_s) < bits / 1e6
    on_chip_s = sum(float(v) for k, v in slow.cost.times_s.items() if k != "off_chip")
    assert float(slow.cost.latency_s) == near(on_chip_s + bits / 1e6 + 37.5e-9)


@pytest.mark.parametrize("tiles", [1000, 20])
def test_inputs_come_in_and_outputs_go_out(tiles: int) -> None:
    free = full("multi-chip", tiles)
    priced = full("multi-chip", tiles, "chip.off_chip.border=memory")
    image, result = 8 * 3 * 32 * 32, 8 * 10
    energy_J = lpddr4_J(image) + result * 5.03e-12 + 1205e-12  # a result opens a row all the same
    found, before = priced.cost, free.cost
    moved_J = float(found.energies_J["off_chip"] - before.energies_J["off_chip"])
    assert moved_J == pytest.approx(energy_J, rel=1e-6, abs=0)
    seconds = lpddr4_s(image) + lpddr4_s(result)
    assert float(found.latency_s - before.latency_s) == pytest.approx(seconds, rel=1e-6, abs=0)
    assert float(found.period_s) == float(before.period_s)  # the next image comes meanwhile
    assert torch.equal(found.area_m2, before.area_m2)


def test_a_slow_border_is_the_slowest_stage_of_a_pipeline() -> None:
    slow = vgg8("chip.off_chip.border=memory", "memory.bandwidth=0.001")
    image, result = 8 * 3 * 32 * 32, 8 * 10
    assert float(slow.cost.period_s) == near((image + result) / 1e6 + 2 * 37.5e-9)


def test_several_chips_have_their_areas_and_send_maps() -> None:
    one = full("multi-chip", 1000)
    tiles = float(one.plan.floorplan.tiles)
    spread = full("multi-chip", 20)
    parts = -(-tiles // 20)
    assert spread.chips == parts
    # Cells go with the tiles: parts * 20 of them, of the same two kinds in the same shares.
    ratio = float(spread.cost.areas_m2["array"] / one.cost.areas_m2["array"])
    assert ratio == near(parts * 20 / tiles)
    plan = one.plan
    mean = float(
        (plan.tiles * plan.layers.map_elements * plan.layers.instances).sum() / plan.tiles.sum()
    )
    bits = (parts - 1) * 8 * mean
    assert float(spread.cost.energies_J["off_chip"]) == near(bits * LINK_J)
    assert float(spread.cost.times_s["off_chip"]) == near(bits / LINK_RATE)
    assert float(spread.cost.leakage_power_W) > float(one.cost.leakage_power_W)
    written = float(spread.cost.programming.write_pulses)
    assert written == float(one.cost.programming.write_pulses)


def test_a_common_block_is_visited_over_the_links() -> None:
    base, common = full("multi-chip", 20), full("multi-chip", 20, design="common")
    layers = common.plan.layers
    visits = float((layers.map_elements * layers.shared).sum())
    extra = float(common.cost.energies_J["off_chip"] - base.cost.energies_J["off_chip"]) / LINK_J
    elsewhere = 2 * 8 * visits * (common.chips - 1) / common.chips
    # The mean map at a cut differs a little, because the block has tiles of its own.
    assert extra == pytest.approx(elsewhere, rel=0.1, abs=0)


def test_a_mixed_batch_equals_its_designs_one_by_one() -> None:
    members = [
        make_design(*PLAIN, f"chip.off_chip.when_full={when}", f"chip.hierarchy.max_tiles={tiles}")
        for when, tiles in (
            ("refuse", 20), ("reload", 20), ("multi-chip", 20), ("multi-chip", 7), ("reload", 999),
        )
    ]  # fmt: skip
    graph = load_network("vgg8")
    table = from_graph(graph)
    designs = type(members[0]).stack(members)
    batch = evaluate_totals(design=designs, table=table)
    for index in range(len(members)):
        one = designs.index(slice(index, index + 1))
        alone = evaluate_totals(design=one, table=table)
        for name in batch:
            torch.testing.assert_close(batch[name][index], alone[name][0], rtol=1e-12, atol=0)
    assert batch["feasible"].tolist() == [False, True, True, True, True]
