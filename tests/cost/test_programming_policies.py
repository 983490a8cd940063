"""Who is write-verified, and what it costs: policies against sums over layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from archsim.analysis.totals import evaluate_totals
from archsim.device import pulse_distribution
from archsim.network import from_graph, load_network
from archsim.plan import MappingPlan
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price

GRAPH = load_network("resnet20")
TABLE, POINTS = from_graph(GRAPH), GRAPH.insertion_points()


def priced(policy: str, *settings: str, design: str = "none") -> tuple[MappingPlan, CostBreakdown]:
    """ResNet-20 under a policy."""
    chosen = make_design(f"chip.programming.policy={policy}", *settings, design=design)
    return price(chosen, TABLE, () if design == "none" else POINTS)


def fraction(value: float, *settings: str) -> CostBreakdown:
    """ResNet-20 with a fraction of its weights verified."""
    return priced("fraction", f"chip.programming.fraction={value}", *settings)[1]


def test_a_fraction_of_one_is_all_and_of_none_is_none() -> None:
    everything, nothing = priced("all")[1], priced("none")[1]
    for granularity in ("weight", "row"):
        setting = f"chip.programming.granularity={granularity}"
        for value, reference in ((1.0, everything), (0.0, nothing)):
            found = fraction(value, setting).programming
            for name in ("write_pulses", "verify_reads", "time_s", "energy_J"):
                expected = getattr(reference.programming, name)
                assert float(getattr(found, name)) == near(float(expected)), name


def test_whole_rows_take_their_share_of_the_time() -> None:
    row = "chip.programming.granularity=row"
    everything, nothing = priced("all")[1].programming, priced("none")[1].programming
    found = fraction(0.3, row).programming
    for name in ("write_pulses", "verify_reads", "time_s", "energy_J"):
        mixed = 0.3 * float(getattr(everything, name)) + 0.7 * float(getattr(nothing, name))
        assert float(getattr(found, name)) == near(mixed), name


def test_scattered_weights_cost_the_same_energy_and_more_time() -> None:
    row, weight = fraction(0.1, "chip.programming.granularity=row"), fraction(0.1)
    assert float(row.programming.energy_J) == near(float(weight.programming.energy_J))
    assert float(row.programming.write_pulses) == near(float(weight.programming.write_pulses))
    assert float(weight.programming.time_s) > 3 * float(row.programming.time_s)


@pytest.mark.parametrize("chosen", [0.005, 0.03, 0.1])
def test_a_row_waits_for_the_slowest_of_its_scattered_cells(chosen: float) -> None:
    """One full 128 x 128 crossbar, 32 weights of 4 cells to a row, against sampled rows.

    A pulse takes 10 ns, a read 5 ns for each of the 8 columns of an ADC.
    """
    design = make_design(
        "chip.programming.policy=fraction",
        f"chip.programming.fraction={chosen}",
        "chip.hierarchy.duplication=none",
    )
    _, cost = price(design, make_table(Conv(size=1, inputs=128, outputs=32)))
    distribution = pulse_distribution(
        model="incremental", sigma=0.1, tolerance=0.043, max_pulses=100, step_gain=0.055,
        step_sigma=0.02,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    rows = 20_000
    drawn = torch.rand(rows, 32, 4, generator=generator, dtype=torch.float64)
    # A cell takes more than k pulses where its number lies below the survival at k.
    pulses = torch.searchsorted(-distribution.survival.clone(), -drawn.flatten()).reshape(
        drawn.shape
    )
    picked = torch.rand(rows, 32, generator=generator) < chosen
    slowest = torch.where(picked, pulses.amax(-1), 0).amax(-1).double()
    times = slowest * (10e-9 + 8 * 5e-9) + (slowest == 0) * 10e-9
    error = float(times.std()) / rows**0.5
    assert float(cost.programming.time_s) / 128 == pytest.approx(
        float(times.mean()), abs=4 * error, rel=0
    )


@pytest.mark.parametrize("granularity", ["weight", "row"])
def test_time_has_the_gradient_of_its_finite_difference(granularity: str) -> None:
    def seconds(fraction: Tensor) -> Tensor:
        design = make_design(
            "chip.programming.policy=fraction", f"chip.programming.granularity={granularity}"
        ).replace(verified_fraction=fraction)
        return price(design, TABLE)[1].programming.time_s

    at = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(seconds(at), at)
    step = 1e-5
    with torch.no_grad():
        difference = (seconds(at + step) - seconds(at - step)) / (2 * step)
    assert float(difference) > 0
    assert float(slope) == pytest.approx(float(difference), rel=1e-6, abs=0)


def test_reloaded_parts_are_programmed_by_the_drivers_of_one_chip() -> None:
    def seconds(drivers: int) -> float:
        settings = (
            "chip.off_chip.when_full=reload", "chip.hierarchy.max_tiles=5",
            f"chip.programming.parallel_subarrays={drivers}",
        )  # fmt: skip
        plan, cost = priced("all", *settings)
        assert float(plan.floorplan.parts) > 1
        return float(cost.programming.time_s)

    assert seconds(10**6) == seconds(10**5) > 0
    on_one_chip = float(
        priced("all", "chip.programming.parallel_subarrays=1000000")[1].programming.time_s
    )
    assert seconds(10**6) > 2 * on_one_chip


@pytest.mark.parametrize("count", [1, 2, 4])
def test_last_layers_are_counted_from_the_end(count: int) -> None:
    plan, cost = priced("last-layers", f"chip.programming.last_layers={count}")
    assert float(cost.programming.verified_cells) == near(float(plan.write_cells[-count:].sum()))


@pytest.mark.parametrize("policy", ["none", "last-layers", "all"])
@pytest.mark.parametrize("drivers", [1, 4, 10**6])
def test_rewritten_layers_take_a_round_of_single_pulses_more(policy: str, drivers: int) -> None:
    """The first round is that of a chip whose last layers are not verified."""
    parallel = f"chip.programming.parallel_subarrays={drivers}"
    settings = (parallel, "chip.programming.last_layers=2")
    plan, once = priced(policy, *settings)
    _, twice = priced(policy, *settings, "chip.programming.rewritten_layers=2")
    more = float(plan.write_cells[-2:].sum())
    assert more > 0
    first, second = once.programming, twice.programming
    assert float(second.write_pulses) == near(float(first.write_pulses) + more)
    assert float(second.verify_reads) == near(float(first.verify_reads))
    assert float(second.cells) == float(first.cells)
    assert float(first.time_s) < float(second.time_s) <= 2 * float(first.time_s) * (1 + 1e-12)
    if drivers == 1:
        rows = plan.layers.rows * plan.copies * plan.layers.owned
        design = make_design()
        strips = torch.ceil(plan.layers.columns / design.cols)
        extra = float((rows * strips)[-2:].sum() * design.pulse_width_s)
        assert float(second.time_s - first.time_s) == near(extra)


def test_only_chips_that_hold_rewritten_layers_write_again() -> None:
    many = ("chip.off_chip.when_full=multi-chip", "chip.hierarchy.max_tiles=5")
    plan, once = priced("none", *many)
    _, twice = priced("none", *many, "chip.programming.rewritten_layers=1")
    assert float(plan.floorplan.parts) > 2
    strips = torch.ceil(plan.layers.columns / make_design().cols)
    rows = plan.layers.rows * plan.copies * plan.layers.owned * strips
    # The last layer is on one chip, which has one driver.
    extra = float(rows[-1] * make_design().pulse_width_s)
    assert float(twice.programming.time_s - once.programming.time_s) == near(extra)


def test_a_shared_block_is_verified_with_the_rest() -> None:
    plan, cost = priced("last-layers", design="common")
    block = float(plan.write_cells[len(TABLE) :].sum())
    assert block > 0
    expected = block + float(plan.write_cells[len(TABLE) - 1])
    assert float(cost.programming.verified_cells) == near(expected)
    assert float(priced("none", design="common")[1].programming.verified_cells) == 0


def test_merging_alike_layers_keeps_the_last_ones_apart() -> None:
    for count in (1, 3, 4):
        design = make_design(
            "chip.programming.policy=last-layers", f"chip.programming.last_layers={count}"
        )
        _, cost = price(design, TABLE)
        batch = evaluate_totals(design=design.replace(rows=design.rows.reshape(1)), table=TABLE)
        for name in ("write_pulses", "programming_time_s", "programming_energy_J"):
            key = name.removeprefix("programming_")
            assert float(batch[name]) == near(float(getattr(cost.programming, key))), name
