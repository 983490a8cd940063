"""Leakage, work and energy of the components: they add up to what the chip has."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch

from archsim.api.map import map_network
from archsim.results.mapped import MapResult
from archsim.results.use import energy_rows, uses
from reports.tables.mapped import component_use, layer_energies
from tests.designs import Conv, make_design, make_table, near, price

CHIPS = ("rram-22nm-neurosim", "rram-22nm", "neurosim-v1.4")


@cache
def mapped(chip: str, design: str = "common", *overrides: str) -> MapResult:
    # The reference simulator refuses so small a network.
    settings = ("chip.hierarchy.size_check=false", *overrides)
    return map_network("lenet3", design=design, chip=chip, overrides=settings)


@pytest.mark.parametrize("chip", CHIPS)
def test_leakage_of_components_adds_up_to_the_chips(chip: str) -> None:
    result = mapped(chip)
    found = uses(result)
    whole = result.totals["leakage_power_mW"]
    assert math.fsum(use.leakage_mW for use in found) == near(whole, 1e-13)
    assert math.fsum(use.leakage_share or 0 for use in found) == near(1.0, 1e-13)
    assert min(use.leakage_mW for use in found) >= 0
    assert component_use(result).rows[-1][1] == whole


def test_a_bank_replaces_the_leakage_of_circuits() -> None:
    """Non-volatile banks leak nothing, those of SRAM do; no circuit inside leaks beside them."""
    inside = ("array", "adc", "mux", "drivers", "shift_add")
    of_rram = {use.component: use.leakage_mW for use in uses(mapped("rram-22nm"))}
    assert {of_rram.get(name, 0.0) for name in inside} == {0.0}
    assert of_rram["buffer"] > 0
    layer = make_table(Conv(1, 128, 32))
    both = make_design("chip.hierarchy.kernel_per_pe=false", device="sram").replace(
        is_silicon=torch.tensor([False, True])
    )
    _, cost = price(both, layer)
    parts = {name: own.expand(2).tolist() for name, own in cost.leakages_W.items()}
    assert [parts[name][1] > 0 for name in inside] == [True, False, False, False, False]
    assert all(parts[name][0] > 0 for name in inside)
    for row in range(2):
        total = math.fsum(own[row] for own in parts.values())
        assert total == near(float(cost.leakage_power_W[row]), 1e-13)


@pytest.mark.parametrize(
    ("design", "settings"),
    [
        ("none", ()),
        ("separate", ("chip.timing.overlap=rows",)),
        ("common", ("chip.hierarchy.max_tiles=1", "chip.off_chip.when_full=reload")),
    ],
)
@pytest.mark.parametrize("chip", CHIPS[:2])
def test_energy_by_layer_and_component_adds_up(
    chip: str, design: str, settings: tuple[str, ...]
) -> None:
    result = mapped(chip, design, *settings)
    rows = energy_rows(result)
    total = math.fsum(row["energy_uJ"] for row in rows)
    assert total == near(result.totals["energy_uJ"], 1e-12)
    for layer in result.layer_rows():
        own = math.fsum(row["energy_uJ"] for row in rows if row["layer"] == layer["name"])
        assert own == near(layer["energy_uJ"], 1e-12)
    assert layer_energies(result).records() == rows


def test_share_of_time_at_work_by_hand() -> None:
    """One layer, no pipeline: what a component takes of the latency."""
    result = mapped("rram-22nm-neurosim", "none", "chip.timing.pipeline=false")
    busy = {use.component: use.busy_share for use in uses(result)}
    cost, plan = result.cost, result.plan
    by_hand = sum(
        float(tiles) * float(time)
        for tiles, time in zip(plan.tiles, cost.layer_times_s["buffer"], strict=True)
    ) / float(plan.tiles.sum() * cost.latency_s)
    assert busy["buffer"] == near(by_hand)
    assert busy["adc"] == busy["mux"] == busy["array"]


@pytest.mark.parametrize("design", ["none", "common", "separate"])
def test_nothing_works_longer_than_there_is_time(design: str) -> None:
    for settings in ((), ("chip.timing.pipeline=false",), ("chip.timing.overlap=rows",)):
        for chip in CHIPS:
            for use in uses(mapped(chip, design, *settings)):
                assert use.busy_share is None or 0 <= use.busy_share <= 1 + 1e-12, use


def test_the_slowest_stage_works_all_the_time() -> None:
    """The tile of a block that all layers share, alone on a chip of one layer: its queue."""
    result = mapped("rram-22nm-neurosim", "common", "tsb.copies=1")
    cost, plan = result.cost, result.plan
    visits = [i for i, kind in enumerate(plan.kinds) if kind == "tsb"]
    queue = sum(float(cost.layer_latency_s[i]) for i in visits)
    assert queue == near(float(cost.period_s))


def test_efficiency_counts_the_networks_own_operations() -> None:
    for chip in CHIPS:
        base, common = mapped(chip, "none"), mapped(chip, "common")
        own = base.totals["macs"]
        assert float(base.cost.network_macs) == float(common.cost.network_macs) == own
        assert common.totals["macs"] > own
        for result in (base, common):
            expected = 2 * own / (result.totals["energy_uJ"] * 1e-6) / 1e12
            assert result.totals["tops_per_W"] == near(expected, 1e-12)


def test_power_is_energy_over_the_time_between_images() -> None:
    totals = mapped("rram-22nm").totals
    power = totals["energy_uJ"] / totals["period_us"] * 1e3
    assert totals["average_power_mW"] == near(power, 1e-12)
    assert totals["power_density_mW_per_mm2"] == near(power / totals["area_mm2"], 1e-12)
