"""Corrections of linear layers in a transformer: the channels of tokens are the last axis."""

from __future__ import annotations

from unittest.mock import ANY

import pytest
import torch
from torch import Tensor, nn

from archsim.config.resolve import resolve
from archsim.errors import ConfigError, NetworkError
from archsim.network.load import load_network
from tests.cell_models import cell_model
from tests.refusals import refused
from tsb.cells.noise import WeightNoise
from tsb.correction import Carrier, Correction, TuneSettings, make_carrier, parse_corrections, tune
from tsb.correction.calibration import layer_outputs
from tsb.correction.corrected import apply_all, attach_all, start_all
from tsb.correction.on_read import readable_acts
from tsb.data import load_dataset
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.shared_block import SharedBlock

IMAGES = load_dataset("mnist-part").train.spread(24).images
LINEAR = "pattern:layers.*.up,layers.*.down,layers.*.qkv"


class Layer(nn.Module):
    """Attention of one head, and two linear layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norms[0](tokens)).chunk(3, -1)
        shares = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        tokens = tokens + self.out(shares @ v)
        return tokens + self.down(torch.relu(self.up(self.norms[1](tokens))))


class Transformer(nn.Module):
    """Patches of 7 x 7 pixels as tokens."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.input_shape = (1, 28, 28)
        self.patches = nn.Conv2d(1, width, 7, 7)
        self.layers = nn.ModuleList(Layer(width) for _ in range(2))
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.head(tokens.mean(1))


def transformer() -> Transformer:
    torch.manual_seed(3)
    return Transformer().eval()


def prepared(method: str, rule: str = LINEAR) -> tuple[Carrier, list[Correction]]:
    model = transformer()
    carrier = make_carrier(model, load_network(model), rule=rule)
    corrections = parse_corrections(method, {"tsb": {"channels": 4}})
    attach_all(corrections, carrier)
    return carrier, corrections


def chip_of(seed: int = 0) -> ProgrammedChip:
    storage = WeightStorage(
        cell=cell_model(resolve(device="rram", overrides=["device.sigma=0.2"]).device)
    )
    return deploy(transformer(), storage, seed=seed)


class Mixed(nn.Module):
    """A module, and a block on the last axis of what it gives."""

    def __init__(self, module: nn.Module, block: SharedBlock) -> None:
        super().__init__()
        self.module, self.block = module, block

    def forward(self, tokens: Tensor) -> Tensor:
        out = self.module(tokens)
        return self.block(out.movedim(-1, 1).unsqueeze(-1)).squeeze(-1).movedim(1, -1)


def random_block(channels: int, depth: int) -> tuple[SharedBlock, dict[str, Tensor]]:
    block = SharedBlock(channels, depth)
    for layer in block.layers:
        nn.init.normal_(layer.weight)
    return block, {
        f"0.layers.{i}.weight": layer.weight.detach()[:, :, 0, 0]
        for i, layer in enumerate(block.layers)
    }


@pytest.mark.parametrize(
    ("rule", "names", "hooked"),
    [
        (LINEAR, ("qkv", "up", "down"), False),
        ("pattern:layers.0,layers.1", ("",), True),  # what a whole layer gives
    ],
)
@pytest.mark.parametrize(("channels", "depth"), [(4, 1), (5, 2)])
def test_a_block_mixes_the_channels_of_tokens(
    rule: str, names: tuple[str, ...], hooked: bool, channels: int, depth: int
) -> None:
    """Folded or a module of its own: as the block behind every one of these modules."""
    carrier, corrections = prepared(f"tsb:channels={channels},depth={depth}", rule)
    block, parameters = random_block(channels, depth)
    assert corrections[0].hooked == hooked  # type: ignore[attr-defined]
    model = transformer()
    tensors = dict(model.state_dict())
    found = torch.func.functional_call(
        carrier.model, apply_all(corrections, tensors, parameters), (IMAGES,)
    )
    for index, layer in enumerate(model.layers):
        for name in names:
            if name:
                setattr(layer, name, Mixed(getattr(layer, name), block))
            else:
                model.layers[index] = Mixed(layer, block)
    with torch.no_grad():
        torch.testing.assert_close(found, model(IMAGES), rtol=1e-4, atol=1e-4)


def test_matched_outputs_have_the_moments_of_the_clean_network() -> None:
    """One scale and bias for each channel, whatever the place of the token."""
    carrier, corrections = prepared("output-match")
    chip = chip_of()
    parameters = start_all(corrections, carrier, chip, IMAGES)
    clean = {**chip.tensors, **chip.wanted}
    names = ["layers.0.qkv", "layers.1.down", "head"]
    wanted = layer_outputs(carrier.model, clean, IMAGES, names)
    matched = apply_all(corrections, chip.tensors, parameters)
    found = layer_outputs(carrier.model, matched, IMAGES, names)
    for name in names:
        own, other = (each[name].flatten(0, -2) for each in (found, wanted))
        torch.testing.assert_close(own.mean(0), other.mean(0), rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(own.std(0), other.std(0), rtol=1e-3, atol=1e-4)
    assert parameters["0.layers.0.qkv.scale"].shape == (18,)


@pytest.mark.parametrize("method", ["own-blocks", "tsb:channels=4+scales+biases"])
def test_corrections_of_a_transformer_are_trained(method: str) -> None:
    carrier, corrections = prepared(method)
    chips = [chip_of(seed) for seed in (0, 1)]
    data = load_dataset("mnist-part")
    steps = TuneSettings(steps=3, batch_size=16, noise=WeightNoise(sigma=0.02))
    tuned = tune(carrier, chips, corrections, data, steps)
    assert not any(tuned.diverged)
    first = start_all(corrections, carrier, chips[0], data.train.spread(16).images)
    assert tuned.parameters[0].keys() == first.keys()
    moved = [(tuned.parameters[0][name] - first[name]).abs().max() for name in first]
    assert max(map(float, moved)) > 0
    # Chips are repaired each against its own errors.
    assert any(not tuned.parameters[0][name].equal(tuned.parameters[1][name]) for name in first)


def test_where_no_module_gives_the_tokens() -> None:
    with refused(NetworkError, code="unsupported", field="layers.0.add", value="transformer"):
        prepared("tsb:channels=4", "default")  # both adds of a layer are in one module


def test_a_block_behind_a_linear_layer_is_not_read_exactly() -> None:
    for method in ("tsb:channels=4", "own-blocks"):
        _, corrections = prepared(method)
        with refused(ConfigError, code="unsupported", field="read_path", value=ANY, allowed="off"):
            readable_acts(corrections, lambda _: {})
