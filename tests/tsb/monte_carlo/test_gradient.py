"""The compiled loss and its gradients against PyTorch's in float64, one instance at a time."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from archsim.errors import DataError, NetworkError
from archsim.network.zoo.registry import build
from tests.refusals import refused
from tsb.monte_carlo.chain import read_chain
from tsb.monte_carlo.compiled import CompiledNetwork, fold
from tsb.monte_carlo.gradient import CompiledLoss
from tsb.monte_carlo.lanes import LANES
from tsb.shared_block import SharedBlock

#: float32 sums of some thousand products against float64.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class WithBlock(nn.Module):
    """Two convolutions around one shared block of depth 2, batch norm, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 5, 3, padding=1, stride=2)
        self.block = SharedBlock(3, depth=2)
        self.norm = nn.BatchNorm2d(5)
        self.second = nn.Conv2d(5, 4, 3, bias=False)
        self.third = nn.Linear(16, 6)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.block(self.first(x))))
        x = self.block(self.second(x))
        x = functional.relu(self.third(torch.flatten(x, 1)))
        return self.last(x)


def odd() -> nn.Module:
    """Maps of odd height, of odd width, of both, pooled at odd size; strides; a large kernel."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),  # 9 x 13
        nn.ReLU(),
        nn.Conv2d(3, 4, (2, 3), bias=False),  # 8 x 11
        nn.Conv2d(4, 5, 5, padding=2),  # 8 x 11
        nn.BatchNorm2d(5, affine=False),
        nn.Conv2d(5, 3, (2, 2), padding=0),  # 7 x 10
        nn.MaxPool2d(2),  # 3 x 5
        nn.Conv2d(3, 2, 3, padding=2, stride=2),  # 3 x 4
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 7),
    )


def pooled_strides() -> nn.Module:
    """Pooling after a stride, after a kernel that is not square, and without ReLU."""
    return nn.Sequential(
        nn.Conv2d(1, 2, (3, 2), stride=2, padding=1),  # 7 x 8
        nn.ReLU(),
        nn.MaxPool2d(2),  # 3 x 4
        nn.Conv2d(2, 3, 1),
        nn.MaxPool2d(2),  # 1 x 2
        nn.Flatten(),
        nn.Linear(6, 2),
    )


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 4))


MODELS = {
    "lenet3": (lambda: build("lenet3"), (1, 28, 28)),
    "lenet3-bn": (lambda: build("lenet3-bn"), (1, 28, 28)),
    "block": (WithBlock, (2, 7, 7)),
    "odd": (odd, (2, 9, 13)),
    "pooled strides": (pooled_strides, (1, 13, 14)),
    "linear": (linear, (3, 2, 2)),
}


def randomised(model: nn.Module) -> nn.Module:
    """Give the model arbitrary batch-norm statistics, scales and shared blocks."""
    generator = seeded(9)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.affine:
                    module.weight.uniform_(0.5, 2, generator=generator)
                    module.bias.normal_(generator=generator)
            if isinstance(module, SharedBlock):
                for layer in module.layers:
                    layer.weight.normal_(generator=generator)
    return model.eval()


def instances(model: nn.Module, count: int) -> dict[str, torch.Tensor]:
    """All floating tensors, running statistics too, a little different in each instance."""
    generator = seeded(1)
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    found = {}
    for name, tensor in own.items():
        if tensor.is_floating_point():
            factor = 1 + 0.1 * torch.randn(count, *tensor.shape, generator=generator)
            found[name] = (tensor.detach() * factor).requires_grad_(tensor.requires_grad)
    return found


def reference(model, tensors, images, labels):
    """Losses, right answers and gradients of their weighted sum, in float64."""
    exact = copy.deepcopy(model).double()
    count = len(next(iter(tensors.values())))
    own = {n: t.detach().double().requires_grad_(t.requires_grad) for n, t in tensors.items()}
    trained = {n: t for n, t in own.items() if t.requires_grad}
    losses, correct = [], []
    for k in range(count):
        pixels = (images if images.dim() == 4 else images[k]).double()
        answers = labels if labels.dim() == 1 else labels[k]
        single = {name: tensor[k] for name, tensor in own.items()}
        scores = torch.func.functional_call(exact, single, (pixels,))
        losses.append(functional.cross_entropy(scores, answers))
        correct.append(int((scores.argmax(1) == answers).sum()))
    loss = torch.stack(losses)
    gradients = torch.autograd.grad((loss * weighting(count)).sum(), list(trained.values()))
    return loss.detach(), correct, dict(zip(trained, gradients, strict=True))


def weighting(count: int) -> torch.Tensor:
    return torch.linspace(0.5, 2, count)


def check(model, shape, tensors, images, labels):
    found = CompiledLoss(model, shape).loss_and_correct(model, tensors, images, labels)
    loss, correct, expected = reference(model, tensors, images, labels)
    torch.testing.assert_close(found.loss.detach().double(), loss, **CLOSE)
    assert found.correct.tolist() == correct
    total = (found.loss * weighting(len(loss))).sum()
    gradients = torch.autograd.grad(total, [tensors[name] for name in expected])
    for (name, want), got in zip(expected.items(), gradients, strict=True):
        scale = want.abs().max().clamp_min(1e-30)
        assert float(scale) > 1e-6, name  # the network is alive
        torch.testing.assert_close(got / scale, want / scale, check_dtype=False, **CLOSE)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("block", "odd") else name
        for name in MODELS
    ],
)
def test_loss_and_gradients(name, own):
    make, shape = MODELS[name]
    model = randomised(make())
    tensors = instances(model, LANES + 2)  # two vectors, the last one not full
    sets = (LANES + 2, 7) if own else (7,)  # 7 images: the last tile is not full
    images = torch.randn(*sets, *shape, generator=seeded(2))
    labels = torch.randint(2, sets, generator=seeded(3))
    check(model, shape, tensors, images, labels)


def test_more_images_than_a_tile_and_labels_of_every_instance():
    model = randomised(pooled_strides())
    images = torch.randn(12, 1, 13, 14, generator=seeded(2))
    labels = torch.randint(2, (3, 12), generator=seeded(3))
    tensors = instances(model, 3)
    check(model, (1, 13, 14), tensors, images, labels.expand(3, 12))
    separate = CompiledLoss(model, (1, 13, 14))
    for k in range(3):
        alone = {name: tensor[k : k + 1] for name, tensor in tensors.items()}
        loss = separate(model, alone, images, labels[k])
        assert torch.equal(loss, separate(model, tensors, images, labels)[k : k + 1])


def test_the_first_of_equal_values_gets_the_gradient():
    # Whole numbers: float32 is exact, and most maxima are shared by several outputs.
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 4)
    ).eval()
    generator = seeded(5)
    images = torch.randint(0, 2, (6, 2, 8, 8), generator=generator).float()
    tensors = {
        name: torch.randint(-1, 2, (5, *p.shape), generator=generator).float().requires_grad_()
        for name, p in model.named_parameters()
    }
    one = {name: tensor[0] for name, tensor in tensors.items()}
    maps = functional.conv2d(images, one["0.weight"], one["0.bias"], padding=1)
    windows = maps.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4).sort(-1, descending=True).values
    shared = (windows[..., 0] == windows[..., 1]) & (windows[..., 0] > 0)
    assert shared.float().mean() > 0.2
    check(model, (2, 8, 8), tensors, images, torch.tensor([0, 1, 2, 3, 0, 1]))


@pytest.mark.parametrize("name", ["first.bias", "second.weight", "third.weight", "last.bias"])
def test_only_what_is_wanted(name):
    model = randomised(WithBlock()).requires_grad_(False)
    tensors = {name: instances(model, 3)[name].requires_grad_()}
    images = torch.randn(5, 2, 7, 7, generator=seeded(2))
    check(model, (2, 7, 7), tensors, images, torch.tensor([0, 1, 2, 1, 0]))


def test_gradients_flow_to_the_models_own_tensors():
    model = randomised(WithBlock())
    tensors = {"last.bias": torch.zeros(2, 3)}
    images = torch.randn(5, 2, 7, 7, generator=seeded(2))
    labels = torch.tensor([0, 1, 2, 1, 0])
    CompiledLoss(model, (2, 7, 7))(model, tensors, images, labels).sum().backward()
    found = {name: p.grad for name, p in model.named_parameters() if name != "last.bias"}
    model.zero_grad()
    single = {"last.bias": torch.zeros(3)}
    scores = torch.func.functional_call(model, single, (images,))
    (2 * functional.cross_entropy(scores, labels)).backward()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, model.get_parameter(name).grad, **CLOSE)
    assert "block.layers.0.weight" in found


def test_training_follows_that_of_pytorch():
    model = build("lenet3").eval().requires_grad_(False)
    images = torch.randn(24, 1, 28, 28, generator=seeded(2))
    labels = torch.randint(10, (24,), generator=seeded(3))
    weight = instances(model, 2)["conv2.weight"].detach()
    compiled = CompiledLoss(model, (1, 28, 28))

    def one(tensors, k):
        own = {name: tensor[k] for name, tensor in tensors.items()}
        return functional.cross_entropy(torch.func.functional_call(model, own, (images,)), labels)

    def trained(losses):
        scale = torch.ones(2, 10, requires_grad=True)
        shift = torch.zeros(2, 10, requires_grad=True)
        optimiser = torch.optim.SGD([scale, shift], lr=0.5)
        seen = []
        for _ in range(8):
            tensors = {"conv2.weight": weight * scale[:, :, None, None, None], "conv2.bias": shift}
            loss = losses(tensors)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
            seen.append(loss.detach())
        return torch.stack(seen), scale.detach()

    found = trained(lambda tensors: compiled(model, tensors, images, labels))
    expected = trained(lambda tensors: torch.stack([one(tensors, k) for k in range(2)]))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert bool((found[0][-1] < found[0][0] - 0.05).all())


def test_folded_layers_are_those_of_the_forward_compiler():
    model = randomised(build("lenet3-bn"))
    tensors = instances(model, 2)
    images = torch.randn(4, 1, 28, 28, generator=seeded(2))
    (weight, bias), *_ = fold(read_chain(model, (1, 28, 28)), model, tensors, 2)
    exact = functional.conv2d(images.double(), weight[1], bias[1], padding=1)
    module = torch.func.functional_call(
        nn.Sequential(model.conv1, model.bn1).double(),
        {
            "0.weight": tensors["conv1.weight"][1].double(),
            "1.weight": tensors["bn1.weight"][1].double(),
            "1.bias": tensors["bn1.bias"][1].double(),
            "1.running_mean": tensors["bn1.running_mean"][1].double(),
            "1.running_var": tensors["bn1.running_var"][1].double(),
        },
        (images.double(),),
    )
    torch.testing.assert_close(exact, module)


def test_loss_is_that_of_the_forward_compilers_scores():
    model = randomised(build("lenet3-bn"))
    tensors = instances(model, 3)
    images = torch.randn(6, 1, 28, 28, generator=seeded(2))
    labels = torch.arange(6)
    scores = CompiledNetwork(model, (1, 28, 28))(model, tensors, images)
    expected = torch.stack([functional.cross_entropy(one, labels) for one in scores])
    with torch.no_grad():
        loss = CompiledLoss(model, (1, 28, 28))(model, tensors, images, labels)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, expected, **CLOSE)


def test_what_is_not_a_number_is_not_hidden_by_relu():
    model = randomised(pooled_strides())
    tensors = {n: t.detach().clone() for n, t in instances(model, 3).items()}
    tensors["0.weight"][1] = torch.nan
    images = torch.randn(4, 1, 13, 14, generator=seeded(2))
    loss = CompiledLoss(model, (1, 13, 14))(model, tensors, images, torch.zeros(4).long())
    assert torch.isfinite(loss).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("change", "error", "code", "field", "value"),
    [
        ({"labels": torch.tensor([0, 4])}, DataError, "out-of-range", "labels", (0, 4)),
        ({"labels": torch.tensor([-1, 0])}, DataError, "out-of-range", "labels", (-1, 0)),
        ({"labels": torch.zeros(3, 2).long()}, DataError, "shape-mismatch", "labels", (3, 2)),
        (
            {"images": torch.zeros(0, 3, 2, 2), "labels": torch.zeros(0).long()},
            DataError,
            "shape-mismatch",
            "images",
            (0, 3, 2, 2),
        ),
        (
            {"images": torch.zeros(3, 2, 3, 2, 2)},
            DataError,
            "shape-mismatch",
            "images",
            (3, 2, 3, 2, 2),
        ),
        ({"images": torch.zeros(2, 3, 2, 3)}, NetworkError, "conflict", "images", (3, 2, 3)),
        (
            {"images": torch.zeros(2, 3, 2, 2).double()},
            NetworkError,
            "unsupported",
            "images",
            "torch.float64",
        ),
        (
            {"tensors": {"1.bais": torch.zeros(2, 5)}},
            DataError,
            "unknown-name",
            "weights",
            "1.bais",
        ),
        (
            {"tensors": {"1.bias": torch.zeros(2, 4)}},
            DataError,
            "shape-mismatch",
            "weights.1.bias",
            (2, 4),
        ),
    ],
)
def test_bad_input_is_named(change, error, code, field, value):
    model = linear().eval()
    given = {
        "tensors": {"1.bias": torch.zeros(2, 5)},
        "images": torch.zeros(2, 3, 2, 2),
        "labels": torch.tensor([0, 3]),
    }
    with refused(error, code=code, field=field, value=value):
        CompiledLoss(model, (3, 2, 2))(model, **(given | change))


def test_refused_networks():
    model = linear()
    compiled = CompiledLoss(model.eval(), (3, 2, 2))
    images, labels = torch.zeros(2, 3, 2, 2), torch.tensor([0, 3])
    facts = {"code": "conflict", "field": "images", "value": (3, 2, 2)}
    with refused(NetworkError, **facts, says=["training = True"]):
        compiled(model.train(), {"1.bias": torch.zeros(2, 5)}, images, labels)
    with refused(NetworkError, code="unsupported", field="1", value="Sigmoid"):
        CompiledLoss(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid()).eval(), (1, 4, 4))


def test_without_numba(monkeypatch):
    monkeypatch.setattr("tsb.monte_carlo.gradient.find_spec", lambda name: None)
    with refused(NetworkError, code="missing-package", field="numba", says=["pip", "numba"]):
        CompiledLoss(linear().eval(), (3, 2, 2))
