"""What reads lose layer by layer, and what noise in layers does to an accuracy."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archsim.device import WeightFormat
from tsb.read_path.damage import layer_losses, layer_outputs, not_a_noise
from tsb.read_path.network import ReadNetwork
from tsb.read_path.response import Response, measure_response
from tsb.read_path.settings import Converter, ReadSettings


class Layers(nn.Module):
    """A convolution, a ReLU and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 6 * 6, 5)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.fc(torch.relu(self.conv(images)).flatten(1))
        return scores


IMAGES = torch.rand((40, 2, 6, 6), generator=torch.Generator().manual_seed(1))


def network(model: nn.Module, images: Tensor = IMAGES, **converter: object) -> ReadNetwork:
    form = WeightFormat(weight_bits=8, bits_per_cell=2, encoding="differential")
    settings = ReadSettings(
        weight_format=form,
        rows=32,
        converter=Converter(**converter),  # type: ignore[arg-type]
    )
    return ReadNetwork.of_weights(model.eval(), settings).calibrate(images)


def test_the_error_of_a_single_layer_is_that_of_its_outputs():
    model = nn.Sequential(nn.Linear(20, 6))
    inputs = torch.rand((64, 20), generator=torch.Generator().manual_seed(2))
    read = network(model, inputs, bits=4)
    (loss,) = layer_losses(layer_outputs(read, inputs)).values()
    with torch.no_grad():
        wanted = model(inputs).double()
    lost = read.scores(inputs).double() - wanted
    assert loss.error == pytest.approx(float(lost.square().mean()), rel=1e-9, abs=0)
    assert loss.signal == pytest.approx(float(wanted.var(0).mean()), rel=1e-9, abs=0)
    assert loss.ratio > 0


def test_a_layer_has_no_errors_of_those_before_it():
    read = network(Layers(), bits=5)
    shape = read.model.get_parameter("conv.weight").shape
    generator = torch.Generator().manual_seed(3)
    errors = {"conv.weight": torch.randn((*shape, 2, 4), generator=generator)}
    before, after = (
        layer_losses(layer_outputs(one, IMAGES)) for one in (read, read.with_errors(errors))
    )
    assert after["conv.weight"].ratio > 2 * before["conv.weight"].ratio
    assert after["fc.weight"] == before["fc.weight"]


def test_fewer_bits_lose_more_and_none_next_to_nothing():
    model = Layers()
    found = [layer_losses(layer_outputs(network(model, bits=bits), IMAGES)) for bits in (3, 5, 0)]
    for name in ("conv.weight", "fc.weight"):
        coarse, fine, exact = (losses[name].ratio for losses in found)
        assert coarse > 2 * max(fine, exact)
        assert max(fine, exact) < 1e-3  # the codes of inputs and weights


def test_another_converter_on_known_sums_is_one_that_was_calibrated():
    model = Layers()
    other = network(model, bits=3).with_converter(Converter(bits=6, percentile=99.0), IMAGES)
    anew = network(model, bits=6, percentile=99.0)
    assert torch.equal(other.scores(IMAGES), anew.scores(IMAGES))


def test_errors_that_are_no_noise_are_told():
    model = Layers()
    assert "step" in not_a_noise(network(model, bits=3, range="full-scale"))
    assert "clipped" in not_a_noise(network(model, bits=4, percentile=90.0))
    assert not not_a_noise(network(model, bits=8))


class Unused(nn.Module):
    """Two layers, one of which no score depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.used(inputs) + 0 * self.unused(inputs)
        return scores


@pytest.fixture(scope="module")
def response() -> Response:
    torch.manual_seed(4)
    model = Unused().eval()
    inputs = torch.randn((400, 8))
    with torch.no_grad():
        labels = model(inputs).argmax(-1)
    return measure_response(model, inputs, labels)


def test_the_response_is_of_the_layers_that_matter(response):
    assert response.shares["used.weight"] > 0.99
    assert sum(response.shares.values()) == pytest.approx(1, abs=1e-12)
    assert response.total({"used.weight": 0.2, "unused.weight": 0.2}) == pytest.approx(0.2)


def test_the_response_falls_from_the_accuracy_without_noise(response):
    assert response.at(0.0) == 1.0
    assert list(response.accuracies) == sorted(response.accuracies, reverse=True)
    assert response.at(1e9) == response.accuracies[-1] < 0.6
    for level, accuracy in zip(response.levels, response.accuracies, strict=True):
        assert response.at(level) == pytest.approx(accuracy, abs=1e-12)
