"""Codes of weights: what the cells can hold, and the gradient past the rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from archsim.errors import ConfigError
from archsim.network.zoo import build
from tests.refusals import refused
from tsb.cells.quantize import quantise, quantised_weights
from tsb.cells.stored import mapped_weights
from tsb.shared_block import SharedBlock


def weights(seed: int = 0, *shape: int) -> torch.Tensor:
    return torch.randn(shape or (6, 5), generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 1000), st.integers(1, 16))
def test_nearest_of_all_codes(seed, bits):
    """Against the list of all values that the cells can hold, in float64."""
    weight = weights(seed)
    top = (1 << bits) - 1
    step = float(weight.abs().max()) / top
    values = torch.arange(-top, top + 1, dtype=torch.float64) * step
    position = torch.searchsorted(values, weight.double()).clamp(1, 2 * top)
    around = torch.stack([values[position - 1], values[position]])
    nearest = (around - weight.double()).abs().min(0).values
    error = (quantise(weight, bits).double() - weight.double()).abs()
    # Float32 carries the value with a relative error of 6e-8 of the largest weight.
    assert torch.allclose(error, nearest, rtol=0, atol=3e-7 * float(weight.abs().max()))


def test_by_hand():
    weight = torch.tensor([3.0, -1.4, 0.6, 0.0])
    assert quantise(weight, 2).tolist() == [3, -1, 1, 0]
    assert quantise(weight, 1).tolist() == [3, 0, 0, 0]


@given(st.integers(0, 1000))
def test_idempotent_and_symmetric(seed):
    weight = weights(seed)
    once = quantise(weight)
    assert torch.equal(quantise(once), once)
    assert torch.equal(quantise(-weight), -once)
    assert once.abs().max() == weight.abs().max()


def test_zeros_and_nothing():
    assert torch.equal(quantise(torch.zeros(3)), torch.zeros(3))
    assert quantise(torch.zeros(0, 2)).shape == (0, 2)


@pytest.mark.parametrize("bits", [0, 25, -1])
def test_bits_out_of_range(bits):
    facts = {"code": "out-of-range", "field": "weight_bits", "value": bits}
    with refused(ConfigError, **facts, allowed="1 to 24"):
        quantise(weights(), bits)


def test_mapped_are_convolutions_and_linear_layers():
    assert list(mapped_weights(build("lenet3-bn"))) == ["conv1.weight", "conv2.weight", "fc.weight"]
    resnet = mapped_weights(build("resnet18", device="meta"))
    assert len(resnet) == 21
    assert sum(w.numel() for w in resnet.values()) == 11_678_912


def test_a_shared_block_is_mapped_once():
    block = SharedBlock(3)
    model = nn.Sequential(nn.Conv1d(1, 3, 3), block, nn.BatchNorm2d(3), block, nn.Linear(2, 2))
    found = mapped_weights(model)
    assert list(found) == ["0.weight", "1.layers.0.weight", "4.weight"]
    quantised = quantised_weights(found, 2)
    assert torch.equal(quantised["4.weight"], quantise(model[4].weight, 2))
