from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archsim.device import (
    ENCODINGS,
    WeightFormat,
    code_noise_std,
    level_probabilities,
    level_sigmas,
    weight_noise_std,
    weight_noise_std_by_level,
)
from archsim.errors import ConfigError, DataError
from tests.device.monte_carlo import seeded
from tests.refusals import refused

FORMATS = st.builds(
    WeightFormat,
    weight_bits=st.integers(2, 16),
    bits_per_cell=st.integers(1, 8),
    encoding=st.sampled_from(ENCODINGS),
)


@given(FORMATS, st.data())
def test_decoding_undoes_encoding(form, data):
    code = st.integers(-form.largest_code, form.largest_code)
    codes = torch.tensor(data.draw(st.lists(code, min_size=1, max_size=20)))
    levels = form.encode(codes)
    assert levels.shape == (len(codes), form.sides, form.slices)
    assert form.cells_per_weight == form.sides * form.slices
    assert int(levels.min()) >= 0
    assert int(levels.max()) < form.level_count
    assert torch.equal(form.decode(levels.double(), codes), codes.double())


def test_codes_and_levels_by_hand():
    weight = torch.tensor([0.5, -1.0, 0.0, 0.25])
    expected = {
        "magnitude": ([8, -15, 0, 4], [[[2, 0]], [[3, 3]], [[0, 0]], [[1, 0]]]),
        "offset": ([4, -7, 0, 2], [[[3, 0]], [[0, 1]], [[2, 0]], [[2, 2]]]),
        "differential": (
            [8, -15, 0, 4],
            [[[2, 0], [0, 0]], [[0, 0], [3, 3]], [[0, 0], [0, 0]], [[1, 0], [0, 0]]],
        ),
    }
    expected["separate-sign"] = expected["differential"]
    for encoding, (codes, levels) in expected.items():
        form = WeightFormat(weight_bits=4, bits_per_cell=2, encoding=encoding)
        quantised = form.quantise(weight)
        assert quantised.codes.tolist() == codes, encoding
        assert quantised.scale == pytest.approx(1 / max(map(abs, codes)))
        assert form.encode(quantised.codes).tolist() == levels, encoding


@given(FORMATS, st.integers(0, 2**32 - 1))
def test_quantisation_is_within_half_a_step(form, seed):
    weight = torch.randn(50, generator=seeded(seed), dtype=torch.float64)
    codes, scale = form.quantise(weight)
    assert float((codes * scale - weight).abs().max()) <= scale / 2 * (1 + 1e-9)
    assert int(codes.abs().max()) == form.largest_code
    assert scale * form.largest_code == pytest.approx(float(weight.abs().max()))


def test_padded_bits_are_reported():
    padded = WeightFormat(weight_bits=8, bits_per_cell=3)
    assert (padded.slices, padded.padded_bits) == (3, 1)
    assert WeightFormat(weight_bits=8, bits_per_cell=2).padded_bits == 0


@pytest.mark.parametrize("weight_bits", [4, 8])
@pytest.mark.parametrize("bits_per_cell", [1, 2, 3])
def test_noise_relative_to_the_papers_convention(weight_bits, bits_per_cell):
    """0.7776 sigma max|W|, twice that for an offset, sqrt(2) for two cells per digit."""
    papers = weight_noise_std(
        max_weight=1.0, sigma=0.1, weight_bits=weight_bits, bits_per_cell=bits_per_cell
    )
    whole, half = 2**weight_bits - 1, 2 ** (weight_bits - 1) - 1
    ratios = {"magnitude": 1, "offset": whole / half, "differential": math.sqrt(2)}
    ratios["separate-sign"] = ratios["differential"]
    weight = torch.linspace(-1, 1, 101)
    for encoding, ratio in ratios.items():
        form = WeightFormat(weight_bits=weight_bits, bits_per_cell=bits_per_cell, encoding=encoding)
        codes, scale = form.quantise(weight)
        std = scale * form.code_noise_std(codes, torch.full((form.level_count,), 0.1).double())
        assert std.tolist() == pytest.approx([ratio * float(papers)] * 101, rel=1e-6)
    if (weight_bits, bits_per_cell) == (8, 2):
        assert float(papers) == pytest.approx(0.07776, abs=1e-5)
        assert ratios["offset"] == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("differential", [False, True])
def test_noise_by_level_agrees_with_the_closed_form_of_all_weights(differential):
    form = WeightFormat(encoding="differential" if differential else "magnitude")
    codes = torch.randint(-255, 256, (1000,), generator=seeded())
    sigmas = level_sigmas(sigma=0.1, level_count=4, factor=4.0)
    together = weight_noise_std_by_level(
        max_weight=255.0,
        level_sigma=sigmas,
        level_probability=level_probabilities(codes=codes.abs(), weight_bits=8, bits_per_cell=2),
        weight_bits=8,
        bits_per_cell=2,
        differential=differential,
    )
    each = form.code_noise_std(codes, sigmas)
    assert float(each.square().mean().sqrt()) == pytest.approx(float(together), rel=1e-12)


def test_zero_of_the_offset_encoding_has_noise_and_of_a_zero_tensor_none():
    form = WeightFormat(encoding="offset")
    codes = torch.zeros(3, dtype=torch.int64)
    std = form.code_noise_std(codes, torch.full((4,), 0.1).double())
    expected = code_noise_std(sigma=0.1, weight_bits=8, bits_per_cell=2)
    assert std.tolist() == pytest.approx([float(expected)] * 3)
    assert form.quantise(torch.zeros(2, 3)).scale == 0
    assert form.quantise(torch.zeros(2, 3)).codes.tolist() == [[0] * 3] * 2
    assert form.quantise(torch.zeros(0, 3)).codes.shape == (0, 3)


def test_tiny_weights_keep_their_codes():
    weight = torch.tensor([1e-42, -5e-43])
    codes, scale = WeightFormat().quantise(weight)
    assert int(codes[0]) == 255
    assert float(scale * codes[0]) == pytest.approx(float(weight[0]), rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_numbers_are_named(bad):
    with refused(DataError, code="not-finite", field="conv1", value=1, says=["1", "3"]):
        WeightFormat().quantise(torch.tensor([0.0, bad, 2.0]), name="conv1")


def test_integer_weights_are_refused():
    with refused(DataError, code="wrong-type", field="fc", value="torch.int64"):
        WeightFormat().quantise(torch.arange(3), name="fc")


@pytest.mark.parametrize(
    ("values", "code", "field", "value", "allowed"),
    [
        ({"encoding": "differental"}, "unknown-name", "encoding", "differental", "differential"),
        ({"encoding": "offset", "weight_bits": 1}, "out-of-range", "weight_bits", 1, "2 to 16"),
        ({"weight_bits": 17}, "out-of-range", "weight_bits", 17, "1 to 16"),
        ({"bits_per_cell": 0}, "out-of-range", "bits_per_cell", 0, "1 to 8"),
    ],
)
def test_bad_formats_are_explained(values, code, field, value, allowed):
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed):
        WeightFormat(**values)
