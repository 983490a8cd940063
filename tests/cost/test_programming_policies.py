"""Who is write-verified, and what it costs: policies against sums over layers."""

from __future__ import annotations

import pytest

from archsim.device import pulse_law
from archsim.explore.batch import evaluate_totals
from archsim.network import from_graph, load_network
from archsim.plan import MappingPlan
from archsim.results import CostBreakdown
from tests.designs import make_design, near, price

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


def test_a_row_of_scattered_cells_waits_for_the_slowest_of_them() -> None:
    """One full 128 x 128 crossbar: 128 rows, each waiting for the slowest of 12.8 cells."""
    from tests.designs import Conv, make_table

    design = make_design(
        "chip.programming.policy=fraction",
        "chip.programming.fraction=0.1",
        "chip.hierarchy.duplication=none",
    )
    _, cost = price(design, make_table(Conv(size=1, inputs=128, outputs=32)))
    law = pulse_law(
        model="incremental", sigma=0.1, tolerance=0.043, max_pulses=100, step_gain=0.055,
        step_sigma=0.02,
    )  # fmt: skip
    steps = float(law.slowest_of(12.8))
    assert float(cost.programming.time_s) == near(128 * steps * (10e-9 + 5e-9))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_last_layers_are_counted_from_the_end(count: int) -> None:
    plan, cost = priced("last-layers", f"chip.programming.last_layers={count}")
    assert float(cost.programming.verified_cells) == near(float(plan.write_cells[-count:].sum()))


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
