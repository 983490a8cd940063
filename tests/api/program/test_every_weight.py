"""No weight is forgotten: what is programmed, deployed and trained is what ``archsim map`` counts.

Of every network of the zoo, families of timm and transformers, and small networks whose trained
matrices are in no convolution or linear module.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archsim.api.chips import deploy_chips, evaluate_chips
from archsim.api.map import map_network
from archsim.api.program.run import program
from archsim.errors import ConfigError, NetworkError
from archsim.network import load_network, zoo
from archsim.network.load import load_module
from tests.refusals import refused
from tsb.cells.noise import WeightNoise
from tsb.cells.programmable import programmable
from tsb.cells.stored import StoredNetwork, layer_names, mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import save_checkpoint
from tsb.data import Dataset, load_dataset
from tsb.program.chip import ProgrammedChip, deploy
from tsb.program.storage import WeightStorage
from tsb.train.loop import train_backbone
from tsb.train.objective.noise_injection import NoiseInjection
from tsb.train.settings import TrainSettings

needs_timm = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None, reason="timm is not installed"
)
STORED = WeightStorage(
    cell=CellModel(sigma=0.1, write_model="redraw", tolerance=0.05, max_pulses=30)
)

#: Networks with more weights are counted, and not put on a chip here.
DEPLOYED = 1_000_000


class Recurrent(nn.Module):
    """Rows of a digit through an LSTM."""

    input_shape = (1, 28, 28)
    weights = 28 * 256 + 64 * 256 + 640

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(28, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.cell(x.squeeze(1))[0][:, -1])
        return out


class Functional(nn.Module):
    """Matrices that are parameters: as they are, transposed, and both."""

    input_shape = (1, 28, 28)
    weights = 784 * 16 + 16 * 16 + 16 * 16 + 16 * 10

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.randn(16, 784) * 0.05)
        self.both = nn.Parameter(torch.randn(16, 16) * 0.2)
        self.out = nn.Parameter(torch.randn(16, 10) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(functional.linear(x.flatten(1), self.into))
        x = torch.relu(functional.linear(x @ self.both, self.both))
        return x @ self.out


class Computed(nn.Module):
    """A transposed convolution, a weight norm, attention, and modules that are not used."""

    input_shape = (1, 28, 28)
    weights = 1 * 2 * 4 + 4 * 2 * 49 + 4 * 8 + 3 * 8 * 8 + 8 * 8 + 8 * 4 + 4 * 10

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(1, 2, 2, stride=2)
        self.down = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 7, stride=7))
        self.wide = nn.Linear(4, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.narrow = nn.Linear(8, 4)
        self.head = nn.Linear(4, 10)
        self.unused = nn.LSTM(9, 9)
        self.auxiliary = nn.Linear(50, 50)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.down(torch.relu(self.up(x)))).flatten(2).transpose(1, 2)
        x = self.wide(x)
        x = x + self.attention(x, x, x)[0]
        out: Tensor = self.head(torch.relu(self.narrow(x)).mean(1))
        return out


class Experts(nn.Module):
    """Matrices that a router picks: from the right, from the left, turned."""

    input_shape = (1, 28, 28)
    weights = 28 * 4 + 4 * 28 * 16 + 4 * 16 * 8 + 8 * 10

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(28, 4)
        self.up = nn.Parameter(torch.randn(4, 16, 28) * 0.2)
        self.down = nn.Parameter(torch.randn(4, 16, 8) * 0.2)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(0, 1)
        share, index = self.router(x).softmax(-1).topk(2)
        tokens = x.reshape(-1, 28).repeat_interleave(2, 0).unsqueeze(-1)
        index = index.reshape(-1)
        x = torch.relu(torch.bmm(self.up[index], tokens)).transpose(1, 2)
        x = torch.bmm(x, self.down[index]).view(*share.shape, 8)
        out: Tensor = self.head((x * share.unsqueeze(-1)).sum(2).mean(1))
        return out


CASES: dict[str, Callable[[], nn.Module]] = {
    "recurrent": Recurrent,
    "functional": Functional,
    "computed": Computed,
    "experts": Experts,
}


def recurrent() -> nn.Module:
    return Recurrent()


def functional_matrices() -> nn.Module:
    return Functional()


def computed() -> nn.Module:
    return Computed()


def experts() -> nn.Module:
    return Experts()


SPECS = {
    "recurrent": f"{__name__}:recurrent",
    "functional": f"{__name__}:functional_matrices",
    "computed": f"{__name__}:computed",
    "experts": f"{__name__}:experts",
}


def counted(model: nn.Module, spec: str, mapped: int, **given: Any) -> None:
    """Check that programming, deploying and the layers of the map count the same."""
    found = programmable(model, network=spec, **given)
    assert found.graph is not None, found.untraced
    by_name = mapped_weights(found.model)
    sizes = {layer.name: layer.weights for layer in found.graph.layers}
    layer_of = layer_names(found.model) or {}
    assert {layer_of[name]: weight.numel() for name, weight in by_name.items()} == sizes
    assert sum(sizes.values()) == mapped
    if mapped < DEPLOYED:
        chip = deploy(found.model, STORED, seed=0)
        assert chip.weights == mapped
        for name, wanted in chip.wanted.items():
            assert (chip.tensors[name] != wanted).any() or not wanted.any(), name


@pytest.mark.parametrize("name", zoo.names())
def test_zoo(name: str) -> None:
    counted(load_module(name), name, load_network(name).totals.weights)


#: Options that leave one block of each kind.
TIMM: dict[str, dict[str, object]] = {
    "vit_tiny_patch16_224": {"depth": 1},
    "deit3_small_patch16_224": {"depth": 1, "embed_dim": 96, "num_heads": 3},
    "swin_tiny_patch4_window7_224": {"depths": (1, 1, 1, 1), "embed_dim": 24},
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)},
    "xcit_nano_12_p16_224": {"depth": 1},
    "beit_base_patch16_224": {"depth": 1, "embed_dim": 48, "num_heads": 2},
    "eva02_tiny_patch14_224": {"depth": 1},
    "cait_xxs24_224": {"depth": 1, "depth_token_only": 1},
    "tnt_s_patch16_224": {"depth": 1},
    "mobilenetv3_small_050": {},
    "regnetx_002": {},
    "resnetv2_50": {"layers": (1, 1, 1, 1)},
    "nf_resnet26": {},
}


@needs_timm
@pytest.mark.parametrize("name", TIMM)
def test_timm(name: str) -> None:
    spec, options = f"timm:{name}", TIMM[name]
    mapped = load_network(spec, None, **options).totals.weights
    counted(load_module(spec, options), spec, mapped)


_SIZES = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 16,
}  # fmt: skip
#: name -> model, configuration.
TRANSFORMERS: dict[str, tuple[str, Mapping[str, object]]] = {
    "Bert": ("BertForMaskedLM", _SIZES),
    "Albert": ("AlbertModel", {**_SIZES, "embedding_size": 8}),
    "Electra": ("ElectraModel", {**_SIZES, "embedding_size": 8}),
    "DebertaV2": ("DebertaV2Model", _SIZES),
    "Llama": ("LlamaForCausalLM", _SIZES),
    "GPTNeoX": ("GPTNeoXForCausalLM", _SIZES),
    "GPT2": (
        "GPT2LMHeadModel",
        {"vocab_size": 40, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16},
    ),
    "OPT": ("OPTForCausalLM", {**_SIZES, "ffn_dim": 24, "word_embed_proj_dim": 16}),
    "Bloom": ("BloomForCausalLM", {"vocab_size": 40, "hidden_size": 16, "n_layer": 1, "n_head": 2}),
    "DistilBert": (
        "DistilBertModel",
        {"vocab_size": 40, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 24},
    ),
    "XLNet": ("XLNetModel", {"vocab_size": 40, "d_model": 16, "n_layer": 1, "n_head": 2}),
    "T5": ("T5EncoderModel", {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24}),
    "Mamba": ("MambaForCausalLM", {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1}),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    kind, sizes = TRANSFORMERS[name]
    config = getattr(transformers, f"{name}Config")(**sizes)
    model = getattr(transformers, kind)(config).eval()
    tokens = {"input_shape": (5,), "input_dtype": "int64"}
    counted(model, name, load_network(model, **tokens).totals.weights, **tokens)


@pytest.mark.parametrize("name", CASES)
def test_cases(name: str) -> None:
    """By the commands; the count by hand is the module's own."""
    model, spec = CASES[name](), SPECS[name]
    assert map_network(spec).graph.totals.weights == model.weights
    assert program(spec, policy="all").verified_weights == model.weights
    counted(model, spec, model.weights)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("mnist-part")


@pytest.mark.parametrize("name", CASES)
def test_deployed_chips_are_what_their_cells_hold(name: str, tmp_path: Path) -> None:
    """Every stored matrix has errors, in the file and when the chip is used."""
    torch.manual_seed(1)
    model, spec = CASES[name]().eval(), SPECS[name]
    save_checkpoint(tmp_path / "ck.safetensors", model, network=spec)
    (path,) = deploy_chips(spec, tmp_path / "ck.safetensors", tmp_path, chips=1, sigma=0.3)
    chip = ProgrammedChip.load(path)
    assert chip.weights == model.weights
    network = programmable(CASES[name](), network=spec).model
    chip.load_into(network)
    images = load_dataset("mnist-part").test.images[:20]
    noisy = network(images)
    for stored in chip.wanted:
        silent = {**chip.tensors, stored: chip.wanted[stored]}
        seen = torch.func.functional_call(network, silent, (images,))
        assert not torch.equal(seen, noisy), stored
    free = torch.func.functional_call(network, {**chip.tensors, **chip.wanted}, (images,))
    torch.testing.assert_close(free, model(images), rtol=0, atol=0.1)
    found = evaluate_chips([path], network=spec, data="mnist-part", test_images=200)
    right = network(load_dataset("mnist-part").test.spread(200).images).argmax(-1)
    labels = load_dataset("mnist-part").test.spread(200).labels
    assert found.stats.mean == pytest.approx(float((right == labels).double().mean()))


@pytest.mark.parametrize("name", CASES)
def test_training_injects_noise_into_every_matrix(
    name: str, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And moves what they are computed from; the files of a training are those of the module."""
    torch.manual_seed(0)
    model, loss, seen = CASES[name](), NoiseInjection.loss, []

    def counted_loss(self: NoiseInjection, network: nn.Module, weights: Any, *rest: Any) -> Tensor:
        seen.append(sum(weight.numel() for weight in weights.values()))
        return loss(self, network, weights, *rest)

    monkeypatch.setattr(NoiseInjection, "loss", counted_loss)
    before = {key: tensor.clone() for key, tensor in model.named_parameters()}
    settings = TrainSettings(
        epochs=1, batch_size=256, validation_instances=2, noise=WeightNoise(sigma=0.02)
    )
    train_backbone(model, digits, settings)
    assert set(seen) == {model.weights}
    for key, tensor in model.named_parameters():
        moved = not torch.equal(tensor, before[key])
        assert moved != key.startswith(("unused", "auxiliary")), key
    assert set(model.state_dict()) == set(CASES[name]().state_dict())


def test_a_bound_of_weights_that_are_computed_is_refused(digits: Dataset) -> None:
    with refused(ConfigError, code="conflict", field="clip", value=2.0, allowed="no clip"):
        train_backbone(Computed(), digits, TrainSettings(epochs=1, clip=2.0))


def shapeless() -> nn.Module:
    return nn.Sequential(nn.LSTM(4, 4))


def test_what_is_not_known_is_refused_by_name() -> None:
    with refused(NetworkError, code="unsupported", field="0.weight_ih_l0", value=(16, 4)):
        program(f"{__name__}:shapeless")
    found = program(f"{__name__}:linear", input_shape=(4,))
    assert found.weights == 12


def linear() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3))


def test_stored_networks_are_only_made_where_needed() -> None:
    kinds = {n: type(programmable(make(), network=n).model) for n, make in CASES.items()}
    assert kinds["recurrent"] is Recurrent
    assert kinds["functional"] is kinds["computed"] is StoredNetwork
