"""What converters do to the sums of a slice: counted plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.tsb.read_path.oracle import matrix_read, settings
from tsb.read_path.product import MatrixRead
from tsb.read_path.slices import slice_read_outs


def _calibrated(seed: int, **changes: object) -> MatrixRead:
    draw = np.random.default_rng(seed)
    chip = settings(rows=64, input_bits=2, weight_bits=4, **changes)
    read = matrix_read(draw.integers(-7, 8, (64, 5)), chip)
    counter = read.counter()
    counter.add(draw.integers(0, 4, (200, 64)).astype(np.uint8))
    read.calibrate(counter.slices())
    return read


def _sums(read: MatrixRead, index: int) -> tuple[np.ndarray, np.ndarray]:
    assert read.sums is not None
    return read.sums[index].values, read.sums[index].counts


def test_one_matrix_by_hand() -> None:
    read = _calibrated(0, bits=4, range="calibrated", percentile=90.0)
    for index, found in enumerate(slice_read_outs([read])):
        assert read.grids is not None
        grid = read.grids[index]
        values, counts = _sums(read, index)
        sums = np.repeat(values, counts)
        half = grid.step / 2
        outside = (sums < grid.low - half) | (sums > grid.high + half)
        assert found.clip_rate == pytest.approx(outside.mean())
        assert 0.05 < found.clip_rate < 0.25
        assert found.codes_used == len(set(grid.codes(sums).tolist())) <= found.codes == 16
        error = ((grid.read(sums) - sums) ** 2).mean()
        assert found.effective_bits == pytest.approx(0.5 * math.log2(sums.var() / error))
        assert (found.low, found.high, found.step) == (grid.low, grid.high, grid.step)


def test_matrices_are_taken_together() -> None:
    reads = [_calibrated(seed, bits=3, range="calibrated", percentile=95.0) for seed in (1, 2)]
    for index, found in enumerate(slice_read_outs(reads)):
        alone = [slice_read_outs([read])[index] for read in reads]
        counts = [int(one.sums.counts.sum()) for one in alone]
        assert int(found.sums.counts.sum()) == sum(counts)
        mean = sum(n * one.clip_rate for n, one in zip(counts, alone, strict=True)) / sum(counts)
        assert found.clip_rate == pytest.approx(mean)
        assert found.low == min(one.low for one in alone if one.low is not None)
        assert found.high == max(one.high for one in alone if one.high is not None)
        assert found.effective_bits == min(one.effective_bits or math.inf for one in alone)


def test_ranges_of_used_rows_are_those_of_the_largest_group() -> None:
    """40 rows of 64 hold weights, then 24: all sums are inside of the first range."""
    chip = settings(rows=40, input_bits=1, weight_bits=4, bits=5, range="full-scale-used")
    read = matrix_read(np.full((64, 3), 7), chip)
    counter = read.counter()
    counter.add(np.ones((10, 64), dtype=np.uint8))
    read.calibrate(counter.slices())
    for found in slice_read_outs([read]):
        assert found.high == 40 * chip.top_level
        assert found.clip_rate == 0


def test_without_a_converter_only_the_sums_are_known() -> None:
    for found in slice_read_outs([_calibrated(3, bits=0)]):
        assert (found.low, found.codes, found.codes_used, found.effective_bits) == (None,) * 4
        assert found.clip_rate == 0


def test_fewer_bits_than_a_bit_are_none_at_all() -> None:
    read = _calibrated(4, bits=1, range="full-scale")
    assert {found.effective_bits for found in slice_read_outs([read])} == {0.0}
