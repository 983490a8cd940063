"""Converters: codes, ranges, levels, offsets and noise."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from archsim.errors import ConfigError, DataError
from tests.refusals import refused
from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import (
    but_converter,
    example,
    expected,
    levels_of,
    matrix_read,
    sum_by_sum,
)
from tsb.read_path import calibration
from tsb.read_path.calibration import KeptSums, SliceSums
from tsb.read_path.converter import ConverterGrid, nearest_rank, power_of_two, snapped
from tsb.read_path.level_tables import levels_of as table_of
from tsb.read_path.levels import clustered
from tsb.read_path.neurosim14 import neurosim14_product
from tsb.read_path.product import MatrixRead
from tsb.read_path.read_noise import Noise


def test_ties_go_up_and_a_step_is_a_level_or_more() -> None:
    grid = ConverterGrid.of_range(0.0, 6.0, bits=2, signed=False)
    assert grid.read(np.array([-9.0, 0.9, 1.0, 2.9, 3.0, 5.0, 99.0])).tolist() == [
        *(0.0, 0.0, 2.0, 2.0, 4.0, 6.0, 6.0)
    ]
    fine = ConverterGrid.of_range(2.0, 4.0, bits=4, signed=False)
    assert (fine.step, fine.low, fine.high) == (1.0, 2.0, 17.0)
    signed = ConverterGrid.of_range(-6.0, 6.0, bits=3, signed=True)
    assert (signed.steps, signed.bottom) == (3, -6.0)
    assert signed.read(np.array([-1.0, 1.0, -1.1, -50.0])).tolist() == [0.0, 2.0, -2.0, -6.0]


@pytest.mark.parametrize("span", [17, 38, 40, 97, 384])
def test_whole_codes_are_those_of_exact_arithmetic(span: int) -> None:
    """Also on ties, which lie half-way between codes."""
    chip = oracle.settings(bits=5, rows=128, encoding="offset", bits_per_cell=2)
    codes, inputs = example(span, chip, rows=128, vectors=9)
    read = matrix_read(codes, chip)
    read.grids = [ConverterGrid.of_range(3.0, 3.0 + span, bits=5, signed=False)] * 4
    plain = expected(codes, inputs, chip, ranges=[(3, 3 + span)] * 4)
    np.testing.assert_allclose(read(inputs), plain, atol=1e-7)


@pytest.mark.parametrize(
    ("percentile", "rank"), [(99.9, 999), (99.91, 1000), (100.0, 1000), (50.05, 501), (0.1, 1)]
)
def test_percentiles_are_those_of_nearest_rank(percentile: float, rank: int) -> None:
    values = np.arange(1.0, 1001.0)
    ones = np.ones(1000, dtype=np.int64)
    assert nearest_rank(values, ones, percentile) == rank
    assert nearest_rank(np.array([1.0, 2.0]), np.array([999, 1]), 99.9) == 1.0


def test_snapped_spans_are_odd() -> None:
    assert snapped(2.0, 12.0, signed=False) == (2, 13)
    assert snapped(2.25, 13.25, signed=False) == (2.25, 13.25)
    assert snapped(-8.0, 8.0, signed=True) == (-9, 9)


def _sums(codes: np.ndarray, inputs: np.ndarray, read: MatrixRead) -> list[np.ndarray]:
    """All sums of each slice, written plainly."""
    chip = read.settings
    cells = levels_of(codes, chip) + chip.seen_off_level
    if chip.signed_sums:
        cells = cells[:, :, :1] - cells[:, :, 1:]
    found: list[list[np.ndarray]] = [[] for _ in range(cells.shape[3])]
    for group in range(len(read.groups)):
        rows = read.groups.members(group)
        for plane in range(chip.planes):
            digits = inputs[:, rows].astype(np.int64) >> plane * chip.dac_bits & chip.top_drive
            for j, part in enumerate(found):
                part.append(np.einsum("vr,rcs->vcs", digits, cells[rows, :, :, j]).ravel())
    return [np.concatenate(part) for part in found]


@pytest.mark.parametrize("ratio", [math.inf, 16.3])
@pytest.mark.parametrize(
    ("encoding", "pair"), [("offset", "digital"), ("differential", "digital"),
                           ("differential", "analog")],
)  # fmt: skip
def test_calibrated_ranges_hold_the_sums_between_two_percentiles(
    encoding: str, pair: str, ratio: float
) -> None:
    chip = oracle.settings(
        encoding=encoding, pair=pair, on_off_ratio=ratio, bits=4, rows=16, range="calibrated",
        percentile=97.0, snap=False,
    )  # fmt: skip
    codes, inputs = example(1, chip, vectors=30)
    read = matrix_read(codes, chip)
    counter = read.counter()
    counter.add(inputs[:11])
    counter.add(inputs[11:])
    read.calibrate(counter.slices())
    ranges = []
    for sums in _sums(codes, inputs, read):
        signed = chip.signed_sums
        rising = np.sort(np.abs(sums)) if signed else np.sort(sums)
        high = rising[math.ceil(0.97 * len(rising) - 1e-9) - 1]
        ranges.append((-high if signed else rising[math.ceil(0.03 * len(rising) - 1e-9) - 1], high))
    assert read.grids is not None
    for grid, (low, high) in zip(read.grids, ranges, strict=True):
        steps = 2 ** (4 - chip.signed_sums) - 1
        assert grid.high == pytest.approx(low + max(high - low, steps) if not chip.signed_sums
                                          else max(high, steps))  # fmt: skip
    np.testing.assert_allclose(
        read(inputs), expected(codes, inputs, chip, ranges=ranges), atol=1e-6
    )


def test_many_sums_are_counted_in_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = oracle.settings(bits=4, rows=16, on_off_ratio=16.3, range="calibrated")
    codes, inputs = example(2, chip, vectors=40)
    read = matrix_read(codes, chip)
    whole = KeptSums(read)
    whole.add(inputs)
    monkeypatch.setattr(calibration, "MOST_KEPT", 300)
    binned = KeptSums(read)
    binned.add(inputs)
    assert binned.kept <= 300
    for one, other in zip(whole.slices(), binned.slices(), strict=True):
        assert one.counts.sum() == other.counts.sum()
        ends = (one.range(97.0, signed=False), other.range(97.0, signed=False))
        assert ends[0] == pytest.approx(ends[1], abs=2 * binned.bin)


def test_ranges_need_images() -> None:
    chip = oracle.settings(bits=4, range="calibrated")
    codes, inputs = example(3, chip)
    read = matrix_read(codes, chip)
    with refused(
        ConfigError, code="missing-key", field="adc.range", value="calibrated",
        allowed="full-scale",
    ):  # fmt: skip
        read.calibrate(read.counter().slices())
    with refused(
        ConfigError, code="missing-key", field="adc.range", value="calibrated", allowed="unit-step"
    ):
        read(inputs)


def test_clusters_have_a_smaller_error_than_even_levels() -> None:
    rng = np.random.default_rng(0)
    values, counts = np.unique(rng.geometric(0.1, 5000).astype(float), return_counts=True)
    sums = SliceSums.of(values, counts)
    uneven = ConverterGrid.of_levels(sums.levels(8, signed=False))
    even = ConverterGrid.of_range(0.0, float(values[-1]), bits=3, signed=False)
    assert sums.signal_to_noise(uneven) > 3 * sums.signal_to_noise(even)
    # Lloyd's condition: each level is the mean of the sums that get it.
    codes = uneven.codes(values)
    for code, level in enumerate(uneven.levels or ()):
        mine = codes == code
        assert level == pytest.approx((values * counts)[mine].sum() / counts[mine].sum())


def test_few_sums_have_a_level_each() -> None:
    values = np.array([1.0, 4.0, 5.0])
    assert clustered(values, np.ones(3, dtype=np.int64), 8) == [1.0, 4.0, 5.0]


@pytest.mark.parametrize("pair", ["digital", "analog"])
def test_clusters_of_calibration_sums_are_read(pair: str) -> None:
    chip = oracle.settings(
        encoding="differential", pair=pair, bits=3, rows=16, range="calibrated", levels="lloyd-max"
    )
    codes, inputs = example(4, chip, vectors=30)
    read = matrix_read(codes, chip)
    counter = read.counter()
    counter.add(inputs)
    read.calibrate(counter.slices())
    for grid, sums in zip(read.grids or [], _sums(codes, inputs, read), strict=True):
        assert grid.levels is not None
        assert len(grid.levels) <= 8
        nearest = np.abs(sums[:, None] - np.array(grid.levels)).min(1)
        np.testing.assert_allclose(np.abs(grid.read(sums) - sums), nearest)
    plain = inputs.astype(np.int64) @ codes
    even = but_converter(chip, levels="linear", range="full-scale")
    errors = [np.abs(one(inputs) - plain).mean() for one in (read, matrix_read(codes, even))]
    assert errors[0] < errors[1]


def test_an_even_table_is_a_linear_converter(tmp_path: Path) -> None:
    (tmp_path / "even.txt").write_text("# of the range\n0, 0.2 0.4\n0.6 0.8 1\n")
    table = table_of("even.txt", bits=3, folder=tmp_path)
    assert table == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    chip = oracle.settings(bits=3, rows=16, bits_per_cell=1, levels=table)
    codes, inputs = example(5, chip)
    read = matrix_read(codes, chip)
    grid = (read.grids_of_groups()[0][0] or [])[0]
    assert grid.levels == pytest.approx([16 * one for one in (0, 0.2, 0.4, 0.6, 0.8, 1)])
    assert grid.read(np.array([1.5, 1.7, 14.3, 14.5, 99.0])).tolist() == pytest.approx(
        [0, 3.2, 12.8, 16, 16]
    )
    assert read(inputs).shape == (6, 5)


@pytest.mark.parametrize("words", ["0 1 0.5", "0.5", "0 0 1", "-2 0 1", "0 1 2"])
def test_tables_that_are_no_levels_are_refused(tmp_path: Path, words: str) -> None:
    (tmp_path / "bad.txt").write_text(words)
    with refused(
        ConfigError, code="out-of-range", field="adc.levels",
        value=tuple(float(word) for word in words.split()),
    ):  # fmt: skip
        table_of(str(tmp_path / "bad.txt"), bits=3)


def test_tables_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with refused(DataError, code="missing-file", field=tmp_path / "no.txt"):
        table_of(str(tmp_path / "no.txt"), bits=3)
    (tmp_path / "words.txt").write_text("0 one")
    with refused(DataError, code="wrong-file", field=tmp_path / "words.txt"):
        table_of(str(tmp_path / "words.txt"), bits=3)


def test_offsets_belong_to_converters_and_chips() -> None:
    chip = oracle.settings(bits=5, rows=16, offset_lsb=0.7, columns_per_converter=8)
    codes, inputs = example(6, chip, rows=32, outputs=6)
    read = matrix_read(codes, chip, chip=3)
    offsets = read.offsets_of(0).reshape(4, 6)
    # Four slices a weight: two neighbouring outputs share a converter of eight columns.
    for converter in range(3):
        assert len(np.unique(offsets[:, 2 * converter : 2 * converter + 2])) == 1
    assert len(np.unique(offsets)) == 3
    assert (read.offsets_of(1) != read.offsets_of(0)).all()
    assert (matrix_read(codes, chip, chip=4).offsets_of(0) != read.offsets_of(0)).all()
    np.testing.assert_array_equal(read(inputs), matrix_read(codes, chip, chip=3)(inputs))
    conversion = read.group_conversions()[0]
    np.testing.assert_allclose(
        conversion.totals(inputs, None, 0),
        sum_by_sum(conversion, inputs, None, 0),
        atol=1e-7,
    )
    assert (read(inputs) != matrix_read(codes, but_converter(chip, offset_lsb=0.0))(inputs)).any()


def test_a_group_of_a_crossbar_has_the_converters_of_its_crossbar() -> None:
    chip = oracle.settings(bits=5, rows=16, rows_at_once=8, offset_lsb=0.7)
    codes, _ = example(7, chip, rows=32)
    read = matrix_read(codes, chip)
    drawn = [read.offsets_of(group)[0] for group in range(4)]
    assert drawn[0] == drawn[1] != drawn[2] == drawn[3]


def test_noise_of_conversions_is_added_before_they_are_rounded() -> None:
    chip = oracle.settings(bits=6, rows=16, noise_lsb=0.8)
    codes, inputs = example(8, chip, vectors=200)
    read = matrix_read(codes, chip)
    conversion = read.group_conversions()[0]
    np.testing.assert_allclose(
        conversion.totals(inputs, Noise(1), 0),
        sum_by_sum(conversion, inputs, Noise(1), 0),
        atol=1e-7,
    )
    np.testing.assert_array_equal(read(inputs), expected(codes, inputs, chip))
    noisy = read(inputs, Noise(1))
    assert (noisy != read(inputs, Noise(2))).any()
    # Rounding adds a twelfth; a step is one level here. Vectors near both ends are cut off.
    groups, slices = 3, 4
    variance = (
        groups
        * (0.8**2 + 1 / 12)
        * sum(4.0**k for k in range(8))
        * sum(16.0**j for j in range(slices))
    )
    errors = (noisy - inputs.astype(np.int64) @ codes)[2:]
    assert errors.std() == pytest.approx(variance**0.5, rel=0.15)


@pytest.mark.parametrize("bits", [3, 6])
def test_the_range_of_the_batch_is_that_of_neurosim(bits: int) -> None:
    """Whole sums, so that float32 decides no edge: the same as the formula of its layers."""
    chip = oracle.settings(
        bits=bits, range="neurosim-v1.4", offset_subtraction="middle-column", rows=16
    )
    codes, inputs = example(9, chip, rows=48)
    weights = torch.from_numpy((2 * (codes + 128) - 255) / 255).T
    theirs = neurosim14_product(
        weights,
        torch.from_numpy(inputs).long(),
        bits_per_cell=2,
        adc_bits=bits,
        on_off_ratio=math.inf,
        rows=16,
    )
    half = inputs.sum(1, dtype=np.int64)[:, None] / 2  # its codes lie half a step from zero
    read = matrix_read(codes, chip)
    np.testing.assert_allclose(read(inputs) + half, theirs.double() * 2**15, rtol=1e-5, atol=1.0)
    assert (read(inputs)[2:4] != read(inputs[2:4])).any()  # an image alone is read otherwise


def test_a_batch_of_equal_sums_is_read_as_it_is() -> None:
    chip = oracle.settings(bits=4, range="neurosim-v1.4", rows=16, on_off_ratio=16.3)
    codes = np.full((16, 3), 5)
    inputs = np.full((2, 16), 9, dtype=np.uint8)
    np.testing.assert_allclose(
        matrix_read(codes, chip)(inputs), inputs.astype(np.int64) @ codes, atol=1e-7
    )


def test_slices_whose_ranges_are_powers_of_two_apart() -> None:
    """By hand: 7 codes; 4 levels are held by 7, 16 by 40 / 2, 40 stay."""
    ranges = [(0.0, 4.0), (3.0, 19.0), (0.0, 40.0)]
    assert power_of_two(ranges, 7, signed=False) == [(0.0, 10.0), (3.0, 23.0), (0.0, 40.0)]
    assert power_of_two([(-9.0, 9.0), (-3.0, 3.0)], 3, signed=True) == [(-9.0, 9.0), (-4.5, 4.5)]
    chip = oracle.settings(
        bits=3, range="calibrated", slice_ranges="power-of-two", encoding="differential", rows=32
    )
    codes, inputs = example(3, chip, vectors=40)
    read = matrix_read(codes % 60, chip)
    counter = read.counter()
    counter.add(inputs)
    read.calibrate(counter.slices())
    assert read.grids is not None
    steps = [grid.step for grid in read.grids]
    assert min(steps) >= 1
    assert len(set(steps)) > 1
    assert all(math.log2(max(steps) / step).is_integer() for step in steps)


def test_the_batch_of_neurosim_decides_what_an_image_gets() -> None:
    torch.manual_seed(0)
    weights, inputs = torch.rand(3, 40) * 2 - 1, torch.randint(0, 256, (6, 40))
    settings = {"bits_per_cell": 2, "on_off_ratio": 10.0, "rows": 16}
    fine = neurosim14_product(weights, inputs, adc_bits=16, **settings)
    plain = inputs[:, :32] / 256 @ weights[:, :32].T
    assert (fine - plain).abs().max() < 0.1  # rows beyond a multiple of 16 are left out
    coarse = neurosim14_product(weights, inputs, adc_bits=4, **settings)
    alone = neurosim14_product(weights, inputs[:2], adc_bits=4, **settings)
    assert (coarse[:2] - alone).abs().max() > 0.01
    assert (coarse - plain).abs().max() > (fine - plain).abs().max()
