"""Noise of training: its size against the device's closed forms, and where gradients go."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call

from archsim.errors import ConfigError
from tests.refusals import refused
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.quantize import quantise
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel, weight_cells


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weight() -> torch.Tensor:
    return torch.randn((40, 30), generator=seeded(5))


def test_published_convention():
    """M = 8, K = 2: 0.7776 sigma max|W|, from sum_j 4^j in plain numbers."""
    expected = math.sqrt(1 + 16 + 256 + 4096) / (1 + 4 + 16 + 64)
    outer, middle = WeightNoise(sigma=0.1).relative_std()
    assert outer == middle == pytest.approx(0.1 * expected)
    assert 10 * outer == pytest.approx(0.7776, abs=1e-4)


@pytest.mark.parametrize("factor", [1.0, 2.0, 6.0])
@pytest.mark.parametrize(("weight_bits", "bits_per_cell"), [(8, 2), (6, 1), (8, 3)])
def test_std_is_that_of_the_programmed_cells(factor, weight_bits, bits_per_cell):
    """Training and deployment use the same distribution: two ways to compute it."""
    noise = WeightNoise(
        sigma=0.07, factor=factor, weight_bits=weight_bits, bits_per_cell=bits_per_cell
    )
    cell = CellModel(
        sigma=0.07,
        factor=factor,
        profile="weight",
        weight_bits=weight_bits,
        bits_per_cell=bits_per_cell,
        write_model="redraw",
        tolerance=0.05,
        max_pulses=3,
    )
    clean = quantise(weight(), weight_bits)
    expected = weight_cells({"w": clean}, cell)["w"].spread
    assert torch.allclose(noise.std(clean).double(), expected, rtol=1e-5)


@pytest.mark.parametrize("factor", [1.0, 4.0])
def test_drawn_noise_has_the_std_of_the_distribution(factor):
    noise, generator = WeightNoise(sigma=0.2, factor=factor), seeded()
    clean = {"w": weight()}
    draws = torch.stack([noisy_weights(clean, noise, generator)["w"] for _ in range(400)])
    stored = quantise(clean["w"])
    std = noise.std(stored)
    relative = ((draws - stored) / std).double()
    count = relative.numel()
    assert abs(float(relative.mean())) < 4 / math.sqrt(count)
    assert abs(float(relative.square().mean()) - 1) < 4 * math.sqrt(2 / count)
    assert abs(float(relative.pow(4).mean()) - 3) < 4 * math.sqrt(96 / count)
    if factor != 1:
        assert float(std.max() / std.min()) == pytest.approx(factor)


def test_gradient_is_taken_at_the_noisy_weights_and_reaches_the_clean_ones():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    x = torch.randn(7, 4)
    clean = mapped_weights(model)
    noisy = noisy_weights(clean, WeightNoise(sigma=0.3), seeded())
    functional_call(model, noisy, (x,)).square().sum().backward()
    # The same by writing the noisy values into a copy of the model.
    written = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    written.load_state_dict({**model.state_dict(), **{n: w.detach() for n, w in noisy.items()}})
    written(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        other = written.get_parameter(name)
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, other.grad)
    assert not torch.equal(clean["0.weight"], noisy["0.weight"])


def test_scale_has_no_gradient():
    """max|W| belongs to the device; its gradient would pull at one weight only."""
    clean = {"w": weight().requires_grad_()}
    noisy_weights(clean, WeightNoise(sigma=0.3), seeded())["w"].sum().backward()
    assert torch.equal(clean["w"].grad, torch.ones_like(weight()))


def test_without_sigma_weights_are_codes_and_no_number_is_drawn():
    generator = seeded()
    before = generator.get_state()
    stored = noisy_weights({"w": weight()}, WeightNoise(), generator)["w"]
    assert torch.equal(stored, quantise(weight()))
    exact = noisy_weights({"w": weight()}, WeightNoise(quantised=False), generator)["w"]
    assert torch.equal(exact, weight())
    assert torch.equal(generator.get_state(), before)


def test_same_seed_same_noise_and_all_zero_layers_have_none():
    clean, noise = {"w": weight(), "z": torch.zeros(3)}, WeightNoise(sigma=0.1, factor=2.0)
    one, other = (noisy_weights(clean, noise, seeded(3)) for _ in range(2))
    assert torch.equal(one["w"], other["w"])
    assert not torch.equal(one["w"], noisy_weights(clean, noise, seeded(4))["w"])
    assert torch.equal(one["z"], torch.zeros(3))


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("sigma", -0.1, "0 to 1"),
        ("sigma", float("nan"), "0 to 1"),
        ("factor", 0.0, "above 0"),
        ("weight_bits", 0, "1 to 24"),
        ("bits_per_cell", 9, "1 to 8"),
    ],
)
def test_bad_values(field, value, allowed):
    with refused(ConfigError, code="out-of-range", field=field, value=value, allowed=allowed):
        WeightNoise(**{field: value})
