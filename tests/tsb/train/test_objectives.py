"""Losses of backbones: against formulas written out, finite differences, and real digits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from archsim.errors import ConfigError
from archsim.network.zoo import build
from tests.refusals import refused
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.stored import mapped_weights
from tsb.data import Dataset, load_dataset
from tsb.train.objective.base import Loss
from tsb.train.objective.lipschitz import lipschitz_bound, orthogonality
from tsb.train.objective.neft import negative_feedback
from tsb.train.objective.registry import make_loss
from tsb.train.snapshot_heads import SnapshotHeads, snapshot_shapes

MNIST = Path(__file__).parents[2] / "data" / "mnist"
SHAPE = (1, 28, 28)
NOISE = WeightNoise(sigma=0.1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("mnist", MNIST)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lenet(name: str = "lenet3") -> nn.Module:
    torch.manual_seed(0)
    return build(name)


def objective_for(name: str, model: nn.Module, **options: object) -> Loss:
    return make_loss(name, model, SHAPE, **options)


def loss_of(objective: Loss, model: nn.Module, data: Dataset, noise=NOISE, count=20) -> Tensor:
    batch = data.train.head(count)
    dtype = next(model.parameters()).dtype
    return objective.loss(
        model, mapped_weights(model), noise, seeded(), batch.images.to(dtype), batch.labels
    )


def train(model: nn.Module, objective: Loss, data: Dataset, *, epochs: int = 5) -> None:
    auxiliary = objective.auxiliary
    parameters = [*model.parameters(), *([] if auxiliary is None else auxiliary.parameters())]
    adam, weights = torch.optim.Adam(parameters, lr=3e-3), mapped_weights(model)
    order, noise_source = seeded(1), seeded(2)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(data.train), generator=order).split(25):
            adam.zero_grad()
            images, labels = data.train.images[batch], data.train.labels[batch]
            objective.loss(model, weights, NOISE, noise_source, images, labels).backward()
            adam.step()
    model.eval()


def spectral_norms(model: nn.Module) -> dict[str, float]:
    return {
        name: float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))
        for name, weight in mapped_weights(model).items()
    }


# Noise injection


def test_noise_injection_is_the_plain_loss_to_the_last_bit(digits):
    model, batch = lenet(), digits.train.head(20)
    noisy = noisy_weights(mapped_weights(model), NOISE, seeded())
    expected = functional.cross_entropy(functional_call(model, noisy, batch.images), batch.labels)
    assert torch.equal(loss_of(objective_for("noise-injection", model), model, digits), expected)


# NeFT


def test_negative_feedback_by_hand():
    scores, first, second = (torch.tensor([row]) for row in ([4.0, 1.0], [2.0, 3.0], [10.0, 20.0]))
    found = negative_feedback(scores, [first, second], 0.5, 0.1)
    # (4 - 0.5 (2 + 1)) / 3 and (1 - 0.5 (3 + 2)) / 3
    assert torch.allclose(found, torch.tensor([[2.5 / 3, -1.5 / 3]]))


def test_forwards_with_more_noise_are_fed_back(digits):
    """The public code's three: 0.15, 0.10 and 0.05 above the chip's, the loudest counts most."""
    model, batch, generator = lenet(), digits.train.head(20), seeded()
    weights = mapped_weights(model)
    scores = [
        functional_call(
            model, noisy_weights(weights, replace(NOISE, sigma=sigma), generator), (batch.images,)
        )
        for sigma in (0.1, 0.25, 0.2, 0.15)
    ]
    mixed = (scores[0] - 0.2 * (scores[1] + 0.1 * scores[2] + 0.01 * scores[3])) / 4
    expected = functional.cross_entropy(mixed, batch.labels)
    found = loss_of(objective_for("neft-ovf", model, beta=0.2), model, digits)
    assert torch.allclose(found, expected, rtol=1e-6)


def test_running_statistics_are_those_of_the_backbones_own_noise(digits):
    plain, fed = lenet("lenet3-bn").train(), lenet("lenet3-bn").train()
    loss_of(objective_for("noise-injection", plain), plain, digits)
    loss_of(objective_for("neft-ovf", fed), fed, digits)
    fresh = dict(lenet("lenet3-bn").named_buffers())
    for name, buffer in plain.named_buffers():
        assert torch.equal(buffer, dict(fed.named_buffers())[name])
        assert not torch.equal(buffer, fresh[name])


def test_snapshots_are_fed_back(digits):
    """LeNet-3's one snapshot, followed by hand through pooling and both linear layers."""
    model, batch, generator = lenet(), digits.train.head(20), seeded()
    objective = objective_for("neft-irs", model, beta=0.2, features=5 * 7 * 7, width=30)
    noisy = noisy_weights(mapped_weights(model), NOISE, generator)
    heads = dict(objective.auxiliary.named_parameters())
    own = noisy_weights(mapped_weights(objective.auxiliary), NOISE, generator)
    first = functional.conv2d(
        batch.images, noisy["conv1.weight"], dict(model.named_parameters())["conv1.bias"], padding=1
    )
    inner = functional.max_pool2d(functional.relu(first), 2)
    hidden, last = (name.removesuffix(".weight") for name in own)
    x = functional.avg_pool2d(inner, 2).flatten(1)  # 14 x 14 to 7 x 7
    x = functional.relu(functional.linear(x, own[f"{hidden}.weight"], heads[f"{hidden}.bias"]))
    snapshot = functional.linear(x, own[f"{last}.weight"], heads[f"{last}.bias"])
    scores = functional_call(model, noisy, (batch.images,))
    expected = functional.cross_entropy((scores - 0.2 * snapshot) / 2, batch.labels)
    assert torch.allclose(loss_of(objective, model, digits), expected, rtol=1e-6)
    assert not any(m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("network", "shape", "inputs"),
    [
        ("lenet3", SHAPE, [5 * 14 * 14]),
        # the public code's ResNet-18 has 2304, 2304, 2048 and 2304 inputs: 6x6, 6x6, 4x4 and 3x3
        ("resnet18-cifar", (3, 32, 32), [2304, 2304, 2048, 2304]),
    ],
)
def test_places_and_sizes_of_the_heads(network, shape, inputs):
    objective = make_loss("neft-irs", build(network), shape)
    matrices = [weight.shape for weight in mapped_weights(objective.auxiliary).values()]
    assert [size[1] for size in matrices[::2]] == inputs
    assert all(size[0] == 512 for size in matrices[::2])
    assert all(tuple(size) == (10, 512) for size in matrices[1::2])


def test_snapshots_of_vgg8_are_at_three_resolutions():
    """As in the public code: into the second convolution, and behind the first two poolings."""
    shapes, classes = snapshot_shapes(build("vgg8"), (3, 32, 32))
    assert [shape[1:] for shape in shapes.values()] == [(32, 32), (16, 16), (8, 8)]
    assert classes == 10


def test_heads_follow_from_their_seed():
    def heads(seed: int) -> Tensor:
        built = SnapshotHeads([(5, 14, 14)], 10, width=8, features=100, seed=seed)
        return torch.cat([p.detach().flatten() for p in built.parameters()])

    assert torch.equal(heads(1), heads(1))
    assert not torch.equal(heads(1), heads(2))


def test_heads_are_trained_and_can_be_saved(digits):
    model = lenet()
    objective = objective_for("neft-irs", model, seed=4)
    before = {key: value.clone() for key, value in objective.auxiliary.state_dict().items()}
    train(model, objective, digits, epochs=1)
    trained = objective.auxiliary.state_dict()
    assert all(not torch.equal(value, before[key]) for key, value in trained.items())
    again = objective_for("neft-irs", lenet(), seed=5)
    again.auxiliary.load_state_dict(trained)
    model.eval()
    assert torch.equal(loss_of(again, model, digits), loss_of(objective, model, digits))


# CorrectNet


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (5, 2, 3, 3)])
def test_penalty_is_that_of_singular_values(shape):
    weight = torch.randn(shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
    matrix = weight.detach().flatten(1)
    singular = torch.linalg.svdvals(matrix)
    found = orthogonality(weight, 0.7)
    assert float(found.detach()) == pytest.approx(
        float((singular**2 - 0.49).square().sum()), rel=1e-12, abs=0
    )
    found.backward()
    # of |W^T W - b^2 I|^2 in full size, whichever side is smaller
    full = 4 * matrix @ (matrix.T @ matrix - 0.49 * torch.eye(matrix.shape[1], dtype=torch.float64))
    assert torch.allclose(weight.grad.flatten(1), full)


def test_penalty_vanishes_at_the_bound():
    weight = nn.init.orthogonal_(torch.empty(4, 9, dtype=torch.float64), gain=0.8)
    assert float(orthogonality(weight, 0.8)) == pytest.approx(0.0, abs=1e-24)


def test_bound_by_hand():
    """M = 8, K = 2: the noise is 0.77758 sigma of the largest weight."""
    assert lipschitz_bound(WeightNoise(), k=1.5, deviations=3.0) == pytest.approx(1.5, abs=0)
    found = lipschitz_bound(WeightNoise(sigma=0.2), k=1.0, deviations=3.0)
    assert found == pytest.approx(1 / (1 + 3 * 0.2 * 4369**0.5 / 85), rel=1e-12, abs=0)


def test_spectral_norms_fall_to_the_bound(digits):
    """Against noise injection alone, and further down with a smaller k."""
    norms = []
    for name, options in (
        ("noise-injection", {}),
        ("lipschitz", {"beta": 0.03}),
        ("lipschitz", {"beta": 0.03, "k": 0.5}),
    ):
        model = lenet()
        train(model, objective_for(name, model, **options), digits)
        norms.append(spectral_norms(model))
    plain, bounded, tight = norms
    assert all(tight[name] < bounded[name] < plain[name] for name in plain)


def test_without_injection_the_weights_are_seen_clean(digits):
    model, batch = lenet(), digits.train.head(20)
    objective = objective_for("lipschitz", model, inject=False, beta=0.0)
    clean = noisy_weights(mapped_weights(model), replace(NOISE, sigma=0.0), seeded())
    expected = functional.cross_entropy(functional_call(model, clean, batch.images), batch.labels)
    assert torch.equal(loss_of(objective, model, digits), expected)


# Wrong input


@pytest.mark.parametrize(
    ("name", "option", "value", "allowed"),
    [
        ("neft-ovf", "beta", -1.0, "0 or more"),
        ("neft-ovf", "decay", float("nan"), "0 or more"),
        ("neft-ovf", "extra_sigmas", (), "one number or more"),
        ("neft-ovf", "extra_sigmas", (1.5,), "0 to 1 each"),
        ("neft-irs", "width", 0, "1 or more"),
        ("neft-irs", "beta", float("inf"), "0 or more"),
        ("lipschitz", "k", 0.0, "above 0"),
        ("lipschitz", "deviations", -3.0, "0 or more"),
    ],
)
def test_wrong_options(name, option, value, allowed):
    with refused(ConfigError, code="out-of-range", field=option, value=value, allowed=allowed):
        objective_for(name, lenet(), **{option: value})


def test_unknown_objectives_and_options():
    facts = {"code": "unknown-name", "field": "objective", "value": "neft"}
    with refused(ConfigError, **facts, allowed="noise-injection"):
        objective_for("neft", lenet())
    facts = {"code": "unknown-key", "field": "objective"}
    with refused(ConfigError, **facts, value="betta", nearest="beta", says=["'neft-ovf'"]):
        objective_for("neft-ovf", lenet(), betta=1.0)
    with refused(ConfigError, **facts, value="beta", says=["'noise-injection'", "none."]) as caught:
        objective_for("noise-injection", lenet(), beta=1.0)
    assert caught.value.allowed == ()


def test_too_much_noise_for_more_of_it(digits):
    model = lenet()
    says = ["0.15", "sigma = 0.9;"]
    with refused(ConfigError, code="out-of-range", field="extra_sigmas", allowed="1", says=says):
        loss_of(objective_for("neft-ovf", model), model, digits, WeightNoise(sigma=0.9))


def test_snapshots_need_convolutions():
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))
    with refused(ConfigError, code="unsupported", field="objective", value="neft-irs"):
        make_loss("neft-irs", model, SHAPE)
