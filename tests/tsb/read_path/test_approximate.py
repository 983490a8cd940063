"""The approximate read path: moments of what converters lose, and where that is no noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from archsim.device import WeightFormat
from archsim.errors import Code, ConfigError
from tests.refusals import refused
from tsb.read_path.approximate import Moments
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.settings import Converter, ReadSettings

FORM = WeightFormat(weight_bits=8, bits_per_cell=2, encoding="differential")


def network() -> nn.Sequential:
    torch.manual_seed(3)
    layers = (nn.Linear(96, 24), nn.ReLU(), nn.Linear(24, 10))
    return nn.Sequential(*layers).eval()


def images(count: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 96, generator=torch.Generator().manual_seed(seed))


def read(bits: int, rule: str = "calibrated", *, approximate: bool) -> ReadNetwork:
    settings = ReadSettings(weight_format=FORM, rows=48, converter=Converter(bits=bits, range=rule))
    made = ReadNetwork.of_weights(network(), settings)
    made.approximate = approximate
    return made.calibrate(images(200))


def test_moments_of_a_line_with_noise_are_found() -> None:
    source = np.random.default_rng(0)
    plain = source.normal(size=(20000, 2)) * 50
    exact = np.array([0.9, 1.0]) * plain + np.array([3.0, -7.0])
    exact += source.normal(size=plain.shape) * np.array([2.0, 0.0])
    found = Moments.of(exact, plain)
    assert found.gain == pytest.approx([0.9, 1.0], abs=2e-3)
    assert found.bias == pytest.approx([3.0, -7.0], abs=0.06)
    assert found.std == pytest.approx([2.0, 0.0], rel=0.02, abs=1e-9)


def test_its_scores_have_the_mean_and_the_spread_of_the_exact_ones() -> None:
    exact, approximate = (read(4, approximate=mode) for mode in (False, True))
    plain = read(0, approximate=False).scores(images(400, seed=2))
    errors = [made.scores(images(400, seed=2), Noise(5)) - plain for made in (exact, approximate)]
    stds = [float(error.std()) for error in errors]
    assert stds[0] > 0.02 * float(plain.std()), "this converter loses something"
    assert stds[1] == pytest.approx(stds[0], rel=0.25)
    assert float((errors[0].mean(0) - errors[1].mean(0)).abs().max()) < 0.3 * stds[0]


def test_without_a_seed_it_is_the_mean_and_with_one_the_same_in_any_batch() -> None:
    made, pictures = read(4, approximate=True), images(30, seed=2)
    first = made.scores(pictures)
    assert torch.equal(first, made.scores(pictures))
    noisy = made.scores(pictures, Noise(5))
    assert not torch.equal(noisy, first)
    alone = torch.cat(
        [made.scores(pictures[k : k + 1], Noise(5), first_image=k) for k in range(len(pictures))]
    )
    assert torch.allclose(noisy, alone, atol=1e-6)


def test_a_layer_at_once_is_its_matrices_one_by_one() -> None:
    """Groups of channels, padding, and inputs of either sign, which have a zero point."""
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, groups=2)).eval()
    settings = ReadSettings(weight_format=FORM, rows=48, converter=Converter(bits=3))
    made = ReadNetwork.of_weights(model, settings)
    made.approximate = True
    pictures = torch.randn(12, 4, 5, 5)
    layer = made.calibrate(pictures).layers["0.weight"]
    assert layer.inputs.zero > 0
    one_by_one = torch.from_numpy(layer.product(model[0], pictures)).view(12, 5, 5, 6)
    wanted = one_by_one.permute(0, 3, 1, 2) * layer.scale * layer.inputs.step
    found = layer.scaled(model[0], pictures)
    assert torch.allclose(found.double(), wanted, atol=1e-5 * float(wanted.abs().max()))
    noisy = layer.scaled(model[0], pictures, Noise(1)) - found
    spread = torch.cat([torch.from_numpy(read.moments.std) for read in layer.reads])  # type: ignore[union-attr]
    wide = noisy.std((0, 2, 3)) / (spread * layer.scale * layer.inputs.step)
    assert torch.allclose(wide, torch.ones(6, dtype=wide.dtype), atol=0.2)


def test_where_nothing_is_lost_it_is_exact() -> None:
    exact, approximate = (read(9, "full-scale", approximate=mode) for mode in (False, True))
    pictures = images(20, seed=2)
    assert torch.equal(exact.scores(pictures), approximate.scores(pictures, Noise(1)))


def test_what_is_no_noise_is_refused() -> None:
    with refused(ConfigError, code=Code.UNSUPPORTED, field="read_path", value="approximate",
                 allowed="exact"):  # fmt: skip
        read(3, "full-scale", approximate=True)


def test_noise_of_reads_and_of_converters_is_in_the_spread() -> None:
    def spread(**changes: Any) -> float:
        converter = Converter(bits=4, noise_lsb=changes.pop("noise_lsb", 0.0))
        settings = ReadSettings(weight_format=FORM, rows=48, converter=converter, **changes)
        made = ReadNetwork.of_weights(network(), settings)
        made.approximate = True
        made.calibrate(images(200))
        moments = made.layers["0.weight"].reads[0].moments
        return 0.0 if moments is None else float(np.mean(moments.std))

    assert spread(read_noise=0.3) > 1.3 * spread()
    assert spread(noise_lsb=1.0) > 1.3 * spread()
