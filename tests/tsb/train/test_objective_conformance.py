"""What every training objective must do and declare: a new entry of the registry inherits it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.config.study import Backbone, Study
from archsim.errors import ConfigError
from archsim.network.zoo import build
from tests.refusals import refused
from tsb.cells.noise import WeightNoise, noisy_weights
from tsb.cells.stored import mapped_weights
from tsb.data import Dataset, load_dataset
from tsb.study.citations import citations_of
from tsb.study.load import checked_study, load_study
from tsb.study.method_line import method_line
from tsb.train.loop import train_backbone
from tsb.train.objective.base import Batch, Loss, Stateless, TrainingObjective, option, options_of
from tsb.train.objective.registry import (
    OBJECTIVES,
    PLAIN,
    make_loss,
    objective_named,
    registered,
)
from tsb.train.settings import TrainSettings

MNIST = Path(__file__).parents[2] / "data" / "mnist"
SHAPE = (1, 28, 28)
NOISE = WeightNoise(sigma=0.1)


@cache
def digits() -> Dataset:
    return load_dataset("mnist", MNIST)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lenet(name: str = "lenet3") -> nn.Module:
    torch.manual_seed(0)
    return build(name)


def loss_of(made: Loss, model: nn.Module, noise: WeightNoise = NOISE) -> Tensor:
    batch = digits().train.head(20)
    dtype = next(model.parameters()).dtype
    return made.loss(
        model, mapped_weights(model), noise, seeded(), batch.images.to(dtype), batch.labels
    )


def study_of(objective: type[TrainingObjective]) -> Study:
    content = {
        "name": "small",
        "network": "lenet3",
        "data": "mnist",
        "backbones": {"first": {"objective": objective.name}},
        "methods": [{"name": "it"}],
    }
    return Study.model_validate(content)


# Every check takes an objective: those of the registry, and one that a test plants.


def declares_what_others_say_of_it(objective: type[TrainingObjective]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", objective.name)
    said = [objective.description, objective_named(objective.name).words]
    said += options_of(objective).values()
    assert all(text and text == text.strip(" .") and "\n" not in text for text in said)
    assert not any(character in text for text in said for character in "|;")
    assert len(objective.description) <= 80
    # A publication can be found: by its number, or by the year.
    assert objective.citation is None or re.search(
        r"arXiv \d{4}\.\d{5}|doi:|20\d\d", objective.citation
    )
    own: Any = objective
    assert list(options_of(objective)) == [each.name for each in fields(own)]


def is_made_from_its_name_and_options(objective: type[TrainingObjective]) -> None:
    own: Any = objective
    defaults = {each.name: each.default for each in fields(own)}
    made = objective_named(objective.name, defaults)
    assert type(made) is objective
    assert made == objective_named(objective.name)
    facts: dict[str, Any] = {"code": "unknown-key", "field": "objective"}
    with refused(ConfigError, **facts, value="no_such", allowed=tuple(defaults)):
        objective_named(objective.name, {"no_such": 1})


def has_the_gradient_of_finite_differences(objective: type[TrainingObjective]) -> None:
    """With the noise held: unquantised weights, drawn from the same seed, largest left alone."""
    noise, step = WeightNoise(sigma=0.1, quantised=False), 1e-6
    model = lenet().double()
    louder = {"beta": 0.3} if "beta" in options_of(objective) else {}
    made = make_loss(objective.name, model, SHAPE, **louder)
    tested = list(mapped_weights(model).values())
    if made.auxiliary is not None:
        made.auxiliary.double()
        tested += mapped_weights(made.auxiliary).values()
    loss_of(made, model, noise).backward()
    for weight in tested:
        flat = weight.data.view(-1)
        picked = flat.abs().sort().indices[-6:-1]  # large, and not the one that is the scale
        assert weight.grad is not None
        for index in picked.tolist():
            before, losses = float(flat[index]), []
            for shift in (step, -step):
                flat[index] = before + shift
                losses.append(float(loss_of(made, model, noise).detach()))
            flat[index] = before
            slope = (losses[0] - losses[1]) / (2 * step)
            assert float(weight.grad.view(-1)[index]) == pytest.approx(slope, rel=1e-4, abs=1e-8)


def leaves_the_model_and_the_global_stream_alone(objective: type[TrainingObjective]) -> None:
    model = lenet("lenet3-bn").train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    stream = torch.get_rng_state()
    make_loss(objective.name, model, SHAPE)
    assert torch.equal(torch.get_rng_state(), stream)
    assert model.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def counts_its_passes_through_the_network(objective: type[TrainingObjective]) -> None:
    model, calls = lenet(), []
    made = make_loss(objective.name, model, SHAPE)
    first = next(iter(model.children()))
    with_hook = first.register_forward_hook(lambda *_: calls.append(1))
    loss_of(made, model)
    with_hook.remove()
    assert len(calls) == objective_named(objective.name).forward_passes


def needs_no_more_noise_than_it_says(objective: type[TrainingObjective]) -> None:
    """At the largest sigma that leaves room for what it adds it runs; beyond, it does not."""
    added, model = objective_named(objective.name).added_sigma, lenet()
    assert 0 <= added < 1
    made = make_loss(objective.name, model, SHAPE)
    assert loss_of(made, model, replace(NOISE, sigma=1 - added)).isfinite()
    if added:
        with refused(ConfigError, code="out-of-range", field="extra_sigmas"):
            loss_of(made, model, replace(NOISE, sigma=1 - added + 0.01))


def learns_real_digits(objective: type[TrainingObjective]) -> None:
    """700 images, 5 epochs: the noisy network gets far above chance (0.1)."""
    model = lenet()
    settings = TrainSettings(noise=NOISE, objective=objective.name, epochs=5, batch_size=25)
    train_backbone(model, digits(), settings)
    weights = {key: weight.detach() for key, weight in mapped_weights(model).items()}
    noisy = noisy_weights(weights, NOISE, seeded(9))
    guesses = functional_call(model, noisy, (digits().test.images,)).argmax(-1)
    assert (guesses == digits().test.labels).double().mean() > 0.75


def is_an_objective_of_studies(objective: type[TrainingObjective]) -> None:
    schema = file_schema(SchemaKind.STUDY)["$defs"]["Backbone"]["properties"]["objective"]
    assert objective.name in schema["enum"]
    study = checked_study(study_of(objective))
    line = method_line(study, study.methods[0])
    assert line.split("; ")[0] == objective_named(objective.name).words
    cited = [line for line in citations_of(study) if f"training {objective.name}" in line]
    assert bool(cited) == (objective.citation is not None)
    assert all(str(objective.citation) in line for line in cited)


def is_listed(objective: type[TrainingObjective]) -> None:
    done = CliRunner().invoke(app, ["list", "objectives", "--format", "json"])
    (item,) = (own for own in json.loads(done.stdout)["items"] if own["name"] == objective.name)
    assert item["description"] == objective.description
    assert item["citation"] == objective.citation
    assert item["options"] == "; ".join(options_of(objective).values())


CHECKS: list[Callable[[type[TrainingObjective]], None]] = [
    declares_what_others_say_of_it,
    is_made_from_its_name_and_options,
    has_the_gradient_of_finite_differences,
    leaves_the_model_and_the_global_stream_alone,
    counts_its_passes_through_the_network,
    needs_no_more_noise_than_it_says,
    learns_real_digits,
    is_an_objective_of_studies,
    is_listed,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_conformance(name: str, check: Callable[[type[TrainingObjective]], None]) -> None:
    check(OBJECTIVES[name])


def test_the_first_is_what_a_backbone_has_where_nothing_is_said() -> None:
    assert Backbone().objective == TrainSettings().objective == PLAIN


# A planted objective.


@dataclass(frozen=True, kw_only=True)
class Smoothed(Stateless):
    """Cross-entropy with smoothed labels, at one noisy instance."""

    name: ClassVar[str] = "smoothed"
    description: ClassVar[str] = "noise injection with smoothed labels"
    citation: ClassVar[str | None] = "C. Szegedy et al., arXiv 1512.00567"

    share: float = field(default=0.1, metadata=option("of the label that all classes get"))

    def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
        scores = batch.scores(noise)
        return functional.cross_entropy(scores, batch.labels, label_smoothing=self.share)


def test_what_is_not_declared_does_not_run() -> None:
    class Unnamed(Stateless):
        def _loss(self, batch: Batch, noise: WeightNoise) -> Tensor:
            return batch.scores(noise).sum()

    class Lossless(TrainingObjective):
        name = "lossless"
        description = "nothing that could be trained"
        citation = None

    with pytest.raises(TypeError, match=r"Unnamed .*name, description, citation"):
        registered(Unnamed)
    with pytest.raises(TypeError, match=r"Lossless .*prepare\(\)"):
        registered(Lossless)
    with pytest.raises(TypeError, match="'smoothed'"):
        registered(Smoothed, Smoothed)


def test_a_new_objective_works_everywhere_without_another_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with refused(ConfigError, code="unknown-name", field="objective", value="smoothed"):
        objective_named("smoothed")
    monkeypatch.setitem(OBJECTIVES, "smoothed", Smoothed)  # type: ignore[arg-type]
    for check in CHECKS:
        check(Smoothed)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study_of(Smoothed).model_dump(mode="json")))
    assert load_study(str(path)).backbones["first"].objective == "smoothed"
    # It does minimise its own loss.
    model, plain = lenet(), make_loss(PLAIN, lenet(), SHAPE)
    own = loss_of(make_loss("smoothed", model, SHAPE, share=0.5), model)
    assert float(own.detach()) != float(loss_of(plain, model).detach())
    none = loss_of(make_loss("smoothed", model, SHAPE, share=0.0), model)
    assert torch.equal(none, loss_of(plain, model))
