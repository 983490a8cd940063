"""The two faces of the mapping agree: closed-form counts and explicit placement."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.design import FILL, LIKE_BACKBONE, DesignBatch
from archsim.config.choices import PLACEMENTS, STORED_NAMES
from archsim.config.encodings import STORED_ENCODINGS
from archsim.errors import MappingError
from archsim.network.insertion import InsertionPoint
from archsim.network.layer import LayerKind
from archsim.network.table import DIGITAL_COLUMNS, LayerTable
from mapping.compile import compile_plan
from mapping.place import place
from tests.designs import make_design
from tests.refusals import refused

BASE = make_design()


@st.composite
def designs(draw):
    def number(*values):
        return float(draw(st.sampled_from(values)))

    return BASE.replace(
        rows=number(16, 32, 64, 96, 128, 200, 256),
        cols=number(32, 64, 96, 128, 256),
        mux_ratio=number(4, 8, 16),
        bits_per_cell=number(1, 2, 3, 4, 8),
        encoding=draw(st.sampled_from(range(len(STORED_ENCODINGS)))),
        kernel_per_pe=draw(st.booleans()),
        duplication=draw(st.sampled_from([0, 1, 2])),
        pipeline=draw(st.booleans()),
        speed_up_degree=number(1, 2, 3),
        copies=number(1, 2),
        placement=draw(st.sampled_from(range(len(PLACEMENTS)))),
        tsb_channels=number(1, 5, 16, 48, 128, 300),
        tsb_depth=number(1, 2),
        tsb_copies=number(LIKE_BACKBONE, FILL, 1, 3, 7, 50),
        tsb_per_group=draw(st.booleans()),
    )


@st.composite
def layer(draw):
    """One convolution or linear layer: (in, out, kernel, groups, map side)."""
    if draw(st.booleans()):
        return draw(st.integers(1, 700)), draw(st.integers(1, 300)), 1, 1, 1
    groups = draw(st.sampled_from([1, 1, 1, 2, 7]))
    each_in, each_out = draw(st.integers(1, 96)), draw(st.integers(1, 96))
    kernel = draw(st.sampled_from([1, 3, 3, 5]))
    return groups * each_in, groups * each_out, kernel, groups, draw(st.integers(kernel, 24))


def table_of(layers):
    def column(values):
        return torch.tensor(values, dtype=torch.float64)

    channels, outputs, kernels, groups, sides = zip(*layers, strict=True)
    zeros = [0.0] * len(layers)
    return LayerTable(
        names=tuple(f"layer{i}" for i in range(len(layers))),
        kinds=(LayerKind.CONV,) * len(layers),
        in_height=column(sides),
        in_width=column(sides),
        in_channels=column(channels),
        kernel_h=column(kernels),
        kernel_w=column(kernels),
        out_channels=column(outputs),
        out_height=column(sides),
        out_width=column(sides),
        stride_h=column(zeros) + 1,
        stride_w=column(zeros) + 1,
        padding_h=column([(k - 1) // 2 for k in kernels]),
        padding_w=column([(k - 1) // 2 for k in kernels]),
        groups=column(groups),
        mvms=column([side * side for side in sides]),
        pool_factor=column(zeros) + 1,
        added=column(zeros),
        **dict.fromkeys(DIGITAL_COLUMNS, column(zeros)),
        is_first=column([1.0, *zeros[1:]]),
        is_signed=column([1.0, *zeros[1:]]),
        followed_by_relu=column(zeros) + 1,
    )


def groups_of(layers, count):
    return np.array([groups for *_, groups, _ in layers] + [1] * (count - len(layers)))


def points_of(layers):
    return tuple(
        InsertionPoint(name=f"layer{i}", after=f"layer{i}", channels=o, height=s, width=s)
        for i, (_, o, k, _, s) in enumerate(layers)
        if k > 1
    )


@settings(max_examples=80)
@given(design=designs(), layers=st.lists(layer(), min_size=1, max_size=5))
def test_placement_is_what_was_counted(design, layers):
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    placed = place(design=design, plan=plan)
    columns, count = placed.columns, len(plan.names)
    per_layer = np.bincount(columns["layer"], minlength=count)
    assert per_layer.tolist() == plan.subarrays_used.tolist()
    cells = np.bincount(columns["layer"], weights=placed.cells, minlength=count)
    # Grouped layers leave the cells off the block diagonal of their subarrays alone.
    dense = plan.layers.input_rows == plan.layers.rows
    dense = dense.expand(count).numpy() & (groups_of(layers, count) == 1)
    assert cells[dense].tolist() == plan.write_cells.numpy()[dense].tolist()
    assert (cells >= plan.write_cells.numpy()).all()
    tiles = np.bincount(placed.tile_layer, minlength=count)
    assert tiles.tolist() == plan.tiles.tolist()
    assert len(placed.tile_layer) <= placed.grid_rows * placed.grid_cols


@settings(max_examples=40)
@given(design=designs(), layers=st.lists(layer(), min_size=1, max_size=4))
def test_no_border_of_a_crossbar_cuts_a_pair_of_columns(design, layers):
    """Columns that share ADCs are multiples of four, so a pair that starts even ends in place."""
    design = design.replace(encoding=STORED_NAMES.index("separate-sign"))
    columns = place(design=design, plan=compile_plan(design=design, table=table_of(layers))).columns
    assert (columns["col_start"] % 2 == 0).all()
    assert (columns["col_stop"] % 2 == 0).all()


@settings(max_examples=60)
@given(design=designs(), layers=st.lists(layer(), min_size=1, max_size=4))
def test_no_two_subarrays_share_a_place_and_all_fit(design, layers):
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    placed = place(design=design, plan=plan)
    columns = placed.columns
    where = np.stack(
        [columns[name] for name in ("tile", "pe_row", "pe_col", "array_row", "array_col")], 1
    )
    assert len(np.unique(where, axis=0)) == len(where)
    floor = plan.floorplan
    kernel = plan.is_kernel.numpy()[columns["layer"]]
    side = np.where(kernel, float(floor.kernel_side), float(floor.pe_side))
    assert (columns["array_row"] < np.ceil(side / float(design.rows))).all()
    assert (columns["array_col"] < np.ceil(side / float(design.cols))).all()
    across = np.where(kernel, np.ceil(np.sqrt(float(floor.kernel_pes))), float(floor.pes_per_side))
    assert (columns["pe_row"] < across).all()
    assert (columns["pe_col"] < across).all()
    assert (columns["row_stop"] - columns["row_start"] <= float(design.rows)).all()
    assert (columns["col_stop"] - columns["col_start"] <= float(design.cols)).all()
    assert (columns["grid_row"] < placed.grid_rows).all()
    assert (columns["grid_col"] < placed.grid_cols).all()


@settings(max_examples=15)
@given(design=designs(), layers=st.lists(layer(), min_size=1, max_size=2))
def test_every_copy_covers_its_matrix_exactly_once(design, layers):
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    columns = place(design=design, plan=plan).columns
    for index in range(len(plan.names)):
        mine = columns["layer"] == index
        keys = np.stack([columns[k][mine] for k in ("instance", "copy", "kernel_position")], 1)
        kernel = bool(plan.is_kernel[index])
        rows = plan.layers.channels[index] if kernel else plan.layers.rows[index]
        shape = (int(rows), int(plan.layers.columns[index]))
        for key in np.unique(keys, axis=0):
            held = np.zeros(shape, dtype=int)
            for at in np.flatnonzero(mine)[(keys == key).all(1)]:
                r = slice(columns["row_start"][at], columns["row_stop"][at])
                c = slice(columns["col_start"][at], columns["col_stop"][at])
                held[r, c] += 1
            assert (held == 1).all()


@settings(max_examples=40)
@given(
    batch=st.lists(designs(), min_size=2, max_size=6),
    layers=st.lists(layer(), min_size=1, max_size=4),
)
def test_row_of_a_batch_equals_the_scalar_plan(batch, layers):
    table, points = table_of(layers), points_of(layers)
    stacked = compile_plan(design=DesignBatch.stack(batch), table=table, points=points)
    for row, design in enumerate(batch):
        one = compile_plan(design=design, table=table, points=points)
        for name in ("tiles", "subarrays_used", "write_cells", "utilisation", "wish", "tile_rows"):
            many, single = getattr(stacked, name), getattr(one, name)
            many = many.expand(len(batch), *single.shape[-1:])
            assert torch.equal(many[row], single.expand(many[row].shape)), name
        assert float(stacked.floorplan.tiles.expand(len(batch))[row]) == float(one.floorplan.tiles)


def test_shared_block_is_owned_once_and_borrowed_by_the_rest():
    layers = [(8, 32, 3, 1, 8), (32, 64, 3, 1, 8), (64, 10, 3, 1, 4)]
    design = BASE.replace(placement=PLACEMENTS.index("common"), tsb_channels=16.0)
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    assert place(design=design, plan=plan).owners == (0, 1, 2, 3, 3, 3)
    # ceil(C / c) groups x pixels, in turn: 2 x 64, 4 x 64 and 1 x 16 vectors.
    assert plan.layers.vectors[3:].tolist() == [128, 256, 16]
    assert plan.layers.rows[3:].tolist() == [16, 16, 16]


def test_separate_blocks_have_a_crossbar_per_group_and_no_wider_than_the_layer():
    layers = [(8, 32, 3, 1, 8), (32, 10, 3, 1, 8)]
    design = BASE.replace(placement=PLACEMENTS.index("separate"), tsb_channels=16.0)
    plan = compile_plan(design=design, table=table_of(layers), points=points_of(layers))
    assert plan.layers.instances[2:].tolist() == [2, 1]
    assert plan.layers.rows[2:].tolist() == [16, 10]
    assert plan.layers.vectors[2:].tolist() == [64, 64]
    in_turn = compile_plan(
        design=design.replace(tsb_per_group=False), table=table_of(layers), points=points_of(layers)
    )
    assert in_turn.layers.instances[2:].tolist() == [1, 1]
    assert in_turn.layers.vectors[2:].tolist() == [128, 64]


def test_batches_and_merged_plans_are_not_placed():
    layers = [(8, 8, 3, 1, 8), (8, 8, 3, 1, 8)]
    table = table_of(layers)
    batch = DesignBatch.stack([BASE, BASE.replace(rows=64.0)])
    facts = {"code": "shape-mismatch", "field": "design", "value": (2,)}
    with refused(MappingError, **facts, allowed="one design"):
        place(design=batch, plan=compile_plan(design=batch, table=table))
    table = table.select([1] * 6)  # the last four layers stay apart
    merged = compile_plan(design=BASE, table=table, merge_alike=True)
    with refused(MappingError, code="conflict", field="plan", allowed="merge_alike=False"):
        place(design=BASE, plan=merged)


def test_groups_are_packed_and_share_no_word_line():
    # Depthwise 3x3 on 32 channels, 128 x 128 array, 4 cells per weight: 14 groups of 9 rows fit the
    # rows, 32 the columns, so 3 packs, each in a subarray of its own.
    design = BASE.replace(duplication=0)
    plan = compile_plan(design=design, table=table_of([(32, 32, 3, 32, 8)]))
    work = plan.layers
    assert (work.rows.item(), work.columns.item()) == (126, 3 * 128)
    assert work.fill.item() == pytest.approx(32 * 4 / (3 * 128))
    assert plan.subarrays_used.item() == 3
    assert (work.macs.item(), work.input_rows.item()) == (32 * 9, 32 * 9)
    dense = compile_plan(design=design, table=table_of([(32, 32, 3, 1, 8)])).layers
    assert (dense.macs.item(), dense.fill.item()) == (32 * 32 * 9, 1.0)
