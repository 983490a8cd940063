from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archsim.device import (
    code_noise_std,
    code_noise_std_of,
    digit_significances,
    level_probabilities,
    level_sigmas,
    profile_sigma,
    sample_codes,
    sample_levels,
    weight_noise_std,
    weight_noise_std_by_level,
    zero_conductance_level,
)
from tests.device.monte_carlo import mean_error, rms_error, seeded

GRID = [(8, 1), (8, 2), (8, 4), (8, 8), (8, 3), (4, 2), (6, 2), (5, 4)]


def test_the_papers_factor_for_eight_bits_in_two_bit_cells():
    std = weight_noise_std(max_weight=1.0, sigma=1.0, weight_bits=8, bits_per_cell=2)
    assert float(std) == pytest.approx(math.sqrt(4369) / 85, rel=1e-14)
    assert float(std) == pytest.approx(0.7776, abs=5e-5)


@given(st.sampled_from(GRID), st.floats(0, 0.4), st.floats(0.01, 10))
def test_closed_form_is_the_sum_over_digits(grid, sigma, max_weight):
    weight_bits, bits_per_cell = grid
    digits = digit_significances(weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    expected = sigma * (2**bits_per_cell - 1) * float(digits.square().sum().sqrt())
    expected *= max_weight / (2**weight_bits - 1)
    std = weight_noise_std(
        max_weight=max_weight, sigma=sigma, weight_bits=weight_bits, bits_per_cell=bits_per_cell
    )
    assert float(std) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(st.integers(1, 16).flatmap(lambda m: st.tuples(st.just(m), st.integers(1, min(m, 8)))))
def test_whole_slices_divide_by_the_sum_of_significances(bits):
    weight_bits, bits_per_cell = bits
    if weight_bits % bits_per_cell:
        return
    digits = digit_significances(weight_bits=weight_bits, bits_per_cell=bits_per_cell)
    expected = float(digits.square().sum().sqrt() / digits.sum())
    std = weight_noise_std(
        max_weight=1.0, sigma=1.0, weight_bits=weight_bits, bits_per_cell=bits_per_cell
    )
    assert float(std) == pytest.approx(expected, rel=1e-12)


def test_differential_pair_multiplies_by_root_two():
    both = code_noise_std(
        sigma=0.1, weight_bits=8, bits_per_cell=2, differential=torch.tensor([False, True])
    )
    assert float(both[1] / both[0]) == pytest.approx(math.sqrt(2), rel=1e-14)


def test_row_of_a_batch_equals_the_scalar_call():
    sigma, bits = torch.rand(7, 1, generator=seeded()), torch.tensor([1.0, 2.0, 4.0])
    batch = weight_noise_std(max_weight=1.5, sigma=sigma, weight_bits=8, bits_per_cell=bits)
    assert batch.shape == (7, 3)
    for i in range(7):
        for j in range(3):
            alone = weight_noise_std(
                max_weight=1.5, sigma=sigma[i, 0], weight_bits=8, bits_per_cell=bits[j]
            )
            assert torch.equal(batch[i, j], alone)


@pytest.mark.parametrize(("weight_bits", "bits_per_cell"), GRID)
@pytest.mark.parametrize("differential", [False, True])
@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_sampled_noise_matches_the_closed_form(weight_bits, bits_per_cell, differential, factor):
    codes = torch.randint(0, 2**weight_bits, (400,), generator=seeded(1))
    sigmas = level_sigmas(sigma=0.1, level_count=2**bits_per_cell, factor=factor)
    drawn = sample_codes(
        codes=codes,
        level_sigma=sigmas,
        weight_bits=weight_bits,
        bits_per_cell=bits_per_cell,
        samples=200,
        generator=seeded(2),
        differential=differential,
    )
    noise = drawn - codes
    assert abs(float(noise.mean())) <= mean_error(noise)
    std = weight_noise_std_by_level(
        max_weight=2.0**weight_bits - 1,
        level_sigma=sigmas,
        level_probability=level_probabilities(
            codes=codes, weight_bits=weight_bits, bits_per_cell=bits_per_cell
        ),
        weight_bits=weight_bits,
        bits_per_cell=bits_per_cell,
        differential=differential,
    )
    assert abs(float(noise.square().mean().sqrt()) - float(std)) <= rms_error(noise)
    if factor == 1.0:
        uniform = code_noise_std(
            sigma=0.1,
            weight_bits=weight_bits,
            bits_per_cell=bits_per_cell,
            differential=differential,
        )
        assert float(std) == pytest.approx(float(uniform), rel=1e-12)


@pytest.mark.parametrize("differential", [False, True])
def test_noise_of_single_codes_adds_up_to_that_of_all(differential):
    codes = torch.randint(0, 256, (1000,), generator=seeded())
    sigmas = level_sigmas(sigma=0.2, level_count=4, factor=3.0)
    each = code_noise_std_of(
        codes=codes, level_sigma=sigmas, weight_bits=8, bits_per_cell=2, differential=differential
    )
    probability = level_probabilities(codes=codes, weight_bits=8, bits_per_cell=2)
    together = weight_noise_std_by_level(
        max_weight=255.0,
        level_sigma=sigmas,
        level_probability=probability,
        weight_bits=8,
        bits_per_cell=2,
        differential=differential,
    )
    assert float(each.square().mean().sqrt()) == pytest.approx(float(together), rel=1e-12)


@given(st.floats(1, 10), st.floats(0, 0.4))
def test_profile_keeps_the_mean_variance_at_the_assumed_share(factor, sigma):
    ends = profile_sigma(position=0.0, sigma=sigma, factor=factor)
    middle = profile_sigma(position=0.5, sigma=sigma, factor=factor)
    assert float(middle) == pytest.approx(factor * float(ends))
    assert float(0.4 * middle**2 + 0.6 * ends**2) == pytest.approx(sigma**2, abs=1e-15)


def test_profile_of_levels():
    uniform = level_sigmas(sigma=torch.tensor([0.1, 0.2]), level_count=4)
    assert uniform.tolist() == [pytest.approx([0.1] * 4), pytest.approx([0.2] * 4)]
    nonuniform = level_sigmas(sigma=0.1, level_count=4, factor=4.0)
    outer = 0.1 / math.sqrt(0.4 * 16 + 0.6)
    assert nonuniform.tolist() == pytest.approx([outer, 4 * outer, 4 * outer, outer])


def test_no_sigma_programs_exactly():
    codes = torch.arange(-255, 256)
    drawn = sample_codes(
        codes=codes,
        level_sigma=torch.zeros(4),
        weight_bits=8,
        bits_per_cell=2,
        samples=2,
        generator=seeded(),
        differential=True,
    )
    assert torch.equal(drawn, codes.float().expand(2, -1))


def test_samples_do_not_depend_on_the_chunk():
    def draw(samples: int, generator: torch.Generator) -> torch.Tensor:
        return sample_codes(
            codes=torch.arange(37),
            level_sigma=torch.full((4,), 0.1),
            weight_bits=8,
            bits_per_cell=2,
            samples=samples,
            generator=generator,
        )

    generator = seeded()
    chunked = torch.cat([draw(samples, generator) for samples in (1, 3, 2)])
    assert torch.equal(chunked, draw(6, seeded()))


def test_clipping_stops_at_zero_conductance_and_is_off_by_default():
    lowest = float(zero_conductance_level(level_count=4, g_off_S=1 / 1.7e6, g_on_S=1e-5))
    off = torch.zeros(10_000, dtype=torch.int64)
    sigmas = torch.full((4,), 0.2)
    free = sample_levels(digits=off, level_sigma=sigmas, generator=seeded())
    clipped = sample_levels(digits=off, level_sigma=sigmas, generator=seeded(), lowest_level=lowest)
    assert float(free.min()) < lowest
    assert torch.equal(clipped, free.clamp_min(lowest))


def test_wrong_number_of_level_sigmas_is_refused():
    with pytest.raises(ValueError, match="expected 4"):
        sample_codes(
            codes=torch.arange(4),
            level_sigma=torch.zeros(3),
            weight_bits=8,
            bits_per_cell=2,
            samples=1,
            generator=seeded(),
        )


def test_noise_is_differentiable_in_sigma():
    sigma = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    std = weight_noise_std(max_weight=1.0, sigma=sigma, weight_bits=8, bits_per_cell=2)
    (gradient,) = torch.autograd.grad(std, sigma)
    assert float(gradient) == pytest.approx(math.sqrt(4369) / 85)
