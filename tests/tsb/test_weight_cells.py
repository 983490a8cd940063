"""Closed forms of weights against the device package and against the samplers."""

from __future__ import annotations

import pytest
import torch

from archsim.config.load import load_preset
from archsim.config.resolve import resolve
from archsim.config.schema import DeviceFile
from archsim.device import code_noise_std_of, level_sigmas, sample_codes, weight_noise_std
from archsim.errors import ConfigError, DataError
from tsb.selective_write import verify_all, verify_none
from tsb.weight_cells import (
    CellModel,
    cell_instance,
    gaussian_instance,
    noise_std,
    weight_cells,
)

RRAM = CellModel.from_device(resolve().device)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights() -> dict[str, torch.Tensor]:
    return {"conv": torch.randn(6, 3, 3, 3, generator=seeded(1)), "fc": torch.full((2, 2), -0.3)}


def test_preset():
    assert (RRAM.sigma, RRAM.factor, RRAM.slices) == (0.1, 1.0, 4)
    assert RRAM.max_pulses == 100
    with pytest.raises(ConfigError, match="no write_verify"):
        CellModel.from_device(DeviceFile.model_validate(load_preset("device", "sram")))


@pytest.mark.parametrize("profile", ["level", "weight"])
@pytest.mark.parametrize(("bits", "per_cell"), [(8, 2), (8, 3), (4, 4), (6, 1)])
def test_uniform_device_is_the_closed_form(profile, bits, per_cell):
    cell = RRAM.but(profile=profile, weight_bits=bits, bits_per_cell=per_cell)
    for name, own in weight_cells(weights(), cell).items():
        largest = float(weights()[name].abs().max())
        expected = weight_noise_std(
            max_weight=largest, sigma=0.1, weight_bits=bits, bits_per_cell=per_cell
        )
        torch.testing.assert_close(own.spread, expected.expand(own.spread.shape))
        stats = cell.law().stats()
        residual = expected * stats.residual_sigma[0] / 0.1
        torch.testing.assert_close(own.residual, residual.expand(own.residual.shape))
        pulses = cell.slices * stats.write_pulses[0]
        torch.testing.assert_close(own.pulses, pulses.expand(own.pulses.shape))


def test_level_profile_is_that_of_the_device_package():
    cell = RRAM.but(factor=4.0)
    weight = weights()["conv"]
    own = weight_cells({"w": weight}, cell)["w"]
    largest = float(weight.abs().max())
    codes = torch.round(weight.double().abs() / largest * 255).long()
    sigma = level_sigmas(sigma=0.1, level_count=4, factor=4.0)
    expected = code_noise_std_of(codes=codes, level_sigma=sigma, weight_bits=8, bits_per_cell=2) * (
        largest / 255
    )
    torch.testing.assert_close(own.spread, expected)
    assert float(own.spread.max() / own.spread.min()) > 2


def test_weight_profile_by_hand():
    weight = torch.tensor([[-1.0, 0.26, 0.5, 0.25, 0.8, 0.74, 0.0]])
    own = weight_cells({"w": weight}, RRAM.but(factor=4.0, profile="weight"))["w"]
    outer = float(own.spread[0, 0])
    assert outer == pytest.approx(4369**0.5 / 85 * 0.1 / 7**0.5)
    ratio = (own.spread / outer).flatten().tolist()
    assert ratio == pytest.approx([1, 4, 4, 1, 1, 4, 1])


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_exact_sampler_agrees_with_the_closed_forms(factor):
    """Mean and variance of 3000 instances, for verified and unverified weights."""
    cell = RRAM.but(factor=factor)
    weight = torch.linspace(-1, 1, 24)
    tensors = {"w": weight.expand(3000, 24)}  # 3000 instances in one tensor
    cells = weight_cells(tensors, cell)
    masks = {"w": (torch.arange(24) % 2 == 0).expand(3000, 24)}
    draws = cell_instance(tensors, cells, masks, cell, seeded(4))["w"].double()
    std = noise_std(cells, masks)["w"][0]
    bias = (draws.mean(0) - weight) / std * 3000**0.5
    assert bias.abs().max() < 4
    # relative error of a standard deviation: 1 / sqrt(2 n), 24 values
    torch.testing.assert_close(draws.std(0) / std, torch.ones_like(std), atol=0.055, rtol=0.0)
    assert float(std[::2].mean()) < 0.5 * float(std[1::2].mean())


def test_gaussian_sampler_agrees_with_the_cell_sampler_of_the_device_package():
    tensors = {"w": torch.linspace(0, 1, 16).view(2, 8)}
    cells = weight_cells(tensors, RRAM)
    std = noise_std(cells, verify_none(tensors))
    generator = seeded(5)
    fast = torch.stack([gaussian_instance(tensors, std, generator)["w"] for _ in range(4000)])
    exact = sample_codes(
        codes=torch.round(tensors["w"] * 255).long(),
        level_sigma=level_sigmas(sigma=0.1, level_count=4),
        weight_bits=8,
        bits_per_cell=2,
        samples=4000,
        generator=seeded(6),
    )
    ratio = fast.double().std(0) / (exact.std(0) / 255)
    torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=0.065, rtol=0.0)


def test_common_random_numbers():
    """With the same seed a verified weight has the same error, only smaller."""
    tensors = weights()
    cells = weight_cells(tensors, RRAM)
    none = gaussian_instance(tensors, noise_std(cells, verify_none(tensors)), seeded(7))
    every = gaussian_instance(tensors, noise_std(cells, verify_all(tensors)), seeded(7))
    ratio = float(RRAM.law().residual_sigma[0]) / 0.1
    for name, weight in tensors.items():
        expected = (none[name] - weight) * ratio
        torch.testing.assert_close(every[name] - weight, expected, atol=1e-6, rtol=1e-4)


def test_no_range_no_noise():
    own = weight_cells({"w": torch.zeros(2, 3)}, RRAM)["w"]
    assert not bool(own.spread.any())
    assert float(own.pulses.min()) > 4
    silent = weight_cells(weights(), RRAM.but(sigma=0.0))["conv"]
    assert not bool(silent.spread.any())
    assert bool((silent.pulses == 4).all())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bad):
    with pytest.raises(DataError, match="'fc'"):
        weight_cells({"fc": torch.tensor([[1.0, bad]])}, RRAM)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sigma": -0.1}, "sigma = -0.1; allowed: 0 to 1"),
        ({"sigma": 1.5}, "sigma = 1.5"),
        ({"profile": "cell"}, "allowed: level, weight"),
        ({"bits_per_cell": 0}, "allowed: 1 or more"),
    ],
)
def test_impossible_devices_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        RRAM.but(**changes)
