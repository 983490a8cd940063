"""Noise of reads: its law, and that it depends on nothing but its seed and place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archsim.config.resolve import resolve
from archsim.device import WeightFormat
from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import (
    but_converter,
    example,
    matrix_read,
    sum_by_sum,
)
from tsb.read_path.effects.base import ReadPlace
from tsb.read_path.effects.registry import acting
from tsb.read_path.read_noise import Noise, normals
from tsb.read_path.settings import ReadSettings
from tsb.read_path.sums import digits_of


def test_normals_are_normal_and_depend_on_their_place() -> None:
    drawn = normals(np.uint64(7), 0, 400, 50)
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    assert (drawn**4).mean() == pytest.approx(3, abs=0.15)
    np.testing.assert_array_equal(normals(np.uint64(7), 100, 20, 50), drawn[100:120])
    assert (normals(np.uint64(8), 0, 400, 50) != drawn).all()


@pytest.mark.parametrize(("encoding", "pair", "sides"), [
    ("offset", "digital", 1), ("differential", "digital", 2), ("differential", "analog", 2),
])  # fmt: skip
def test_its_variance_is_that_of_independent_cells(encoding: str, pair: str, sides: int) -> None:
    chip = oracle.settings(encoding=encoding, pair=pair, rows=16, read_noise=0.05, dac_bits=2)
    codes, inputs = example(1, chip, rows=16, vectors=3)
    vectors = np.repeat(inputs[2:], 3000, axis=0)
    errors = matrix_read(codes, chip)(vectors, Noise(3)) - vectors.astype(np.int64) @ codes
    digits = inputs[2].astype(np.int64)[:, None] >> 2 * np.arange(4) & 3
    squares = (digits**2).sum(0) * 16.0 ** np.arange(4)
    variance = sides * (0.05 * 3) ** 2 * squares.sum() * (16.0 ** np.arange(4)).sum()
    assert errors.std() == pytest.approx(variance**0.5, rel=0.03)
    assert errors.mean() == pytest.approx(0, abs=0.05 * variance**0.5)


def test_runs_of_a_seed_have_the_same_noise_whatever_the_bits() -> None:
    fine = oracle.settings(bits=10, rows=16, read_noise=0.05, on_off_ratio=16.3)
    codes, inputs = example(2, fine)
    drawn = []
    for bits in (3, 10):
        read = matrix_read(codes, but_converter(fine, bits=bits))
        at = ReadPlace(read, digits_of(read, inputs, 1, 2), 1, 2, Noise(5, 4), 0)
        drawn.append(at.normals(0))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    for conversion in matrix_read(codes, fine).group_conversions():
        np.testing.assert_allclose(
            conversion.totals(inputs, Noise(5, 4), 0),
            sum_by_sum(conversion, inputs, Noise(5, 4), 0),
            atol=1e-6,
        )


def test_seeds_layers_planes_and_groups_differ() -> None:
    chip = oracle.settings(bits=9, read_noise=0.3)
    codes, inputs = example(3, chip)
    read = matrix_read(codes, chip)
    found = {read(inputs, noise).tobytes() for noise in (Noise(1), Noise(2), Noise(1, 1))}
    assert len(found) == 3
    keys = np.concatenate([Noise(1).keys(group, 8).ravel() for group in range(4)])
    assert len(np.unique(keys)) == keys.size


def test_without_a_seed_nothing_is_drawn() -> None:
    chip = oracle.settings(bits=5, read_noise=0.3, noise_lsb=0.5)
    codes, inputs = example(4, chip)
    quiet = but_converter(chip.but(read_noise=0.0), noise_lsb=0.0)
    np.testing.assert_array_equal(
        matrix_read(codes, chip)(inputs), matrix_read(codes, quiet)(inputs)
    )
    assert [effect.name for effect in acting(quiet)] == ["adc-rounding"]


@pytest.mark.parametrize(("encoding", "pair"), [
    ("offset", "digital"), ("differential", "digital"), ("differential", "analog"),
])  # fmt: skip
@pytest.mark.parametrize("time_s", [1.0, 86_400.0, 365.25 * 86_400])
def test_pcm_reads_every_cell_with_the_noise_of_its_level(
    encoding: str, pair: str, time_s: float
) -> None:
    """By the formula of its source: (x s(g))^2 of each cell, summed up over planes and slices."""
    own = [f"chip.precision.encoding={encoding}", f"chip.read.pair={pair}", "chip.adc.bits=10"]
    resolved = resolve(device="pcm", overrides=own)
    form = WeightFormat(encoding=encoding)
    chip = ReadSettings.of_chip(resolved, form, noisy=True, time_s=time_s).but(rows=16)
    assert chip.read_noise * 0.96 == pytest.approx({1.0: 0.0335, 86_400.0: 0.0448}.get(
        time_s, 0.0496), abs=5e-5)  # fmt: skip
    codes, inputs = example(5, chip, rows=16, vectors=3)
    read = matrix_read(codes, but_converter(chip, bits=0))
    vectors = np.repeat(inputs[2:], 4000, axis=0)
    noise = (read(vectors, Noise(3)) - read(vectors)).std(0)
    held = read.matrix.levels / 3 * 0.96 + 0.04  # shares of the largest conductance
    root = math.sqrt(math.log((time_s + 250e-9) / 500e-9))
    cells = (3 / 0.96 * 0.0088 * held**0.35 * root) ** 2
    digits = (inputs[2].astype(np.int64)[:, None] >> np.arange(8)) & 1
    weights = np.einsum("rp,p,j->rj", digits, 4.0 ** np.arange(8), 16.0 ** np.arange(4))
    by_hand = np.einsum("rjsc,rj->c", cells, weights) ** 0.5
    np.testing.assert_allclose(noise, by_hand, rtol=4.5 / (2 * 4000) ** 0.5)
