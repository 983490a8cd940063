"""The product of a chip against the same written plainly, and what must hold exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import settings as search
from hypothesis import strategies as some

from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import (
    but_converter,
    cell_errors,
    example,
    expected,
    matrix_read,
    sum_by_sum,
)
from tsb.read_path.converter import needed_bits
from tsb.read_path.read_noise import Noise
from tsb.read_path.row_groups import RowGroups

#: Ratios whose currents at level 0 lie between halves of steps.
RATIOS = (math.inf, 16.3, 5.7)


@some.composite
def chips(draw: some.DrawFn) -> dict[str, Any]:
    """Settings of any chip that reads a matrix."""
    encoding = draw(some.sampled_from(["offset", "differential", "separate-sign"]))
    rows = draw(some.sampled_from([8, 13, 32, 64]))
    input_bits = draw(some.integers(1, 10))
    return {
        "encoding": encoding,
        "weight_bits": draw(some.integers(2, 9)),
        "bits_per_cell": draw(some.sampled_from([1, 2, 3, 4])),
        "input_bits": input_bits,
        "dac_bits": draw(some.integers(1, min(3, input_bits))),
        "rows": rows,
        "rows_at_once": draw(some.sampled_from([None, 5, 8])),
        "on_off_ratio": draw(some.sampled_from(RATIOS)),
        "offset_subtraction": draw(
            some.sampled_from(["digital", "off-column", "zero-column", "analog"])
        ),
        "pair": draw(some.sampled_from(["digital", "analog"])),
        "bits": draw(some.sampled_from([0, 2, 3, 5, 7, 9])),
        "range": draw(some.sampled_from(["full-scale", "full-scale-used", "unit-step"])),
    }


@search(max_examples=60)
@given(given_chip=chips(), seed=some.integers(0, 1000), wrong=some.booleans())
def test_the_product_is_the_one_written_plainly(
    given_chip: dict[str, Any], seed: int, wrong: bool
) -> None:
    chip = oracle.settings(**given_chip)
    codes, inputs = example(seed, chip)
    errors = cell_errors(seed, codes, chip, 0.2) if wrong else None
    read = matrix_read(codes, chip, errors)
    plain = expected(codes, inputs, chip, errors=errors)
    if errors is not None and chip.converter.bits:
        # The compiled loop adds in float32, which decides sums on the edge of a code otherwise.
        conversion = [one.read_sums(inputs, None, 0) for one in read.group_conversions()]
        assert all(np.isfinite(part).all() for part in conversion)
        differs = np.abs(read(inputs) - plain) > 1e-6 * (1 + np.abs(plain).max())
        assert differs.mean() < 0.05
        return
    np.testing.assert_allclose(read(inputs), plain, rtol=0, atol=1e-8 * (1 + np.abs(plain).max()))


@search(max_examples=60)
@given(given_chip=chips(), seed=some.integers(0, 1000))
def test_compiled_loops_say_what_sums_one_by_one_say(given_chip: dict[str, Any], seed: int) -> None:
    chip = oracle.settings(**given_chip)
    assume(chip.converter.bits > 0)
    codes, inputs = example(seed, chip)
    read = matrix_read(codes, chip)
    for conversion in read.group_conversions():
        np.testing.assert_allclose(
            conversion.totals(inputs, None, 0),
            sum_by_sum(conversion, inputs, None, 0),
            rtol=0,
            atol=1e-7,
        )


@search(max_examples=40)
@given(given_chip=chips(), seed=some.integers(0, 1000))
def test_without_converters_nothing_is_lost(given_chip: dict[str, Any], seed: int) -> None:
    chip = oracle.settings(**given_chip)
    chip = but_converter(chip, bits=0)
    codes, inputs = example(seed, chip)
    plain = inputs.astype(float) @ codes
    np.testing.assert_allclose(
        matrix_read(codes, chip)(inputs), plain, rtol=0, atol=1e-9 * (1 + np.abs(plain).max())
    )


@search(max_examples=40)
@given(given_chip=chips(), seed=some.integers(0, 1000))
def test_enough_bits_at_full_scale_lose_nothing(given_chip: dict[str, Any], seed: int) -> None:
    chip = oracle.settings(**given_chip)
    analog = chip.pairs and chip.pair == "analog"
    if not analog and chip.offset_subtraction != "analog":
        chip = chip.but(on_off_ratio=math.inf)
    if chip.pairs and not analog:
        chip = chip.but(on_off_ratio=math.inf)
    bits = needed_bits(chip.rows_read, chip.top_level, chip.top_drive) + analog
    chip = but_converter(chip, bits=bits, range="full-scale")
    codes, inputs = example(seed, chip)
    plain = inputs.astype(np.int64) @ codes
    read = matrix_read(codes, chip)
    assert read.exact
    np.testing.assert_array_equal(read(inputs), plain)
    # Converted sum by sum, and not in one product.
    np.testing.assert_array_equal(np.round(read._part(inputs, None, 0), 6), plain)


def test_a_converter_that_may_clip_is_not_merged() -> None:
    chip = oracle.settings(bits=5, rows=16, bits_per_cell=2, range="unit-step")
    codes = np.full((16, 2), 127)
    inputs = np.full((1, 16), 255, dtype=np.uint8)
    read = matrix_read(codes, chip)
    assert not read.exact
    np.testing.assert_array_equal(read(inputs), expected(codes, inputs, chip))
    assert matrix_read(codes[:10], chip)  # 30 levels of 31
    assert matrix_read(codes[:10], chip).exact
    for more in ({"noise_lsb": 0.1}, {"offset_lsb": 0.1}, {"levels": (0.0, 1.0)}):
        assert not matrix_read(codes[:10], but_converter(chip, **more)).exact
    assert not matrix_read(codes[:10], chip.but(on_off_ratio=100.0)).exact
    assert not matrix_read(codes[:10], chip.but(read_noise=0.1)).exact


def test_products_of_many_large_numbers_are_exact() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(100, 128, (2000, 3))
    inputs = rng.integers(200, 256, (4, 2000)).astype(np.uint8)
    for bits in (8, 16):
        chip = oracle.settings(bits=0, input_bits=bits)
        driven = inputs.astype(np.uint16) * (257 if bits == 16 else 1)
        np.testing.assert_array_equal(
            matrix_read(codes, chip)(driven), driven.astype(np.int64) @ codes
        )


def test_the_bits_that_lose_nothing_are_those_of_isaac() -> None:
    """ISAAC (Shafiee et al., ISCA 2016): 128 rows, 2-bit cells, 1-bit inputs take 9 bits."""
    assert needed_bits(128, 3, 1) == 9
    chip = oracle.settings(bits=8, rows=128)
    codes, inputs = example(0, chip, rows=128)
    assert (matrix_read(codes, chip)(inputs) != inputs.astype(np.int64) @ codes).any()


def test_slices_weighed_by_their_significance_are_the_stored_code() -> None:
    for bits in (1, 2, 3, 4, 8):
        chip = oracle.settings(bits_per_cell=bits)
        codes, _ = example(3, chip)
        matrix = matrix_read(codes, chip).matrix
        stored = np.einsum("rjsc,j->rc", matrix.levels, matrix.significances)
        np.testing.assert_array_equal(stored, codes + 128)


@pytest.mark.parametrize("how", ["digital", "off-column", "zero-column", "analog", "middle-column"])
def test_the_current_of_level_0_is_removed_without_converters(how: str) -> None:
    chip = oracle.settings(offset_subtraction=how, on_off_ratio=16.3)
    codes, inputs = example(4, chip)
    plain = inputs.astype(float) @ codes
    np.testing.assert_allclose(matrix_read(codes, chip)(inputs), plain, atol=1e-7)


def test_a_step_of_one_level_keeps_off_columns_exact_and_digital_not() -> None:
    """Both columns are rounded by the same fraction; what is known digitally is not rounded."""
    wide = {"bits": 7, "rows": 16, "on_off_ratio": 16.3}
    off = oracle.settings(offset_subtraction="off-column", **wide)
    codes, inputs = example(5, off)
    plain = inputs.astype(np.int64) @ codes
    np.testing.assert_allclose(matrix_read(codes, off)(inputs), plain, atol=1e-7)
    digital = off.but(offset_subtraction="digital")
    assert (np.abs(matrix_read(codes, digital)(inputs) - plain) > 1).any()


def test_the_order_of_rows_in_a_group_and_of_columns_changes_nothing() -> None:
    chip = oracle.settings(bits=5, rows=16, on_off_ratio=16.3)
    codes, inputs = example(6, chip, rows=32)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(16), 16 + rng.permutation(16)])
    columns = rng.permutation(codes.shape[1])
    plain = matrix_read(codes, chip)(inputs)
    np.testing.assert_allclose(
        matrix_read(codes[order][:, columns], chip)(np.ascontiguousarray(inputs[:, order])),
        plain[:, columns],
        atol=1e-7,
    )


def test_groups_are_those_that_are_given() -> None:
    chip = oracle.settings(bits=4, rows=16)
    codes, inputs = example(7, chip, rows=12)
    crossbars = [[3, 1, 7], [0, 2, 4, 5, 6], [8, 11, 9, 10]]
    read = matrix_read(codes, chip, groups=RowGroups.of_crossbars(crossbars, rows_at_once=4))
    cut = [[3, 1, 7], [0, 2, 4, 5], [6], [8, 11, 9, 10]]
    assert [read.groups.members(group).tolist() for group in range(4)] == cut
    np.testing.assert_allclose(read(inputs), expected(codes, inputs, chip, groups=cut))
    plain = matrix_read(codes, chip)(inputs)
    assert (np.abs(read(inputs) - plain) > 1e-6).any()


def test_a_split_group_changes_nothing_where_nothing_is_lost() -> None:
    chip = oracle.settings(bits=9, rows=64)
    codes, inputs = example(8, chip, rows=60)
    halves = chip.but(rows_at_once=30)
    np.testing.assert_array_equal(
        matrix_read(codes, chip)(inputs), matrix_read(codes, halves)(inputs)
    )


def test_half_the_rows_at_a_bit_less_have_nearly_the_same_step() -> None:
    chip = oracle.settings(bits=6, rows=128)
    codes, _ = example(9, chip)
    halves = but_converter(chip.but(rows_at_once=64), bits=5)
    steps = [
        matrix_read(codes, one).grids_of_groups()[0][0][0].step  # type: ignore[index]
        for one in (chip, halves)
    ]
    assert steps[1] / steps[0] == pytest.approx((2**6 - 1) / (2**6 - 2), rel=1e-12)


@pytest.mark.parametrize("encoding", ["offset", "differential", "separate-sign"])
def test_no_inputs_give_nothing(encoding: str) -> None:
    for bits in (0, 4):
        chip = oracle.settings(encoding=encoding, bits=bits, on_off_ratio=16.3)
        codes, inputs = example(10, chip)
        np.testing.assert_array_equal(matrix_read(codes, chip)(0 * inputs), 0)


@pytest.mark.parametrize("how", ["off-column", "analog"])
def test_cells_at_level_0_give_the_code_of_no_weight(how: str) -> None:
    chip = oracle.settings(bits=5, rows=16, on_off_ratio=16.3, offset_subtraction=how)
    _, inputs = example(11, chip)
    codes = np.full((inputs.shape[1], 3), -128)
    read = matrix_read(codes, chip)(inputs)
    wanted = -128.0 * inputs.sum(1, dtype=float)
    np.testing.assert_allclose(read, np.stack([wanted] * 3, 1), atol=1e-7)


def test_the_magnitude_encoding_is_read_as_separate_sign() -> None:
    chip = oracle.settings(encoding="magnitude", bits=5)
    apart = oracle.settings(encoding="separate-sign", bits=5)
    codes, inputs = example(12, chip)
    np.testing.assert_array_equal(
        matrix_read(codes, chip)(inputs), matrix_read(codes, apart)(inputs)
    )


def test_vectors_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = oracle.settings(bits=5, read_noise=0.05, noise_lsb=0.3, on_off_ratio=16.3)
    codes, inputs = example(13, chip, vectors=9)
    read, noise = matrix_read(codes, chip), Noise(5, 2)
    whole = read(inputs, noise)
    alone = [read(inputs[at : at + 1], noise, at) for at in range(len(inputs))]
    np.testing.assert_array_equal(whole, np.concatenate(alone))
    monkeypatch.setattr("tsb.read_path.product._AT_ONCE", 50)
    np.testing.assert_array_equal(read(inputs, noise), whole)


def test_a_step_of_one_level_rounds_small_errors_of_cells_away() -> None:
    chip = oracle.settings(bits=5, rows=16, bits_per_cell=1, encoding="differential")
    codes, inputs = example(14, chip)
    errors = cell_errors(1, codes, chip, 0.02)
    plain = inputs.astype(np.int64) @ codes
    np.testing.assert_array_equal(matrix_read(codes, chip, errors)(inputs), plain)
    without = but_converter(chip, bits=0)
    assert (np.abs(matrix_read(codes, without, errors)(inputs) - plain) > 1).any()


def test_inputs_of_16_bits() -> None:
    chip = oracle.settings(bits=10, input_bits=16, rows=64)
    codes, inputs = example(15, chip, rows=200)
    assert inputs.dtype == np.uint16
    np.testing.assert_array_equal(matrix_read(codes, chip)(inputs), inputs.astype(np.int64) @ codes)
    coarse = but_converter(chip, bits=5)
    np.testing.assert_allclose(
        matrix_read(codes, coarse)(inputs), expected(codes, inputs, coarse), rtol=1e-12
    )


def test_drives_of_many_bits_take_no_memory_by_their_sums() -> None:
    chip = oracle.settings(bits=10, input_bits=16, dac_bits=16, bits_per_cell=8, rows=128)
    codes, inputs = example(16, chip, rows=100)
    np.testing.assert_allclose(
        matrix_read(codes, chip)(inputs), expected(codes, inputs, chip), rtol=1e-12
    )
