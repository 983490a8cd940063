"""Explicit placement against the closed-form counts, for random networks on random chips."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings

from archsim.arch.design import DesignBatch
from archsim.config.choices import PLACEMENTS
from archsim.plan import PLACEMENT_COLUMNS, MappingPlan, PlacedSubarray
from mapping.compile import compile_plan
from mapping.place import place
from tests.designs import make_design, tensors_of
from tests.mapping.random_mappings import Layer, designs, networks, points_of, table_of


def placed(design, layers):
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    return plan, place(design=design, plan=plan)


def per_layer(placement, weights=None):
    layer = placement.columns["layer"]
    return np.bincount(layer, weights=weights, minlength=len(placement.names)).tolist()


@settings(max_examples=150)
@given(design=designs(), layers=networks())
def test_what_is_placed_is_what_was_counted(design, layers):
    plan, placement = placed(design, layers)
    assert per_layer(placement) == plan.subarrays_used.tolist()
    cells = per_layer(placement, placement.cells)
    for index, (held, written) in enumerate(zip(cells, plan.write_cells.tolist(), strict=True)):
        grouped = index < len(layers) and layers[index].groups > 1
        # Off the block diagonal of grouped layers there is nothing to write.
        assert held >= written if grouped else held == written
    tiles = Counter(tile.layer for tile in placement.tiles)
    assert [tiles[index] for index in range(len(plan.names))] == plan.tiles.tolist()
    assert len(placement.tiles) == float(plan.floorplan.tiles)


@settings(max_examples=80)
@given(design=designs(), layers=networks())
def test_every_subarray_has_a_place_of_its_own_on_the_chip(design, layers):
    _, placement = placed(design, layers)
    columns = placement.columns
    where = np.stack(
        [columns[name] for name in ("tile", "pe_row", "pe_col", "array_row", "array_col")], 1
    )
    assert len(np.unique(where, axis=0)) == len(placement)
    tiles = placement.tiles
    assert len({(tile.grid_row, tile.grid_col) for tile in tiles}) == len(tiles)
    for tile in tiles:
        assert 0 <= tile.grid_row < placement.grid_rows
        assert 0 <= tile.grid_col < placement.grid_cols
    pe_grid, array_grid = np.array(placement.tile_pes), np.array(placement.tile_arrays)
    tile = columns["tile"]
    for axis, direction in enumerate(("row", "col")):
        assert (columns[f"grid_{direction}"] == [
            (t.grid_row, t.grid_col)[axis] for t in (tiles[i] for i in tile)
        ]).all()  # fmt: skip
        for grid, level in ((pe_grid, "pe"), (array_grid, "array")):
            assert (columns[f"{level}_{direction}"] >= 0).all()
            assert (columns[f"{level}_{direction}"] < grid[tile, axis]).all()
    used = (columns["row_stop"] - columns["row_start"], columns["col_stop"] - columns["col_start"])
    for cells, side in zip(used, (placement.array_rows, placement.array_cols), strict=True):
        assert (cells >= 1).all()
        assert (cells <= side).all()


@settings(max_examples=20)
@given(design=designs(), layers=networks(2))
def test_every_copy_holds_each_cell_of_its_matrix_once(design, layers):
    plan, placement = placed(design, layers)
    columns = placement.columns
    for index in range(len(plan.names)):
        mine = np.flatnonzero(columns["layer"] == index)
        is_kernel = bool(plan.is_kernel[index])
        positions = int(plan.layers.kernel_area[index]) if is_kernel else 1
        deep = plan.layers.channels[index] if is_kernel else plan.layers.rows[index]
        shape = (int(deep), int(plan.layers.columns[index]))
        held: dict[tuple[int, ...], np.ndarray] = {}
        for at in mine:
            key = tuple(int(columns[k][at]) for k in ("instance", "copy", "kernel_position"))
            grid = held.setdefault(key, np.zeros(shape, dtype=int))
            rows = slice(columns["row_start"][at], columns["row_stop"][at])
            grid[rows, columns["col_start"][at] : columns["col_stop"][at]] += 1
        assert all((grid == 1).all() for grid in held.values())
        owned, copies = int(plan.layers.owned[index]), int(plan.copies[index])
        expected = {
            (instance, copy, position if is_kernel else -1)
            for instance in range(owned)
            for copy in range(copies)
            for position in range(positions)
        }
        assert set(held) == expected


@settings(max_examples=60)
@given(design=designs(), layers=networks(3))
def test_no_weight_of_an_ungrouped_layer_is_lost_or_added(design, layers):
    plan, placement = placed(design, layers)
    cells = per_layer(placement, placement.cells)
    for index, layer in enumerate(layers):
        if layer.groups == 1:
            weights = layer.inputs * layer.kernel_h * layer.kernel_w * layer.outputs
            expected = weights * float(design.columns_per_weight) * float(plan.copies[index])
            assert cells[index] == expected


@settings(max_examples=40)
@given(design=designs(sides=(16, 32, 64, 128, 256)), layers=networks(3))
def test_packs_of_groups_share_no_subarray(design, layers):
    """They have different inputs. Where PEs are no whole number of subarrays wide, they do."""
    plan, placement = placed(design, layers)
    columns = placement.columns
    for index, layer in enumerate(layers):
        rows = layer.inputs // layer.groups * layer.kernel_h * layer.kernel_w
        packed = round(float(plan.layers.rows[index])) // rows
        packs = -(-layer.groups // packed)
        if packs == 1:
            continue
        wide = int(plan.layers.columns[index]) // packs
        mine = columns["layer"] == index
        first, last = columns["col_start"][mine] // wide, (columns["col_stop"][mine] - 1) // wide
        assert (first == last).all()


@settings(max_examples=60)
@given(design=designs(), layers=networks(3))
def test_a_borrowed_block_names_its_owner_and_takes_no_place(design, layers):
    plan, placement = placed(design, layers)
    tiles = Counter(tile.layer for tile in placement.tiles)
    first = len(layers)
    for index, owner in enumerate(placement.owners):
        if index < first or float(plan.layers.owned[index]) > 0:
            assert owner == index
            assert tiles[index] > 0
        else:
            assert tiles[index] == 0
            assert owner == (first if int(design.placement) == PLACEMENTS.index("common") else -1)


@settings(max_examples=40)
@given(design=designs(), layers=networks(3))
def test_rows_columns_and_tiles_tell_the_same(design, layers):
    _, placement = placed(design, layers)
    entries = list(placement)
    assert len(entries) == len(placement)
    cells = placement.cells.tolist()
    assert [entry.cells_used for entry in entries] == cells
    for name in PLACEMENT_COLUMNS:
        values = [getattr(entry, name) for entry in entries]
        assert [-1 if value is None else value for value in values] == placement.columns[
            name
        ].tolist()
    for tile in placement.tiles:
        inside = [entry for entry in entries if entry.tile == tile.index]
        assert tile.subarrays_used == len(inside) > 0
        assert {(entry.name, entry.kind) for entry in inside} == {(tile.name, tile.kind)}
        assert tile.cells_used == sum(entry.cells_used for entry in inside)
        assert 0 < tile.utilisation <= 1


def test_one_kernel_position_per_pe():
    design = make_design("chip.crossbar.rows=64", "chip.crossbar.cols=64").replace(
        kernel_per_pe=True, duplication=0, bits_per_cell=8.0
    )
    layer = Layer(inputs=128, outputs=64, kernel_h=3, kernel_w=3, size=8, padding=1)
    _, placement = placed(design, [layer])
    assert placement.tile_pes == ((3, 3),)
    # each PE: 128 channels x 64 columns = 2 x 1 subarrays
    assert len(placement) == 9 * 2
    last = list(placement)[-1]
    assert last == PlacedSubarray(
        layer=0, name="layer0", kind="conv", instance=0, copy=0, kernel_position=8,
        tile=0, grid_row=0, grid_col=0, pe_row=2, pe_col=2, array_row=1, array_col=0,
        row_start=64, row_stop=128, col_start=0, col_stop=64,
    )  # fmt: skip


def test_frame_has_a_row_per_subarray():
    _, placement = placed(make_design(), [Layer(300, 10), Layer(3, 4, 3, 3, 8)])
    frame = placement.to_frame()
    assert list(frame.columns) == ["name", *PLACEMENT_COLUMNS]
    first, second, _ = per_layer(placement)
    assert frame.groupby("name").size().to_dict() == {"layer0": first, "layer1": second}


@settings(max_examples=60)
@given(
    batch=designs().flatmap(lambda first: designs().map(lambda second: [first, second])),
    layers=networks(4),
)
@example(
    batch=[make_design(), make_design("chip.hierarchy.kernel_per_pe=false", design="common")],
    layers=[Layer(64, 64, 3, 3, 8), Layer(64, 10)],
)
def test_every_tensor_of_a_batched_plan_equals_the_scalar_plan(batch, layers):
    table, points = table_of(layers), points_of(layers)
    together = dict(tensors_of(plan_of(DesignBatch.stack(batch), table, points)))
    for row, design in enumerate(batch):
        alone = dict(tensors_of(plan_of(design, table, points)))
        assert alone.keys() == together.keys()
        for name, single in alone.items():
            many = together[name]
            if many.dim() > single.dim():
                many = many[row]
            assert torch.equal(many, single), name
            assert many.dtype == single.dtype, name


def plan_of(design, table, points) -> MappingPlan:
    return compile_plan(design=design, table=table, points=points)


@pytest.mark.parametrize("name", ["lenet3", "vgg8"])
def test_infeasible_plans_can_still_be_placed(name):
    from archsim.api.map import map_network
    from archsim.api.map import placement as place_subarrays

    result = map_network(name, overrides=["chip.hierarchy.max_tiles=1"])
    assert not result.feasible
    assert len(place_subarrays(result)) == float(result.plan.subarrays_used.sum())
