"""PCM's read noise over time and conductance, against the formula of its source by hand."""

from __future__ import annotations

import math

import pytest
import torch

from archsim.config.resolve import resolve
from archsim.device import ReadNoise
from archsim.errors import ConfigError
from tests.designs import near
from tests.refusals import refused

#: Of the source: q, exponent, largest Q, pulse of a read in seconds; and g_off / g_on here.
Q, EXPONENT, MOST, READ_S, OFF = 0.0088, 0.65, 0.2, 250e-9, 40 / 1000


def pcm(*overrides: str) -> ReadNoise:
    return ReadNoise.of_device(resolve(device="pcm", overrides=overrides).device)


def of_source(g: float, time_s: float) -> float:
    """Standard deviation of a cell of conductance g, relative to the maximum."""
    relative = min(Q / g**EXPONENT, MOST)
    return g * relative * math.sqrt(math.log((time_s + READ_S) / (2 * READ_S)))


def of_maximum(noise: ReadNoise, level: float, time_s: float) -> float:
    """What archsim has, relative to the maximum."""
    one = torch.tensor([level], dtype=torch.float64)
    return float(noise.at(one, time_s)[0]) * (1 - OFF)


@pytest.mark.parametrize(
    ("time_s", "expected"), [(1.0, 0.0335), (86_400.0, 0.0448), (365.25 * 86_400, 0.0496)]
)
def test_at_full_conductance_over_time(time_s: float, expected: float) -> None:
    found = of_maximum(pcm(), 1.0, time_s)
    assert found == pytest.approx(expected, abs=5e-5)
    assert found == near(of_source(1.0, time_s), rel=1e-4)


@pytest.mark.parametrize("level", [0.0, 1 / 3, 0.5, 1.0])
@pytest.mark.parametrize("time_s", [1e-6, 1.0, 3e7])
def test_over_conductance(level: float, time_s: float) -> None:
    g = OFF + level * (1 - OFF)
    assert of_maximum(pcm(), level, time_s) == near(of_source(g, time_s), rel=1e-4)


def test_the_bound_of_the_relative_noise() -> None:
    """Below g = (0.0088 / 0.2)^(1 / 0.65), a 123rd, the noise is 0.2 of the conductance."""
    noise = pcm("device.r_off=40000")
    one = torch.zeros(1, dtype=torch.float64)
    off = 1e-3
    root = math.sqrt(math.log((1 + READ_S) / (2 * READ_S)))
    assert float(noise.at(one)) * (1 - off) == near(0.2 * off * root, rel=1e-6)


def test_without_a_law_time_and_conductance_change_nothing() -> None:
    noise = pcm("device.read_noise_law=null")
    levels = torch.linspace(0, 1, 5, dtype=torch.float64)
    for time_s in (1e-9, 1.0, 1e8):
        assert noise.at(levels, time_s).tolist() == [near(0.033519 / (1 - OFF))] * 5


@pytest.mark.parametrize("time_s", [0.0, 1e-7, math.inf])
def test_a_time_shorter_than_a_read(time_s: float) -> None:
    facts = {"code": "out-of-range", "field": "time_s", "value": time_s}
    with refused(ConfigError, **facts, allowed="2.5e-07 s or more"):
        pcm().growth(time_s)
