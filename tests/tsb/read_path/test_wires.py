"""Wires: circuits by hand, limits, and what a linear network must do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import example, levels_of, matrix_read
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Wires
from tsb.read_path.sums import column_sums
from tsb.read_path.wires import (
    bit_line_currents,
    driven_levels,
    effective_conductances,
    one_solve_conductances,
)

_OHM = 2.5


def _cells(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(6e-7, 1e-5, (rows, columns))


def test_two_by_two_by_hand() -> None:
    """Eight nodes, Kirchhoff's current law written out at each."""
    cells, g = _cells(0, 2, 2), 1 / _OHM
    (a, b), (c, d) = cells
    # nodes: w00 w01 w10 w11 b00 b01 b10 b11
    law = np.array([
        [2 * g + a, -g, 0, 0, -a, 0, 0, 0],
        [-g, g + b, 0, 0, 0, -b, 0, 0],
        [0, 0, 2 * g + c, -g, 0, 0, -c, 0],
        [0, 0, -g, g + d, 0, 0, 0, -d],
        [-a, 0, 0, 0, g + a, 0, -g, 0],
        [0, -b, 0, 0, 0, g + b, 0, -g],
        [0, 0, -c, 0, -g, 0, 2 * g + c, 0],
        [0, 0, 0, -d, 0, -g, 0, 2 * g + d],
    ])  # fmt: skip
    for row, at in ((0, 0), (1, 2)):
        source = np.zeros(8)
        source[at] = g
        volts = np.linalg.solve(law, source)
        np.testing.assert_allclose(
            effective_conductances(cells, segment_ohm=_OHM)[row], g * volts[6:8], rtol=1e-9
        )


def test_a_crossbar_turned_around_its_diagonal_is_reciprocal() -> None:
    """Word lines become bit lines: the current from i to j is that from j to i."""
    cells = _cells(1, 6, 9)
    turned = np.ascontiguousarray(cells[::-1, ::-1].T)
    there = effective_conductances(cells, segment_ohm=_OHM)
    back = effective_conductances(turned, segment_ohm=_OHM)
    np.testing.assert_allclose(back[::-1, ::-1].T, there, rtol=1e-9)


@pytest.mark.parametrize("solve", [effective_conductances, one_solve_conductances])
def test_wires_without_resistance_change_nothing(solve) -> None:  # type: ignore[no-untyped-def]
    cells = _cells(2, 7, 5)
    np.testing.assert_allclose(solve(cells, segment_ohm=1e-4), cells, rtol=1e-6)


def test_currents_fall_with_resistance() -> None:
    cells = _cells(3, 12, 8)
    inputs = np.ones((1, 12))
    driven = [effective_conductances(cells, segment_ohm=ohm).sum(0) for ohm in (1.0, 3.0, 10.0)]
    gated = [bit_line_currents(cells, inputs, segment_ohm=ohm)[0] for ohm in (1.0, 3.0, 10.0)]
    for currents in (driven, gated):
        for more, less in zip([cells.sum(0), *currents], currents, strict=False):
            assert (less < more).all()
    # The source side of a gated array is ideal: it loses less.
    assert all((one > other).all() for one, other in zip(gated, driven, strict=True))


def test_one_solution_is_exact_where_all_rows_have_the_same_voltage() -> None:
    cells = _cells(4, 9, 6)
    exact = effective_conductances(cells, segment_ohm=_OHM)
    fast = one_solve_conductances(cells, segment_ohm=_OHM)
    np.testing.assert_allclose(fast.sum(0), exact.sum(0), rtol=1e-9)
    assert np.abs(fast - exact).max() < 1e-3 * cells.max()


def test_unused_rows_before_ground_are_a_longer_last_segment() -> None:
    cells = _cells(5, 5, 4)
    padded = np.concatenate([cells, np.zeros((3, 4))])
    for solve in (effective_conductances, one_solve_conductances):
        np.testing.assert_allclose(
            solve(cells, segment_ohm=_OHM, tail=3), solve(padded, segment_ohm=_OHM)[:5], rtol=1e-9
        )
    inputs = np.array([[1.0, 0, 1, 1, 0]])
    np.testing.assert_allclose(
        bit_line_currents(cells, inputs, segment_ohm=_OHM, tail=3),
        bit_line_currents(padded, np.pad(inputs, ((0, 0), (0, 3))), segment_ohm=_OHM),
        rtol=1e-12,
    )


def test_a_gated_bit_line_is_a_ladder() -> None:
    """Nodal analysis of one bit line whose rows that are on have 1 V."""
    cells, g = _cells(6, 10, 3), 1 / 40.0
    inputs = np.random.default_rng(0).integers(0, 2, (4, 10)).astype(float)
    found = bit_line_currents(cells, inputs, segment_ohm=40.0)
    for vector, on in enumerate(inputs):
        for column in range(3):
            conductance = on * cells[:, column]
            law = np.diag(conductance + 2 * g) - g * (np.eye(10, k=1) + np.eye(10, k=-1))
            law[0, 0] -= g
            volts = np.linalg.solve(law, conductance)
            assert found[vector, column] == pytest.approx(g * volts[-1], rel=1e-10)


@pytest.mark.parametrize(
    ("model", "error"), [("gated-tanh", 0.03), ("gated-tanh-distance", 0.012),
                         ("gated-tanh-distance-series", 0.012)],
)  # fmt: skip
def test_closed_forms_are_near_and_exact_where_resistance_is_small(
    model: str, error: float
) -> None:
    cells = _cells(7, 64, 6)
    inputs = np.random.default_rng(1).integers(0, 2, (8, 64)).astype(float)
    scale = cells.sum(0).max()
    for ohm, allowed in ((5.0, error), (0.01, 0.002 * error)):
        exact = bit_line_currents(cells, inputs, segment_ohm=ohm, tail=8)
        near = bit_line_currents(cells, inputs, segment_ohm=ohm, tail=8, model=model)
        assert np.abs(near - exact).max() < allowed * scale


@pytest.mark.parametrize("model", ["driven", "driven-one-solve", "gated", "gated-tanh"])
@pytest.mark.parametrize(
    ("encoding", "pair", "how"), [
        ("offset", "digital", "digital"), ("offset", "digital", "analog"),
        ("offset", "digital", "off-column"), ("offset", "digital", "zero-column"),
        ("differential", "digital", "digital"), ("differential", "analog", "digital"),
        ("separate-sign", "digital", "digital"),
    ],
)  # fmt: skip
def test_products_behind_short_wires_are_those_without(
    model: str, encoding: str, pair: str, how: str
) -> None:
    chip = oracle.settings(
        encoding=encoding, pair=pair, offset_subtraction=how, on_off_ratio=17.0, rows=16,
        rows_at_once=8, wires=Wires(model=model, ohm_per_cell=1e-5, columns=16),
    )  # fmt: skip
    codes, inputs = example(1, chip, rows=20)
    groups = RowGroups.in_order(20, rows=16, rows_at_once=8)
    read = matrix_read(codes, chip, groups=groups)
    if model.startswith("driven"):
        cells = driven_levels(read.matrix, groups, chip)
        read = matrix_read(codes, chip, groups=groups, cells=cells)
    plain = inputs.astype(np.int64) @ codes
    np.testing.assert_allclose(read(inputs), plain, atol=1e-4 * np.abs(plain).max())


def test_a_passive_array_is_linear_in_its_inputs() -> None:
    chip = oracle.settings(
        on_off_ratio=17.0, rows=16, wires=Wires(model="driven", ohm_per_cell=50.0)
    )
    codes, _ = example(2, chip, rows=16)
    groups = RowGroups.in_order(16, rows=16)
    matrix = matrix_read(codes, chip).matrix
    read = matrix_read(codes, chip, cells=driven_levels(matrix, groups, chip))
    rows = np.eye(16, dtype=np.uint8)
    whole = read(np.ones((1, 16), dtype=np.uint8))
    np.testing.assert_allclose(read(rows).sum(0), whole[0], rtol=1e-9)
    assert (np.abs(whole - codes.sum(0)) > 1).any()


@pytest.mark.parametrize("model", ["driven", "gated"])
def test_columns_lie_in_crossbars_as_documented(model: str) -> None:
    """Output by output, the most significant slice first, so many columns per crossbar."""
    chip = oracle.settings(
        bits_per_cell=4, on_off_ratio=17.0, rows=8,
        wires=Wires(model=model, ohm_per_cell=200.0, r_on_ohm=1e4, columns=4),
    )  # fmt: skip
    codes, inputs = example(3, chip, rows=8, outputs=4)
    groups = RowGroups.in_order(8, rows=8)
    read = matrix_read(codes, chip)
    level_S = (1 / 1e4 - 1 / 1.7e5) / 15
    cells_S = (levels_of(codes, chip)[:, :, 0] + 15 / 16) * level_S
    flat = cells_S[:, :, ::-1].reshape(8, 8)
    if model == "driven":
        read = matrix_read(codes, chip, cells=driven_levels(read.matrix, groups, chip))
        parts = [effective_conductances(flat[:, at : at + 4], segment_ohm=200.0) for at in (0, 4)]
        currents = (inputs & 1).astype(float) @ np.concatenate(parts, 1)
    else:
        currents = bit_line_currents(flat, (inputs & 1).astype(float), segment_ohm=200.0)
    sums = column_sums(read, inputs, 0, 0)[:, ::-1, 0].transpose(0, 2, 1).reshape(len(inputs), 8)
    np.testing.assert_allclose(sums, currents / level_S, rtol=1e-8, atol=1e-9)


def test_rows_next_to_the_converters_lose_less() -> None:
    losses = []
    for where in ("top", "bottom"):
        chip = oracle.settings(
            on_off_ratio=17.0, rows=64,
            wires=Wires(model="gated", ohm_per_cell=100.0, rows_at=where),
        )  # fmt: skip
        codes, inputs = example(4, chip, rows=8)
        sums = column_sums(matrix_read(codes, chip), inputs, 0, 0)
        ideal = column_sums(matrix_read(codes, chip.but(wires=Wires())), inputs, 0, 0)
        losses.append((ideal - sums).sum())
    assert losses[0] > losses[1] > 0
    assert math.isfinite(losses[0])
