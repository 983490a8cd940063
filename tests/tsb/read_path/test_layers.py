"""Layers and networks: against torch where nothing is lost, and what belongs to an image alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archsim.errors import ConfigError, NetworkError
from tests.refusals import refused
from tests.tsb.read_path import oracle
from tests.tsb.read_path.oracle import but_converter
from tsb.read_path.inputs import Ends, InputCodes
from tsb.read_path.layer import LayerRead, readable
from tsb.read_path.network import ReadNetwork
from tsb.read_path.read_noise import Noise
from tsb.read_path.settings import Wires

LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "plain": (lambda: nn.Conv2d(3, 4, 3), (3, 7, 6)),
    "padded and strided": (
        lambda: nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 2)),
        (3, 7, 6),
    ),
    "dilated": (lambda: nn.Conv2d(2, 4, 3, dilation=2, padding=2, bias=False), (2, 9, 8)),
    "grouped": (lambda: nn.Conv2d(6, 4, 3, groups=2, padding=1), (6, 5, 5)),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4), (4, 5, 5)),
    "same": (lambda: nn.Conv2d(2, 3, (5, 3), padding="same", dilation=(1, 2)), (2, 6, 7)),
    "linear": (lambda: nn.Linear(11, 3), (11,)),
    "tokens": (lambda: nn.Linear(11, 3), (5, 11)),
}


def _network(layer: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(layer, nn.Flatten(), nn.Identity()).eval()


def _quantised(network: ReadNetwork, layer: Any, images: Tensor) -> Tensor:
    """What torch makes of the same codes."""
    (read,) = network.layers.values()
    codes = read.inputs
    top = 2**codes.bits - 1
    steps = torch.round(images / codes.step)
    if codes.signed == "two-pass":
        steps = steps.clamp(-top, top)
    elif codes.signed == "sign-plane":
        steps = steps.clamp(-(top + 1) // 2, top // 2)
    else:
        steps = (steps + codes.zero).clamp(0, top) - codes.zero
    (name,) = network.scales
    stored = torch.cat([torch.from_numpy(one.matrix.codes.T) for one in read.reads])
    weight = stored.reshape(layer.weight.shape) * network.scales[name]
    bias = None if layer.bias is None else layer.bias.double()
    inputs = steps.double() * codes.step
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(inputs, weight, bias)
    return nn.functional.conv2d(
        inputs, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
    )


@pytest.mark.parametrize("signed", ["zero-point", "two-pass", "sign-plane", "relu"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("lossless", ["no converter", "enough bits", "sum by sum"])
def test_a_layer_that_loses_nothing_is_that_of_torch(name: str, signed: str, lossless: str) -> None:
    make, shape = LAYERS[name]
    torch.manual_seed(1)
    layer = make()
    images = torch.randn(3, *shape)
    images = images.relu() if signed == "relu" else images - 0.3
    bits = 0 if lossless == "no converter" else 9
    chip = oracle.settings(
        bits=bits, rows=16, signed_inputs="zero-point" if signed == "relu" else signed,
        read_noise=1e-30 if lossless == "sum by sum" else 0.0,
    )  # fmt: skip
    network = ReadNetwork.of_weights(_network(layer), chip).calibrate(images)
    (read,) = network.layers.values()
    assert read.inputs.passes == (2 if signed == "two-pass" else 1)
    assert (read.inputs.zero > 0) == (signed == "zero-point")
    wanted = _quantised(network, layer, images).flatten(1)
    np.testing.assert_allclose(
        network.scores(images, Noise(0)).double(), wanted.detach(), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("signed", ["zero-point", "two-pass", "sign-plane"])
def test_signed_inputs_go_through_converters(signed: str) -> None:
    """Codes by hand, converted plainly."""
    layer = nn.Linear(20, 4, bias=False)
    images = torch.randn(5, 20)
    chip = oracle.settings(bits=4, rows=16, signed_inputs=signed)
    network = ReadNetwork.of_weights(_network(layer), chip).calibrate(images)
    (read,) = network.layers.values()
    codes = read.reads[0].matrix.codes
    steps = np.round(images.numpy() / np.float32(read.inputs.step)).astype(np.int64)
    if signed == "two-pass":
        parts = [oracle.expected(codes, np.maximum(sign * steps, 0), chip) for sign in (1, -1)]
        wanted = parts[0] - parts[1]
    elif signed == "sign-plane":
        wanted = oracle.expected(codes, np.where(steps < 0, steps + 256, steps), chip,
                                 sign_plane=True)  # fmt: skip
    else:
        zero = read.inputs.zero
        wanted = oracle.expected(codes, np.clip(steps + zero, 0, 255), chip) - zero * codes.sum(0)
    np.testing.assert_allclose(read.product(layer, images), wanted, atol=1e-7)


def _lenet() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(4 * 3 * 3, 5),
    ).eval()  # fmt: skip


def test_an_image_alone_has_the_scores_that_it_has_in_a_batch() -> None:
    images = torch.randn(9, 1, 12, 12)
    chip = oracle.settings(
        bits=5, rows=16, range="calibrated", read_noise=0.05, noise_lsb=0.3, offset_lsb=0.4
    )
    network = ReadNetwork.of_weights(_lenet(), chip).calibrate(images[:4])
    whole = network.scores(images, Noise(3))
    alone = [network.scores(images[at : at + 1], Noise(3), first_image=at) for at in range(9)]
    torch.testing.assert_close(torch.cat(alone), whole, rtol=0, atol=0)
    assert not torch.equal(network.scores(images, Noise(4)), whole)


def test_other_chips_keep_codes_and_ranges() -> None:
    images = torch.rand(6, 1, 12, 12)
    chip = oracle.settings(bits=5, rows=16, range="calibrated", offset_lsb=0.5)
    network = ReadNetwork.of_weights(_lenet(), chip).calibrate(images)
    errors = {
        name: 0.05 * torch.randn(
            *(network.codes_of(name).shape), 1, 4, dtype=torch.float64
        )
        for name in network.matrices
    }  # fmt: skip
    other = network.with_errors(errors, chip=7)
    for name, layer in other.layers.items():
        assert layer.inputs == network.layers[name].inputs
        assert layer.reads[0].grids == network.layers[name].reads[0].grids
        assert (layer.reads[0].offsets_of(0) != network.layers[name].reads[0].offsets_of(0)).all()
    assert not torch.equal(other.scores(images), network.scores(images))


def test_ranges_are_those_of_sums_without_errors_and_noise() -> None:
    images = torch.rand(6, 1, 12, 12)
    ideal = oracle.settings(bits=5, rows=16, range="calibrated", on_off_ratio=17.0,
                            wires=Wires(model="driven", ohm_per_cell=5.0, columns=16))  # fmt: skip
    noisy = but_converter(ideal.but(read_noise=0.3), noise_lsb=1.0, offset_lsb=1.0)
    plain = ReadNetwork.of_weights(_lenet(), ideal).calibrate(images)
    errors = {
        name: 0.3 * torch.randn(*plain.codes_of(name).shape, 1, 4, dtype=torch.float64)
        for name in plain.matrices
    }
    wrong = ReadNetwork.of_weights(_lenet(), noisy, errors=errors).calibrate(images)
    for name, layer in wrong.layers.items():
        assert layer.reads[0].grids == plain.layers[name].reads[0].grids


def test_only_convolutions_and_linear_layers_are_read() -> None:
    with refused(
        NetworkError, code="unsupported", field="up", value="ConvTranspose2d", allowed="Linear"
    ):
        readable("up", nn.ConvTranspose2d(1, 1, 3))
    with refused(NetworkError, code="unsupported", field="c", value="Conv2d", allowed="Conv2d"):
        readable("c", nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))


def test_no_images_are_refused() -> None:
    network = ReadNetwork.of_weights(_lenet(), oracle.settings(bits=4))
    with refused(ConfigError, code="missing-key", field="inputs"):
        Ends(100.0).found()
    network.calibrate(torch.rand(2, 1, 12, 12))
    with refused(ConfigError, code="out-of-range", field="images", value=0, allowed="1"):
        network.scores(torch.rand(0, 1, 12, 12))


def test_inputs_that_are_not_finite_are_refused() -> None:
    network = ReadNetwork.of_weights(_lenet(), oracle.settings(bits=4))
    with refused(ConfigError, code="not-finite", field="inputs"):
        network.calibrate(torch.full((2, 1, 12, 12), float("nan")))


def test_the_highest_code_stands_for_a_percentile_of_the_inputs() -> None:
    ends = Ends(90.0)
    for part in torch.arange(-100.0, 0.0).split(30):
        ends.add(part)
    assert ends.found() == (-90.0, -1.0)
    codes = InputCodes.of_range(0.0, 5.1, bits=8, signed_inputs="zero-point")
    assert codes.step == pytest.approx(0.02)
    assert codes.encode(torch.tensor([0.0, 0.029, 5.1, 9.0]))[0].tolist() == [0, 1, 255, 255]


def test_inputs_that_are_all_zero_give_the_bias() -> None:
    layer = nn.Linear(4, 3)
    network = ReadNetwork.of_weights(_network(layer), oracle.settings(bits=4, rows=8))
    network.calibrate(torch.zeros(2, 4))
    torch.testing.assert_close(network.scores(torch.zeros(2, 4)), layer.bias.detach().expand(2, 3))


def test_a_layer_that_is_never_read_is_named() -> None:
    model = _lenet()
    model.forward = lambda images: model[6](torch.zeros(len(images), 36))  # type: ignore[assignment, operator, method-assign, index, misc]
    with refused(NetworkError, code="unsupported", field="0.weight"):
        ReadNetwork.of_weights(model, oracle.settings(bits=4)).calibrate(torch.rand(2, 1, 12, 12))


def test_the_layer_is_what_the_network_reads() -> None:
    images = torch.rand(3, 4)
    network = ReadNetwork.of_weights(_network(nn.Linear(4, 3)), oracle.settings(bits=4, rows=8))
    network.calibrate(images)
    (layer,) = network.layers.values()
    assert isinstance(layer, LayerRead)
    torch.testing.assert_close(
        layer(network.model.get_submodule("0"), images),  # type: ignore[arg-type]
        network.scores(images),
    )
