"""``hierarchy.tile``: a size that is given is built, and ``auto`` is no worse than any other."""

from __future__ import annotations

import pytest

from archsim.analysis.tile_size import TRIED, with_tiles
from archsim.api.map import map_network
from archsim.arch.design import DesignBatch
from archsim.network import from_graph, load_network
from tests.designs import make_design


def merit(totals: dict[str, float]) -> float:
    return totals["area_mm2"] * totals["energy_uJ"] * totals["latency_us"]


@pytest.mark.parametrize(
    ("rows", "cols", "side"),
    [(128, 128, 512), (129, 128, 512), (127, 128, 508), (64, 128, 512), (100, 128, 512)],
)
def test_a_given_tile_is_two_by_two_pes_of_whole_crossbars(rows: int, cols: int, side: int) -> None:
    result = map_network(
        "lenet3",
        overrides=[
            "chip.hierarchy.tile=8",
            f"chip.crossbar.rows={rows}",
            f"chip.crossbar.cols={cols}",
        ],
    )
    floor = result.plan.floorplan
    assert float(floor.pe_side) == side
    assert float(floor.tile_side) == 2 * side
    assert float(floor.pes_per_side) == 2


def test_auto_is_the_best_of_all_that_are_tried() -> None:
    found = map_network("lenet3", design="common", overrides=["chip.hierarchy.tile=auto"])
    assert found.resolved.chip.hierarchy.tile in (*TRIED, "search")
    for tile in ("search", *TRIED):
        other = map_network("lenet3", design="common", overrides=[f"chip.hierarchy.tile={tile}"])
        assert merit(found.totals) <= merit(other.totals) * (1 + 1e-5), tile


def test_a_batch_finds_what_each_design_finds() -> None:
    table = from_graph(load_network("lenet3"))
    rows = (64, 128, 192)
    designs = [
        make_design("chip.hierarchy.tile=auto", f"chip.crossbar.rows={count}") for count in rows
    ]
    batch = with_tiles(design=DesignBatch.stack(designs), table=table).tile_arrays.tolist()
    single = [float(with_tiles(design=own, table=table).tile_arrays) for own in designs]
    assert batch == single
