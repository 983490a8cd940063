"""Back ends against the loop, seeds against chunks, and the evaluation as a whole."""

from __future__ import annotations

from functools import partial
from unittest.mock import ANY

import pytest
import torch
from torch import nn

from archsim.errors import NOT_GIVEN, ConfigError, DataError, NetworkError
from archsim.network.zoo.registry import build
from tests.refusals import refused
from tsb.cells.weight_cells import gaussian_instance
from tsb.monte_carlo import alike_chips, choose_backend, monte_carlo, right_answers
from tsb.monte_carlo import compiled as compiled_module
from tsb.monte_carlo.chain import block_matrix
from tsb.monte_carlo.compiled import CompiledNetwork
from tsb.monte_carlo.evaluate import one_thread
from tsb.monte_carlo.scores import (
    batched_bf16_scores,
    batched_scores,
    check_instances,
    loop_scores,
)
from tsb.shared_block import SharedBlock


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
        x = nn.functional.relu(self.third(torch.flatten(x, 1)))
        return self.last(x)


def randomised(model: nn.Module) -> nn.Module:
    """Give the model arbitrary batch-norm statistics, scales and shared blocks."""
    generator = seeded(9)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.5, 2, generator=generator)
                module.bias.normal_(generator=generator)
            if isinstance(module, SharedBlock):
                for layer in module.layers:
                    layer.weight.normal_(generator=generator)
    return model.eval()


def instances(model: nn.Module, count: int) -> dict[str, torch.Tensor]:
    generator = seeded(1)
    return {
        name: parameter.detach() + 0.1 * torch.randn(count, *parameter.shape, generator=generator)
        for name, parameter in model.named_parameters()
    }


MODELS = {
    "lenet3": (lambda: build("lenet3"), (1, 28, 28)),
    "lenet3-bn": (lambda: build("lenet3-bn"), (1, 28, 28)),
    "block": (WithBlock, (2, 7, 7)),
}


@pytest.mark.parametrize("own_images", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_back_ends_agree(name, own_images):
    make, shape = MODELS[name]
    model = randomised(make())
    weights = instances(model, 18)  # more than one vector of the compiled back end, not full
    images = torch.randn(*((18,) if own_images else ()), 7, *shape, generator=seeded(2))
    expected = loop_scores(model, weights, images)
    torch.testing.assert_close(batched_scores(model, weights, images), expected)
    compiled = CompiledNetwork(model, shape)(model, weights, images)
    torch.testing.assert_close(compiled, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("own_images", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_is_near(name, own_images):
    make, shape = MODELS[name]
    model = randomised(make())
    weights = instances(model, 6)
    images = torch.randn(*((6,) if own_images else ()), 40, *shape, generator=seeded(2))
    exact, found = (back(model, weights, images) for back in (loop_scores, batched_bf16_scores))
    assert found.dtype == torch.float32
    assert not torch.allclose(exact, found, rtol=1e-5, atol=1e-6)
    size = exact.std()
    assert float((found - exact).square().mean().sqrt() / size) < 0.01
    # Only a class that is as near to the best as the rounding changes places with it.
    best = exact.gather(-1, found.argmax(-1, keepdim=True)).squeeze(-1)
    assert float((exact.amax(-1) - best).max() / size) < 0.05


def test_compiled_with_some_tensors_programmed_and_buffers():
    model = randomised(build("lenet3-bn"))
    weights = {
        "fc.weight": instances(model, 3)["fc.weight"],
        "bn1.running_mean": torch.randn(3, 5, generator=seeded(4)),
    }
    images = torch.randn(5, 1, 28, 28, generator=seeded(2))
    torch.testing.assert_close(
        CompiledNetwork(model, (1, 28, 28))(model, weights, images),
        loop_scores(model, weights, images),
        rtol=1e-4,
        atol=1e-4,
    )


def test_block_as_a_matrix():
    block = randomised(SharedBlock(3, depth=2))
    layers = [layer.weight.detach()[None] for layer in block.layers]
    features = torch.randn(1, 7, 2, 2, generator=seeded())
    expected = torch.einsum("soc,schw->sohw", block_matrix(layers, 7), features)
    torch.testing.assert_close(block(features), expected)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.fc = nn.Linear(16, 2)

    def forward(self, x):
        return self.fc((x + self.conv(x)).flatten(1))


@pytest.mark.parametrize(
    ("model", "code", "field", "value"),
    [
        (Residual(), "unsupported", "add", NOT_GIVEN),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid()), "unsupported", "1", "Sigmoid"),
        (nn.Sequential(nn.Conv2d(1, 2, 3)), "unsupported", "Sequential", "Conv2d"),
        (nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)), "unsupported", "0", NOT_GIVEN),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3, dilation=(1, 2), padding=1)),
            "unsupported",
            "0",
            "Conv2d",
        ),
        (nn.Sequential(nn.Conv2d(1, 2, 2), nn.MaxPool2d(3)), "unsupported", "1", "MaxPool2d"),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)).eval(),
            "unsupported",
            "2",
            NOT_GIVEN,
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(18, 2)),
            "unsupported",
            "Conv2d(1, 2, kernel_size=(2, 2), stride=(1, 1))",
            (3, 3),
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(9, 2)),
            "call-failed",
            "Sequential",
            NOT_GIVEN,
        ),
    ],
)
def test_what_is_not_compiled_is_named(model, code, field, value):
    with refused(NetworkError, code=code, field=field, value=value, says=["'batched'", "'loop'"]):
        choose_backend(model.eval(), torch.zeros(1, 1, 4, 4), "compiled")


def test_fall_back_says_why():
    chosen = choose_backend(Residual(), torch.zeros(1, 1, 4, 4))
    assert chosen.name == "loop"
    assert "not a chain" in chosen.note
    assert choose_backend(build("lenet3"), torch.zeros(1, 1, 28, 28)).name == "compiled"
    assert choose_backend(build("lenet3"), torch.zeros(1, 1, 28, 28).double()).name == "loop"


def test_large_networks_are_compiled_on_request_only():
    wide, images = build("lenet3", channels=(128, 256)), torch.zeros(1, 1, 28, 28)
    chosen = choose_backend(wide, images)
    assert chosen.name == "loop"
    assert "421504 weights" in chosen.note  # 9 x 128 + 9 x 128 x 256 + 49 x 256 x 10
    assert choose_backend(wide, images, "compiled").name == "compiled"


def test_without_numba_the_loop_is_used(monkeypatch):
    monkeypatch.setattr(compiled_module, "find_spec", lambda name: None)
    chosen = choose_backend(build("lenet3"), torch.zeros(1, 1, 28, 28))
    assert (chosen.name, "pip install numba" in chosen.note) == ("loop", True)


def noisy(model: nn.Module, relative: float = 0.1):
    """Return a draw with errors of a share of the largest weight."""
    weights = {n: p.detach() for n, p in model.named_parameters() if p.dim() > 1}
    std = {n: torch.full_like(w, relative * float(w.abs().max())) for n, w in weights.items()}
    return lambda generator: gaussian_instance(weights, std, generator)


@pytest.fixture(scope="module")
def task():
    """A small network and images with the labels that it gives itself."""
    model = randomised(build("lenet3", input_size=8))
    images = torch.randn(90, 1, 8, 8, generator=seeded(3))
    with torch.no_grad():
        return model, images, model(images).argmax(1)


def measured(task, **options):
    """The same noise of weights on the task, whatever the options."""
    model, images, labels = task
    return monte_carlo(
        model, alike_chips(noisy(model)), images, labels, generator=seeded(5), **options
    )


def test_same_seed_same_result_whatever_the_back_end_and_chunks(task):
    tables = [
        measured(
            task,
            chips=20,
            backend=backend,
            instances_at_once=instances_at_once,
            images_at_once=images_at_once,
        ).accuracy
        for backend, instances_at_once, images_at_once in [
            ("loop", 16, None),
            ("loop", 3, 7),
            ("batched", 16, 90),
            ("batched", 1, 11),
            ("compiled", 16, None),
            ("compiled", 20, 13),
        ]
    ]
    assert 0.3 < float(tables[0].mean()) < 0.95  # neither chance nor perfect
    for table in tables[1:]:
        assert torch.equal(table, tables[0])


def test_own_images_are_the_same_whatever_the_chunks(task):
    run = partial(measured, task, chips=9, images_per_instance=40)
    first = run(backend="loop")
    assert first.images == 40
    for other in (run(backend="compiled"), run(instances_at_once=2), run(images_at_once=6)):
        assert torch.equal(other.accuracy, first.accuracy)
    everything = measured(task, chips=9)
    assert not torch.equal(everything.accuracy, first.accuracy)


def test_right_answers_of_every_image_add_up_to_the_accuracy(task):
    _, _, labels = task
    found = [measured(task, chips=20, backend=backend) for backend in ("loop", "compiled")]
    for own in found:
        assert own.right is not None
        assert own.right.shape == labels.shape
        assert int(own.right.sum()) == round(float(own.accuracy.sum()) * len(labels))
        assert int(own.right.max()) <= 20
    assert torch.equal(found[0].right, found[1].right)
    apart = measured(task, chips=2, images_per_instance=40)
    assert apart.right is None


def test_one_thread_inside_and_the_old_number_after():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_a_perfect_chip_is_perfect(task):
    model, images, labels = task
    result = monte_carlo(
        model, alike_chips(noisy(model, 0.0)), images, labels, chips=3, generator=seeded()
    )
    assert result.stats.mean == 1.0
    assert (result.backend, result.note) == ("compiled", "")


def test_chips_keep_what_belongs_to_them(task):
    """All runs of a chip share its first layer; without errors of their own they are equal."""
    model, images, labels = task

    def draw_chip(generator):
        error = 0.3 * torch.randn(model.conv1.weight.shape, generator=generator)
        return lambda _: {"conv1.weight": model.conv1.weight.detach() + error}

    result = monte_carlo(model, draw_chip, images, labels, chips=6, runs=3, generator=seeded(1))
    assert result.accuracy.shape == (6, 3)
    assert result.stats.std_run == 0.0
    assert result.stats.std_chip > 0.01


def test_sequential_stop(task):
    model, images, labels = task

    def run(**options):
        draw = alike_chips(noisy(model))
        return monte_carlo(model, draw, images, labels, chips=100, generator=seeded(5), **options)

    whole = run()
    stopped = run(half_width=3 * whole.stats.half_width)
    assert stopped.stats.chips % 16 == 0
    assert 16 <= stopped.stats.chips < 100
    assert stopped.stats.half_width <= 3 * whole.stats.half_width
    assert torch.equal(stopped.accuracy, whole.accuracy[: stopped.stats.chips])
    assert run(half_width=1e-9).stats.chips == 100


def test_own_images_widen_the_interval_as_sampling_says(task):
    """Without errors in the weights the spread is that of drawing m of n images: hypergeometric."""
    model, images, labels = task
    wrong = labels.clone()
    wrong[:30] = (wrong[:30] + 1) % 10  # a third is answered wrongly
    result = monte_carlo(
        model,
        alike_chips(noisy(model, 0.0)),
        images,
        wrong,
        chips=600,
        generator=seeded(7),
        images_per_instance=30,
    )
    variance = (2 / 3) * (1 / 3) / 30 * (90 - 30) / (90 - 1)
    assert result.stats.std_chip == pytest.approx(variance**0.5, rel=0.1)
    assert result.stats.mean == pytest.approx(2 / 3, abs=4 * (variance / 600) ** 0.5)


#: What the numbers of a request are checked together as.
COUNTS = "chips, runs, instances_at_once"


@pytest.mark.parametrize(
    ("options", "code", "field", "allowed"),
    [
        ({"chips": 0}, "out-of-range", COUNTS, "1 or more"),
        ({"runs": 0}, "out-of-range", COUNTS, "1 or more"),
        ({"backend": "compild"}, "unknown-name", "backend", ["compiled"]),
        ({"images_per_instance": 91}, "out-of-range", "images_per_instance", "1 to 90"),
        ({"instances_at_once": 0}, "out-of-range", COUNTS, "1 or more"),
    ],
)
def test_bad_requests_are_refused(task, options, code, field, allowed):
    model, images, labels = task
    arguments = {"chips": 2, "generator": seeded()} | options
    ((name, given),) = options.items()
    says = [f"{name} = {given}" if field == COUNTS else str(given)]
    value = ANY if field == COUNTS else given
    with refused(ConfigError, code=code, field=field, value=value, allowed=allowed, says=says):
        monte_carlo(model, alike_chips(noisy(model)), images, labels, **arguments)


def test_training_mode_is_refused(task):
    model, images, labels = task
    learner = build("lenet3", input_size=8).train()
    with refused(ConfigError, code="conflict", field="model", says=["model.eval()"]):
        monte_carlo(learner, alike_chips(noisy(model)), images, labels, chips=1, generator=seeded())


@pytest.mark.parametrize(
    ("weights", "code", "field", "facts"),
    [
        (
            {"fc.wieght": torch.zeros(2, 10, 40)},
            "unknown-name",
            "weights",
            {"value": "fc.wieght", "nearest": "fc.weight"},
        ),
        (
            {"fc.weight": torch.zeros(10, 40)},
            "shape-mismatch",
            "weights.fc.weight",
            {"value": (10, 40)},
        ),
        (
            {"fc.bias": torch.zeros(2, 10), "conv1.bias": torch.zeros(3, 5)},
            "shape-mismatch",
            "weights",
            {"value": [2, 3]},
        ),
        ({}, "shape-mismatch", "weights", {"value": []}),
    ],
)
def test_tensors_of_another_network_are_refused(task, weights, code, field, facts):
    with refused(DataError, code=code, field=field, **facts):
        check_instances(task[0], weights)


def test_errors_that_are_not_numbers_are_refused(task):
    model, images, labels = task
    broken = alike_chips(lambda _: {"fc.bias": torch.full((10,), float("nan"))})
    with refused(DataError, code="not-finite", field="fc.bias"):
        monte_carlo(model, broken, images, labels, chips=1, generator=seeded())


def test_right_answers_by_hand(task):
    model, images, labels = task
    exact = {"fc.bias": model.fc.bias.detach()[None].repeat(2, 1)}
    wrong = labels.clone()
    wrong[:4] += 1
    chosen = choose_backend(model, images, "loop")
    assert right_answers(model, exact, images, wrong, chosen=chosen).sum(-1).tolist() == [86, 86]
