"""Second derivatives against autograd's exact ones where the pass is exact, and how far off else.

What is exact: single layers, and two layers with the squared loss. For deeper networks the pass
neglects off-diagonal terms, as published; there we test the rules against a pass written out by
hand, and the order of the weights against the exact diagonal.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from unittest.mock import ANY

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from archsim.errors import ConfigError, DataError, NetworkError
from archsim.network.zoo import build
from tests.refusals import refused
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import gaussian_instance
from tsb.data import Dataset, load_dataset
from tsb.shared_block import SharedBlock
from tsb.train.loop import train_backbone
from tsb.train.settings import TrainSettings
from tsb.write_verify.scores import expected_loss_change, fisher_scores, swim_scores

MNIST = Path(__file__).parents[2] / "data" / "mnist"


class Agreement(NamedTuple):
    """Spearman's rank correlation of two scores, and the share of the best that they share."""

    rank_correlation: float
    top_overlap: float


def compare_scores(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], *, top: float = 0.1
) -> Agreement:
    """Compare two scores over all weights of a network."""
    one, other = (
        torch.cat([scores[name].double().flatten() for name in first]) for scores in (first, second)
    )
    count = round(top * len(one))
    best = [set(s.argsort(descending=True, stable=True)[:count].tolist()) for s in (one, other)]
    return Agreement(
        rank_correlation=float(torch.corrcoef(torch.stack([ranks(one), ranks(other)]))[0, 1]),
        top_overlap=len(best[0] & best[1]) / count,
    )


def ranks(values: torch.Tensor) -> torch.Tensor:
    """Return ranks from 0 on; equal values share the mean of their ranks."""
    _, member, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0).double() - (counts + 1) / 2)[member]


def loss_of(model, images, labels, loss):
    def value(weights):
        scores = functional_call(model, weights, (images,))
        if loss == "squared":
            target = functional.one_hot(labels, scores.shape[-1]).to(scores.dtype)
            return (scores - target).square().sum(-1).mean() / 2
        return functional.cross_entropy(scores, labels)

    return value


def exact_diagonal(model, images, labels, loss="cross-entropy"):
    """The diagonal of the exact Hessian of each weight tensor, by autograd, entry by entry."""
    value = loss_of(model, images, labels, loss)
    weights = {name: w.detach() for name, w in mapped_weights(model).items()}
    result = {}
    for name, weight in weights.items():
        hessian = torch.autograd.functional.hessian(
            lambda w, name=name: value({**weights, name: w}), weight
        )
        result[name] = hessian.reshape(weight.numel(), -1).diagonal().reshape(weight.shape)
    return result


def data(*shape: int, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(shape, generator=generator, dtype=torch.float64)
    return images, torch.randint(classes, shape[:1], generator=generator)


def ready(*layers: nn.Module) -> nn.Module:
    """A network in evaluation mode whose batch norms have statistics of their own."""
    model = nn.Sequential(*layers).double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.3, 2)
            nn.init.normal_(module.running_mean)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


SINGLE = {
    "linear": ready(nn.Flatten(), nn.Linear(32, 4)),
    "convolution": ready(nn.Conv2d(2, 4, 4), nn.Flatten()),
    "no bias": ready(nn.Conv2d(2, 4, 4, bias=False), nn.Flatten()),
}


@pytest.mark.parametrize("loss", ["cross-entropy", "squared"])
@pytest.mark.parametrize("kind", list(SINGLE))
def test_one_layer_is_exact(kind, loss):
    images, labels = data(6, 2, 4, 4)
    found = swim_scores(SINGLE[kind], images, labels, loss=loss)
    exact = exact_diagonal(SINGLE[kind], images, labels, loss)
    for name, scores in found.items():
        assert torch.allclose(scores, exact[name], rtol=1e-9), name


# With the squared loss the second derivative by the scores is the unit matrix: that by the inputs
# of the last layer has an exact diagonal; and so have the weights before it, as long as each weight
# reaches one value of the map behind it (a convolution with a 1x1 output, or a linear layer).
TWO = {
    "linear chain": [nn.Flatten(), nn.Linear(32, 7), nn.Linear(7, 4)],
    "relu": [nn.Flatten(), nn.Linear(32, 7), nn.ReLU(), nn.Linear(7, 4)],
    "batch norm": [
        nn.Conv2d(2, 6, 4, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6, 4),
    ],
    "grouped": [nn.Conv2d(2, 6, 4, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 4)],
    "dropout": [nn.Flatten(), nn.Linear(32, 7), nn.Dropout(0.5), nn.Linear(7, 4)],
}


@pytest.mark.parametrize("kind", list(TWO))
def test_two_layers_with_the_squared_loss_are_exact(kind):
    torch.manual_seed(1)
    model = ready(*TWO[kind])
    images, labels = data(6, 2, 4, 4)
    found = swim_scores(model, images, labels, loss="squared")
    exact = exact_diagonal(model, images, labels, "squared")
    for name, scores in found.items():
        assert torch.allclose(scores, exact[name], rtol=1e-9), name


class Branches(nn.Module):
    """A residual block, pooling of both kinds, and a shortcut that pads with zero channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.norm(self.first(x)))
        inner = self.second(inner) + functional.pad(x, (0, 0, 0, 0, 0, 2))
        inner = functional.avg_pool2d(self.pool(inner), 2)
        return self.last(inner.flatten(1))


def by_hand(model: Branches, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The rules written out, with dense matrices of local derivatives instead of formulas."""
    jacobian = torch.autograd.functional.jacobian
    norm, relu = model.norm, functional.relu
    totals = {name: torch.zeros_like(w) for name, w in mapped_weights(model).items()}

    def back(function, x, h):
        """Sum of squared local derivatives times h: what one step of the pass is."""
        matrix = jacobian(function, x).reshape(h.numel(), x.numel())
        return (matrix.square().t() @ h.flatten()).reshape(x.shape)

    for image in images:
        x = image.unsqueeze(0)
        a = model.first(x).detach()
        b = norm(a).detach()
        c = relu(b)
        d = (model.second(c) + functional.pad(x, (0, 0, 0, 0, 0, 2))).detach()
        e = model.pool(d)
        f = functional.avg_pool2d(e, 2).flatten(1)
        p = model.last(f).softmax(-1).detach()
        h = p * (1 - p)
        totals["last.weight"] += back(lambda w, f=f: f @ w.t(), model.last.weight.detach(), h)
        h = back(model.last, f, h)
        h = back(lambda e: functional.avg_pool2d(e, 2).flatten(1), e, h)
        h = back(model.pool, d, h)
        second, first = model.second.weight.detach(), model.first.weight.detach()
        totals["second.weight"] += back(
            lambda w, c=c: functional.conv2d(c, w, padding=1), second, h
        )
        h = back(model.second, c, h)
        h = back(norm, a, back(relu, b, h))
        totals["first.weight"] += back(lambda w, x=x: functional.conv2d(x, w, padding=1), first, h)
    return {name: total / len(images) for name, total in totals.items()}


def test_every_rule_against_dense_jacobians():
    torch.manual_seed(2)
    model = ready(Branches())[0]
    images, labels = data(3, 2, 4, 4)
    found, expected = swim_scores(model, images, labels), by_hand(model, images)
    for name, scores in found.items():
        assert torch.allclose(scores, expected[name], rtol=1e-9, atol=1e-15), name
        assert float(scores.max()) > 0


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.AdaptiveAvgPool2d(2),
        nn.AvgPool2d((2, 1)),
        nn.MaxPool2d(3, stride=2, padding=1),
    ],
)
def test_pooling_is_exact_before_a_loss_of_squares(pool):
    """Scores are pooled values, so that overlapping windows count with their squares."""
    torch.manual_seed(3)
    images, labels = data(3, 2, 4, 4)
    model = ready(pool, nn.Flatten())
    size = model(images).shape[1]
    model = ready(nn.Conv2d(2, 2, 1, bias=False), pool, nn.Flatten(), nn.Linear(size, 4))
    found = swim_scores(model, images, labels, loss="squared")
    # Only the last layer is exact in general; the first is checked through one pixel of weight.
    last = exact_diagonal(model, images, labels, "squared")["3.weight"]
    assert torch.allclose(found["3.weight"], last, rtol=1e-9)
    matrix = torch.autograd.functional.jacobian(pool, images).flatten(4).flatten(0, 3)
    h = model[3].weight.detach().square().sum(0).repeat(len(images))
    h_x = (matrix.square().t() @ h).view(images.shape)
    expected = torch.einsum("bohw,bihw->oi", h_x, images.square()) / len(images)
    if not isinstance(pool, nn.MaxPool2d):  # its windows choose by the convolved values
        assert torch.allclose(found["0.weight"].flatten(1), expected, rtol=1e-9)


def test_a_shared_block_collects_all_its_uses():
    """Weights used twice: the two single uses, added up, the cross term being neglected."""
    torch.manual_seed(4)
    block = SharedBlock(3)
    layers = [nn.Conv2d(2, 5, 3), block, nn.ReLU(), nn.Conv2d(5, 3, 2), block, nn.Flatten()]
    images, labels = data(3, 2, 4, 4, classes=3)
    shared = swim_scores(ready(*layers), images, labels)["1.layers.0.weight"]
    twin = SharedBlock(3).double()
    layers[4] = twin
    apart = swim_scores(ready(*layers), images, labels)
    assert torch.allclose(shared, apart["1.layers.0.weight"] + apart["4.layers.0.weight"])


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("mnist", MNIST)


@pytest.fixture(scope="module", params=["lenet3", "lenet3-bn"])
def trained(request, digits):
    torch.manual_seed(0)
    model = build(request.param)
    train_backbone(model, digits, TrainSettings(epochs=6, batch_size=32))
    return model.double()


def exact_gauss_newton(model, images):
    """Diagonal of J^T H_scores J: the exact Hessian, as the network is piecewise linear.

    The gradient of each class score and image, squared in the metric diag(p) - p p^T.
    """
    weights = {name: w.detach() for name, w in mapped_weights(model).items()}
    jacobians = torch.func.vmap(
        torch.func.jacrev(lambda w, x: functional_call(model, w, (x[None],))[0]), (None, 0)
    )(weights, images)
    p = model(images).softmax(-1).detach()
    result = {}
    for name, j in ((name, j.detach()) for name, j in jacobians.items()):
        weighted = p.view(*p.shape, *(1,) * weights[name].dim())
        result[name] = ((weighted * j * j).sum(1) - (weighted * j).sum(1).square()).mean(0)
    return result


def test_gauss_newton_is_the_exact_diagonal_of_a_small_network():
    """The oracle of the next test, against autograd's Hessian, weight by weight."""
    torch.manual_seed(5)
    model = ready(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4))
    images, labels = data(5, 2, 4, 4)
    one, other = exact_gauss_newton(model, images), exact_diagonal(model, images, labels)
    for name, diagonal in one.items():
        assert torch.allclose(diagonal, other[name], rtol=1e-7, atol=1e-12)


def test_order_of_the_weights_of_a_trained_network(trained, digits):
    """The published pass against the exact diagonal: not equal, nearly the same order."""
    images, labels = digits.train.images[:300].double(), digits.train.labels[:300]
    found, exact = swim_scores(trained, images, labels), exact_gauss_newton(trained, images)
    assert torch.allclose(found["fc.weight"], exact["fc.weight"], rtol=1e-6, atol=1e-12)
    agreement = compare_scores(found, exact)
    assert agreement.rank_correlation > 0.98
    assert agreement.top_overlap > 0.9


def test_fisher_is_the_mean_of_squared_gradients_and_not_swim(trained, digits):
    images, labels = digits.train.images[:60].double(), digits.train.labels[:60]
    found = fisher_scores(trained, images, labels, images_at_once=7)
    expected = {name: torch.zeros_like(w) for name, w in mapped_weights(trained).items()}
    for image, label in zip(images, labels, strict=True):
        trained.zero_grad()
        functional.cross_entropy(trained(image[None]), label[None]).backward()
        for name, weight in mapped_weights(trained).items():
            expected[name] += weight.grad.square() / len(images)
    for name, scores in found.items():
        assert torch.allclose(scores, expected[name], rtol=1e-9)
    agreement = compare_scores(found, swim_scores(trained, images, labels))
    assert 0.85 < agreement.rank_correlation < 0.97
    assert 0.5 < agreement.top_overlap < 0.8


def test_expected_loss_change_against_drawn_noise(trained, digits):
    """Small noise on all weights: the exact diagonal is what is measured, SWIM's is below it.

    It is the same in the last layer, and smaller in those before, the more so the earlier.
    """
    images, labels = digits.train.images[:300].double(), digits.train.labels[:300]
    weights = {name: w.detach() for name, w in mapped_weights(trained).items()}
    std = {name: torch.full_like(w, 0.01 * float(w.abs().max())) for name, w in weights.items()}
    value = loss_of(trained, images, labels, "cross-entropy")
    exact = expected_loss_change(exact_gauss_newton(trained, images), std)
    found = expected_loss_change(swim_scores(trained, images, labels), std)
    generator, base = torch.Generator().manual_seed(0), value(weights).detach()
    changes = []
    with torch.no_grad():
        for _ in range(100):  # errors and their negatives: the first order drops out
            noisy = gaussian_instance(weights, std, generator)
            mirrored = {name: 2 * weights[name] - w for name, w in noisy.items()}
            changes.append((value(noisy) + value(mirrored)) / 2 - base)
    measured = torch.stack(changes)
    spread = 4 * float(measured.std()) / 10
    assert abs(float(measured.mean()) - sum(exact.values())) < spread + 0.2 * sum(exact.values())
    assert found["fc.weight"] == pytest.approx(exact["fc.weight"], rel=1e-6)
    first, second = (found[name] / exact[name] for name in ("conv1.weight", "conv2.weight"))
    assert 0.2 < first < second < 0.9
    assert 0.7 < sum(found.values()) / sum(exact.values()) < 1


def test_expected_loss_change_by_hand():
    h = {"a": torch.tensor([2.0, 4.0]), "b": torch.tensor([[1.0]])}
    std = {"a": torch.tensor([1.0, 0.5]), "b": torch.tensor([[3.0]])}
    assert expected_loss_change(h, std) == {"a": 1.5, "b": 4.5}
    with refused(DataError, code="shape-mismatch", field="b", says=["None"]):
        expected_loss_change(h, {"a": std["a"]})


@pytest.mark.parametrize("score", [swim_scores, fisher_scores])
def test_batches_and_frozen_parameters_do_not_matter(score, trained, digits):
    images, labels = digits.train.images[:50].double(), digits.train.labels[:50]
    whole = score(trained, images, labels)
    for parameter in trained.parameters():
        parameter.requires_grad_(False)
    parts = score(trained, images, labels, images_at_once=11)
    for parameter in trained.parameters():
        parameter.requires_grad_(True)
    for name, scores in whole.items():
        assert torch.allclose(scores, parts[name], rtol=1e-9)
        assert scores.dtype == torch.float64
        assert not scores.requires_grad


@pytest.mark.parametrize("name", ["vgg8", "resnet18-cifar", "resnet18-cifar-nodown", "resnet50"])
def test_zoo_networks(name):
    options = {"widths": (8, 16, 32), "hidden": 32} if name == "vgg8" else {"input_size": 32}
    model = build(name, **options).eval()
    images = torch.randn(2, *model.input_shape)
    found = swim_scores(model, images, torch.tensor([0, 1]))
    assert found.keys() == mapped_weights(model).keys()
    for weight, scores in found.items():
        assert scores.shape == model.get_parameter(weight).shape
        assert bool(torch.isfinite(scores).all())
        assert float(scores.min()) >= 0
        assert float(scores.max()) > 0


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (nn.Sigmoid(), "sigmoid"),
        (nn.GELU(), "gelu"),
        (nn.Softmax(dim=-1), "softmax"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.LayerNorm(6), "layer_norm"),
    ],
)
def test_what_is_not_piecewise_linear_is_refused_by_name(layer, name):
    model = ready(nn.Linear(5, 6), layer, nn.Linear(6, 4))
    facts = {"code": "unsupported-operator", "field": "second derivatives", "value": ANY}
    with refused(NetworkError, **facts) as caught:
        swim_scores(model, *_flat())
    assert name in str(caught.value.value)


class Scaled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, x, alpha=2)


def test_scaled_sums_and_uneven_windows_are_refused():
    facts = {"code": "unsupported-operator", "field": "second derivatives"}
    with refused(NetworkError, **facts, value="torch.add"):
        swim_scores(ready(nn.Linear(5, 4), Scaled()), *_flat())
    images, labels = data(2, 2, 5, 5)
    for pool in (nn.AdaptiveAvgPool2d(2), nn.AvgPool2d(2, ceil_mode=True)):
        with refused(NetworkError, **facts, value="average pooling"):
            swim_scores(ready(nn.Conv2d(2, 2, 1), pool, nn.Flatten()), images, labels)
    padded = nn.AvgPool2d(3, padding=1, count_include_pad=False)
    with refused(NetworkError, **facts, value="average pooling"):
        swim_scores(ready(nn.Conv2d(2, 2, 1), padded, nn.Flatten()), images, labels)


def _flat() -> tuple[torch.Tensor, torch.Tensor]:
    """Images of one row each, for networks of linear layers."""
    images, labels = data(3, 1, 1, 5)
    return images, labels


def test_compare_by_hand():
    one = {"a": torch.tensor([4.0, 3.0, 2.0]), "b": torch.tensor([1.0, 0.0])}
    assert compare_scores(one, one, top=0.2) == pytest.approx((1, 1))
    reverse = {name: -scores for name, scores in one.items()}
    assert compare_scores(one, reverse, top=0.4) == pytest.approx((-1, 0))
    swapped = {"a": torch.tensor([3.0, 4.0, 2.0]), "b": one["b"]}
    # Spearman: 1 - 6 sum d^2 / (n (n^2 - 1)) = 1 - 6 * 2 / 120.
    assert compare_scores(one, swapped, top=0.2) == pytest.approx((0.9, 0))
    assert compare_scores(one, swapped, top=0.4).top_overlap == 1
    ties = {"a": torch.tensor([1.0, 1.0, 0.0]), "b": torch.tensor([0.0, 0.0])}
    expected = torch.corrcoef(torch.tensor([[4.0, 3, 2, 1, 0], [3.5, 3.5, 1, 1, 1]]))[0, 1]
    assert compare_scores(one, ties, top=0.4).rank_correlation == pytest.approx(float(expected))


def test_bad_input():
    model, (images, labels) = SINGLE["linear"], data(6, 2, 4, 4)
    facts = {"code": "unknown-name", "field": "loss", "value": "mse"}
    with refused(ConfigError, **facts, allowed=["cross-entropy", "squared"]):
        swim_scores(model, images, labels, loss="mse")
    for score in (swim_scores, fisher_scores):
        with refused(ConfigError, code="shape-mismatch", field="images, labels", value=(0, 0)):
            score(model, images[:0], labels[:0])
        with refused(ConfigError, code="conflict", field="model", says=["model.eval()"]):
            score(nn.Sequential(nn.Flatten(), nn.Linear(32, 4)).double(), images, labels)
