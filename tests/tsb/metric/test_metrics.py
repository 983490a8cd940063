"""Metrics of tasks: by hand, against independent formulas, and streamed as at once."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from archsim.errors import ConfigError
from archsim.results.task_metric import MetricFacts
from tests.refusals import refused
from tsb.data import load_dataset
from tsb.metric.registry import LISTED, TASK_METRICS, metric_named

GENERATOR = torch.Generator().manual_seed(3)
SCORES = torch.randn(40, 7, generator=GENERATOR)
LABELS = torch.randint(0, 7, (40,), generator=GENERATOR)
MAPS = torch.randn(6, 3, 5, 4, generator=GENERATOR)
MAP_LABELS = torch.randint(0, 3, (6, 5, 4), generator=GENERATOR)
MAP_LABELS[0, :2] = -100
TOKENS = torch.randn(6, 9, 11, generator=GENERATOR)
NEXT = torch.randint(0, 11, (6, 9), generator=GENERATOR)
NEXT[2, 3:] = -100
VALUES = torch.randn(8, 3, generator=GENERATOR)
WANTED = torch.randn(8, 3, generator=GENERATOR)

#: Outputs and targets that each metric takes.
INPUTS: list[tuple[str, Tensor, Tensor]] = [
    ("top-1", SCORES, LABELS),
    ("top-1", MAPS, MAP_LABELS),
    ("top-5", SCORES, LABELS),
    ("mean-iou", MAPS, MAP_LABELS),
    ("perplexity", TOKENS, NEXT),
    ("mse", VALUES, WANTED),
]


def own_psnr(outputs: Tensor, targets: Tensor) -> Tensor:
    """One number of a whole batch, as functions of torchmetrics give it."""
    return -10 * torch.log10(((outputs - targets) ** 2).mean())


own_psnr.higher_is_better = True  # type: ignore[attr-defined]
own_psnr.unit = "dB"  # type: ignore[attr-defined]


def own_by_item(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().amax(1)


def own_wrong(outputs: Tensor, targets: Tensor) -> Tensor:
    return torch.zeros(3)


def own_raises(outputs: Tensor, targets: Tensor) -> Tensor:
    raise ValueError("no")


@pytest.mark.parametrize(("name", "outputs", "targets"), INPUTS)
def test_batches_add_up_to_the_whole(name: str, outputs: Tensor, targets: Tensor) -> None:
    metric = TASK_METRICS[name]
    metric.check_fits(outputs, targets)
    sums = sum(
        metric.parts(*pair).sum(0) for pair in zip(outputs.split(5), targets.split(5), strict=True)
    )
    assert metric.value(sums) == pytest.approx(metric.of(outputs, targets), rel=1e-12)


def test_accuracy_by_hand() -> None:
    scores = torch.tensor([[0.1, 0.5, 0.4], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    assert TASK_METRICS["top-1"].of(scores, torch.tensor([1, 2, 2])) == pytest.approx(2 / 3)
    ranks = scores.new_tensor([[6, 5, 4, 3, 2, 1]])
    assert [TASK_METRICS["top-5"].of(ranks, torch.tensor([k])) for k in range(6)] == [1] * 5 + [0]


def test_intersection_over_union_against_sets() -> None:
    found, count = MAPS.argmax(1), MAP_LABELS != -100
    shares = []
    for kind in range(3):
        real = {tuple(place) for place in ((kind == MAP_LABELS) & count).nonzero().tolist()}
        said = {tuple(place) for place in ((found == kind) & count).nonzero().tolist()}
        shares.append(len(real & said) / len(real | said))
    assert TASK_METRICS["mean-iou"].of(MAPS, MAP_LABELS) == pytest.approx(np.mean(shares))


def test_a_class_that_nobody_names_is_left_out() -> None:
    outputs = functional.one_hot(torch.tensor([[0, 0, 1, 1]]), 3).float()
    value = TASK_METRICS["mean-iou"].of(outputs, torch.tensor([[0, 1, 1, 1]]))
    assert value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_perplexity_against_cross_entropy_and_at_its_ends() -> None:
    metric = TASK_METRICS["perplexity"]
    loss = functional.cross_entropy(TOKENS.flatten(0, 1).double(), NEXT.flatten())
    assert metric.of(TOKENS, NEXT) == pytest.approx(math.exp(loss))
    assert metric.of(torch.zeros(2, 3, 17), NEXT[:2, :3]) == pytest.approx(17)
    certain = 1000.0 * functional.one_hot(NEXT[:2, :3], 11)
    assert metric.of(certain, NEXT[:2, :3]) == pytest.approx(1)


def test_squared_error_against_the_definition() -> None:
    expected = np.mean((VALUES.numpy().astype(float) - WANTED.numpy()) ** 2)
    assert TASK_METRICS["mse"].of(VALUES, WANTED) == pytest.approx(expected)


DATA = load_dataset("mnist-part")
OWN = f"{__name__}:"


def test_a_function_of_the_user() -> None:
    metric = metric_named(f"{OWN}own_psnr", DATA)
    assert (metric.facts.direction, metric.facts.unit) == ("higher", "dB")
    expected = np.mean([float(own_psnr(VALUES[k], WANTED[k])) for k in range(8)])
    assert metric.of(VALUES, WANTED) == pytest.approx(expected)
    by_item = metric_named(f"{OWN}own_by_item", DATA, "lower")
    assert by_item.facts.direction == "lower"
    largest = (VALUES - WANTED).abs().amax(1)
    assert by_item.of(VALUES, WANTED) == pytest.approx(float(largest.mean()))


def test_metrics_that_cannot_be_used() -> None:
    with refused(ConfigError, code="missing-key", field="--metric-direction", allowed="higher"):
        metric_named(f"{OWN}own_by_item", DATA)
    field = "metric (--metric)"
    for name, code in (("own_wrong", "shape-mismatch"), ("own_raises", "call-failed")):
        metric = metric_named(f"{OWN}{name}", DATA, "lower")
        with refused(ConfigError, code=code, field=field, value=f"{OWN}{name}"):
            metric.of(VALUES, WANTED)
    with refused(ConfigError, code="unknown-name", field=field, value="top-2"):
        metric_named("top-2", DATA)
    with refused(ConfigError, code="conflict", field="--metric-direction", value="lower"):
        metric_named("top-1", DATA, "lower")
    with refused(ConfigError, code="conflict", field=field, value="mse"):
        TASK_METRICS["mse"].check_fits(SCORES, LABELS)
    with refused(ConfigError, code="conflict", field=field, value="perplexity"):
        TASK_METRICS["perplexity"].check_fits(VALUES, WANTED)
    with refused(ConfigError, code="out-of-range", field=field, value="top-5", allowed="top-1"):
        TASK_METRICS["top-5"].check_fits(SCORES[:, :5], LABELS)
    with refused(ConfigError, code="shape-mismatch", field=field, value=ANY):
        TASK_METRICS["top-1"].of(MAPS, LABELS)


def test_direction_turns_every_comparison() -> None:
    rising = MetricFacts(name="a", direction="higher", unit="%", factor=100.0, low=0.0, high=1.0)
    falling = MetricFacts(name="b", direction="lower", low=0.0)
    assert rising.is_better(0.9, 0.8)
    assert not falling.is_better(0.9, 0.8)
    assert rising.lost(0.9, 0.7) == pytest.approx(0.2)
    assert falling.lost(0.9, 0.7) == pytest.approx(-0.2)
    for facts in (rising, falling):
        assert facts.is_better(0.5, math.nan)
        assert not facts.is_better(math.nan, 0.5)
    assert rising.possible((-0.1, 1.2)) == (0.0, 1.0)
    assert falling.possible((-0.1, 1.2)) == (0.0, 1.2)
    assert rising.possible(None) is None
    assert rising.shown(0.25) == 25


@pytest.mark.parametrize("metric", LISTED, ids=lambda metric: metric.name)
def test_every_metric_declares_itself(metric: Any) -> None:
    assert metric.direction in ("higher", "lower")
    assert metric.targets in ("classes", "values", "any")
    assert all(isinstance(text, str) and text for text in (metric.description, metric.source))
    assert isinstance(metric.unit, str)
    assert {metric.low, metric.high} - {None} or metric.targets == "any"
