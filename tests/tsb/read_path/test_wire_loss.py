"""The loss by wires over the place of a cell: what all cells of a column keep is its current."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tsb.read_path.oracle import matrix_read, settings
from tsb.read_path.product import MatrixRead
from tsb.read_path.settings import Wires
from tsb.read_path.sums import column_sums
from tsb.read_path.wire_loss import bit_line_volts, wire_loss
from tsb.read_path.wires import driven_levels

_ROWS = 11


def _read(
    model: str, *, rows: int = _ROWS, rows_at: str = "top", encoding: str = "offset"
) -> MatrixRead:
    wires = Wires(model=model, ohm_per_cell=40.0, r_on_ohm=1e4, columns=16, rows_at=rows_at)
    chip = settings(
        rows=16, on_off_ratio=20.0, offset_subtraction="digital", wires=wires, encoding=encoding,
        input_bits=1,
    )  # fmt: skip
    codes = np.random.default_rng(0).integers(-127, 128, (rows, 3))
    read = matrix_read(codes, chip)
    if model == "driven":
        read.cells = driven_levels(read.matrix, read.groups, chip)
    return read


def _all_on(read: MatrixRead) -> np.ndarray:
    """Sums with all rows on, levels, with the current of level 0."""
    codes = np.ones((1, read.matrix.rows), dtype=np.uint8)
    return np.stack(
        [column_sums(read, codes, group, 0)[0] for group in range(len(read.groups))]
    ).sum(0)


@pytest.mark.parametrize("encoding", ["offset", "separate-sign"])
@pytest.mark.parametrize("model", ["driven", "gated"])
def test_what_is_left_is_the_current_of_the_columns(model: str, encoding: str) -> None:
    read = _read(model, encoding=encoding)
    found = wire_loss([read])
    assert found is not None
    ideal = float((read.matrix.held + read.settings.off_level).sum())
    assert found.mean == pytest.approx(1 - float(_all_on(read).sum()) / ideal, rel=1e-9)
    assert 0 < found.mean < found.worst < 1


def test_far_rows_lose_most_and_unused_places_have_no_number() -> None:
    found = wire_loss([_read("gated")])
    assert found is not None
    assert np.isnan(found.places[_ROWS:]).all()
    by_row = np.nanmean(found.places[:_ROWS], axis=1)
    assert (np.diff(by_row) < 0).all()


def test_rows_at_the_bottom_are_nearer_to_the_converters() -> None:
    far, near = wire_loss([_read("gated")]), wire_loss([_read("gated", rows_at="bottom")])
    assert far is not None
    assert near is not None
    assert near.mean < far.mean
    assert np.isnan(near.places[: 16 - _ROWS]).all()
    assert not np.isnan(near.places[16 - _ROWS :, 0]).any()


def test_rows_read_in_turns_lose_less() -> None:
    whole = _read("gated")
    chip = whole.settings.but(rows_at_once=4)
    turns = matrix_read(whole.matrix.codes, chip)
    few, all_at_once = wire_loss([turns]), wire_loss([whole])
    assert few is not None
    assert all_at_once is not None
    assert few.mean < all_at_once.mean
    left = 1 - float(_all_on(turns).sum()) / float((turns.matrix.held + chip.off_level).sum())
    assert few.mean == pytest.approx(left, rel=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_bit_lines_by_hand(rows: int) -> None:
    """Kirchhoff's current law at every node: a cell from 1 V, segments of 1 ohm."""
    cells = np.random.default_rng(rows).uniform(0.1, 1.0, (rows, 2))
    volts = bit_line_volts(cells, tail=2)
    for column in range(2):
        law = np.diag(cells[:, column])
        for row in range(rows - 1):
            law[row : row + 2, row : row + 2] += np.array([[1.0, -1.0], [-1.0, 1.0]])
        law[-1, -1] += 1 / 3
        by_hand = np.linalg.solve(law, cells[:, column])
        np.testing.assert_allclose(volts[:, column], by_hand, rtol=1e-12)


def test_ideal_wires_have_none() -> None:
    assert wire_loss([matrix_read(np.ones((4, 2), dtype=int), settings())]) is None


def test_large_crossbars_are_shown_in_32_by_32_places() -> None:
    wires = Wires(model="gated", ohm_per_cell=1.0, r_on_ohm=1e4, columns=100)
    chip = settings(rows=70, wires=wires)
    found = wire_loss([matrix_read(np.ones((70, 60), dtype=int), chip)])
    assert found is not None
    assert found.places.shape == (24, 25)  # three rows and four columns to a place
