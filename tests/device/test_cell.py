from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archsim.device import (
    conductance_S,
    decode_digits,
    digit_significances,
    encode_digits,
    level_conductances_S,
    level_count,
    weight_slices,
    zero_conductance_level,
)

BITS = st.integers(1, 16)
CELL_BITS = st.integers(1, 8)


@given(BITS, CELL_BITS, st.data())
def test_decoding_undoes_encoding(weight_bits, bits_per_cell, data):
    code = st.integers(0, 2**weight_bits - 1)
    codes = torch.tensor(data.draw(st.lists(code, min_size=1, max_size=20)))
    digits = encode_digits(codes=codes, weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    assert digits.shape[-1] == math.ceil(weight_bits / bits_per_cell)
    assert int(digits.min()) >= 0
    assert int(digits.max()) < 2**bits_per_cell
    assert torch.equal(decode_digits(digits=digits, bits_per_cell=bits_per_cell), codes)


def test_digits_run_from_most_to_least_significant():
    digits = encode_digits(codes=torch.tensor([0b11_10_01_00]), weight_bits=8, bits_per_cell=2)
    assert digits.tolist() == [[3, 2, 1, 0]]
    significances = digit_significances(weight_bits=8, bits_per_cell=2)
    assert significances.tolist() == [64, 16, 4, 1]


def test_top_cell_of_an_uneven_cut_keeps_unused_levels():
    digits = encode_digits(codes=torch.tensor([255]), weight_bits=8, bits_per_cell=3)
    assert digits.tolist() == [[3, 7, 7]]


@pytest.mark.parametrize("code", [-1, 256])
def test_code_out_of_range_is_refused(code):
    with pytest.raises(ValueError, match="0 to 255"):
        encode_digits(codes=torch.tensor([code]), weight_bits=8, bits_per_cell=2)


@given(BITS, CELL_BITS)
def test_slices_and_levels_agree_with_integers(weight_bits, bits_per_cell):
    slices = weight_slices(weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    assert slices == math.ceil(weight_bits / bits_per_cell)
    assert level_count(bits_per_cell=bits_per_cell) == 2**bits_per_cell
    significances = digit_significances(weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    assert significances.shape == (int(slices),)


def test_levels_are_equally_spaced_between_off_and_on():
    g_on, g_off = torch.tensor([1e-5, 2e-5]), torch.tensor([1e-6, 0.0])
    levels = level_conductances_S(level_count=4, g_off_S=g_off, g_on_S=g_on)
    assert levels.shape == (2, 4)
    torch.testing.assert_close(levels[:, 0], g_off.double())
    torch.testing.assert_close(levels[:, -1], g_on.double())
    torch.testing.assert_close(
        levels.diff(dim=-1), (g_on - g_off).double()[:, None].expand(2, 3) / 3
    )


def test_row_of_a_batch_equals_the_scalar_call():
    g_on = torch.tensor([1e-5, 2e-5, 3e-5])
    batch = level_conductances_S(level_count=4, g_off_S=1e-6, g_on_S=g_on)
    for row, value in zip(batch, g_on, strict=True):
        alone = level_conductances_S(level_count=4, g_off_S=1e-6, g_on_S=value)
        assert torch.equal(row, alone)


def test_conductance_vanishes_at_the_zero_level():
    level = zero_conductance_level(level_count=4, g_off_S=1 / 1.7e6, g_on_S=1e-5)
    assert level == pytest.approx(-3 / 16)
    assert float(
        conductance_S(level=level, level_count=4, g_off_S=1 / 1.7e6, g_on_S=1e-5)
    ) == pytest.approx(0, abs=1e-20)
