"""Effects of a read switched off: other grids of converters, histograms, standard errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archsim.analysis.reading import _finer, _unclipped, histogram, mean_and_error
from tests.tsb.read_path.oracle import settings
from tsb.read_path.calibration import SliceSums
from tsb.read_path.converter import ConverterGrid


def _grids(*, signed: bool) -> list[ConverterGrid]:
    ends = [(0.0, 41.0), (3.0, 20.0)]
    return [
        ConverterGrid.of_range(-high if signed else low, high, bits=4, signed=signed)
        for low, high in ends
    ]


@pytest.mark.parametrize("signed", [False, True])
def test_fine_steps_keep_the_range_and_have_the_old_codes(signed: bool) -> None:
    chip = settings(rows=64)
    for grid, fine in zip(_grids(signed=signed), _finer(chip, _grids(signed=signed)), strict=True):
        assert (fine.bottom, fine.high) == (grid.bottom, grid.high)
        old = grid.bottom + grid.step * np.arange(grid.steps - grid.lowest_code + 1)
        np.testing.assert_allclose(fine.read(old), old, atol=1e-9)
        sums = np.linspace(grid.bottom, grid.high, 500)
        assert np.abs(fine.read(sums) - sums).max() <= grid.step / 100
        assert fine.read(np.array([1e6]))[0] == pytest.approx(grid.high)


@pytest.mark.parametrize("signed", [False, True])
def test_unclipped_steps_are_the_same_for_all_sums(signed: bool) -> None:
    encoding = {"encoding": "differential", "pair": "analog"} if signed else {}
    chip = settings(rows=64, **encoding)
    grids = _grids(signed=signed)
    wide = _unclipped(chip, grids)
    assert len({(grid.steps, grid.lowest_code) for grid in wide}) == 1  # as converters have
    most = 64.0 * chip.top_level
    for grid, other in zip(grids, wide, strict=True):
        assert other.step == pytest.approx(grid.step)
        inside = np.linspace(grid.bottom, grid.high, 300)
        np.testing.assert_allclose(other.read(inside), grid.read(inside), atol=1e-9)
        sums = np.linspace(-most if signed else -most / 2, most, 300)
        assert np.abs(other.read(sums) - sums).max() <= grid.step / 2 + 1e-9


def test_levels_of_a_table_are_left_alone() -> None:
    assert _unclipped(settings(rows=64), [ConverterGrid.of_levels([0.0, 1.0, 5.0])]) == []


def test_histograms_count_every_sum_once() -> None:
    draw = np.random.default_rng(0)
    whole = SliceSums.of(np.arange(0.0, 200.0), draw.integers(1, 9, 200))
    edges, counts = histogram(whole)
    assert sum(counts) == whole.counts.sum()
    assert len(counts) <= 64
    assert {edges[0] % 1, np.diff(edges).std()} == {0.5, 0.0}
    few = SliceSums.of(np.array([0.0, 3.0]), np.array([5, 2]))
    assert histogram(few) == ((-0.5, 0.5, 1.5, 2.5, 3.5), (5, 0, 0, 2))
    real = SliceSums.of(draw.normal(size=1000), np.ones(1000, dtype=np.int64))
    assert sum(histogram(real)[1]) == 1000
    one = SliceSums.of(np.array([0.25]), np.array([7]))
    assert sum(histogram(one)[1]) == 7


def test_chips_of_one_image_are_no_further_images() -> None:
    right = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    assert mean_and_error(right.repeat(5, 1)) == pytest.approx(mean_and_error(right))
    assert mean_and_error(right) == pytest.approx((0.75, right.std().item() / 2))
    assert mean_and_error(torch.ones(1)) == (1.0, 0.0)
