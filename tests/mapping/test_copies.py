"""Copies of the shared block: where they stand, and what a number, ``fill`` and null mean."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archsim.arch.design import AUTO, FILL, LIKE_BACKBONE
from archsim.config.choices import PLACEMENTS
from archsim.network import from_graph, load_network
from archsim.plan import MappingPlan
from mapping.compile import compile_plan
from mapping.dump import dump_placement
from mapping.place import place
from tests.designs import make_design

LENET = load_network("lenet3")


def planned(copies: float, *, design: str = "common", channels: float = 5.0) -> MappingPlan:
    batch = make_design(design=design, tsb="paper-lenet3").replace(
        tsb_copies=copies, tsb_channels=channels
    )
    points = LENET.insertion_points("default")
    return compile_plan(design=batch, table=from_graph(LENET), points=points)


def blocks(plan: MappingPlan) -> list[int]:
    """Copies of the blocks that some row owns."""
    return plan.blocks[plan.layers.owned > 0][3:].long().tolist()


def test_a_block_of_five_channels_fits_a_crossbar_six_times() -> None:
    # 5 rows and 20 columns of 4 cells per weight: 128 // 20 = 6 side by side, 128 // 5 = 25 down.
    plan = planned(6)
    row = plan.layers.shared > 0
    assert plan.layers.diagonal[row].unique().tolist() == [6]
    assert plan.layers.rows[row].unique().tolist() == [30]
    assert plan.layers.columns[row].unique().tolist() == [120]
    assert plan.subarrays_used.sum() == planned(1).subarrays_used.sum()
    # As many vectors as one block serves, six at a time; the cells beside the diagonal hold none.
    vectors = plan.layers.products[row].tolist()
    assert plan.layers.vectors[row].tolist() == [-(-vector // 6) for vector in vectors]
    assert float(plan.write_cells[row].sum()) == 6 * 5 * 20


def test_fill_takes_the_tile_that_is_there_anyway() -> None:
    one, full = planned(1), planned(FILL)
    assert float(full.floorplan.tiles) == float(one.floorplan.tiles)
    assert blocks(one) == [1]
    assert blocks(full) == [6 * 16]  # the tile has 16 subarrays
    assert float(planned(97).floorplan.tiles) == float(one.floorplan.tiles) + 1


@given(copies=st.integers(1, 96))
def test_no_number_that_fits_the_tile_takes_another(copies: int) -> None:
    plan = planned(float(copies))
    assert float(plan.floorplan.tiles) == float(planned(1).floorplan.tiles)
    assert copies <= blocks(plan)[0] <= max(4 * copies, 6)


@pytest.mark.parametrize("design", ["common", "separate"])
def test_null_is_one_common_block_and_leaves_separate_ones_to_the_policy(design: str) -> None:
    plan = planned(LIKE_BACKBONE, design=design)
    assert (plan.layers.diagonal == 1).all()
    expected = [1] if design == "common" else [16, 16]
    assert blocks(plan) == expected


def test_separate_blocks_have_the_copies_asked_for_each() -> None:
    assert blocks(planned(1, design="separate")) == [1, 1]
    assert blocks(planned(FILL, design="separate")) == [96, 96]


def test_fill_needs_no_duplication_of_the_backbone() -> None:
    batch = make_design(
        "chip.hierarchy.duplication=none", design="common", tsb="paper-lenet3"
    ).replace(tsb_copies=FILL)
    points = LENET.insertion_points("default")
    plan = compile_plan(design=batch, table=from_graph(LENET), points=points)
    assert blocks(plan) == [96]


def test_what_auto_means_has_to_be_found_before_a_plan() -> None:
    assert planned(AUTO).floorplan.tiles.isnan()


def test_the_dump_says_which_copies_share_a_crossbar() -> None:
    batch = make_design(design="common", tsb="paper-lenet3").replace(tsb_copies=12.0)
    points = LENET.insertion_points("default")
    plan = compile_plan(design=batch, table=from_graph(LENET), points=points)
    text = dump_placement(place(design=batch, plan=plan))
    assert "copies 0-5 on the diagonal rows 0:30 columns 0:120" in text
    assert "copies 6-11 on the diagonal" in text


def test_rows_of_a_batch_of_copies_are_the_scalar_plans() -> None:
    numbers = [LIKE_BACKBONE, FILL, 1.0, 7.0, 200.0]
    batch = make_design(design="separate", tsb="paper-lenet3").replace(
        tsb_copies=torch.tensor(numbers, dtype=torch.float64),
        placement=torch.tensor([PLACEMENTS.index("separate")] * len(numbers)),
    )
    points = LENET.insertion_points("default")
    many = compile_plan(design=batch, table=from_graph(LENET), points=points)
    for row, number in enumerate(numbers):
        one = planned(number, design="separate")
        assert torch.equal(many.tiles[row], one.tiles)
        assert torch.equal(many.blocks[row], one.blocks)
