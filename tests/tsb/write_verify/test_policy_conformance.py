"""What every write policy must do and declare: a new entry of the registry inherits all of it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from torch import nn
from typer.testing import CliRunner

import archsim
from archsim.api.map import map_network
from archsim.api.report.hardware import hardware_of
from archsim.cli.app import app
from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.config.choices import GRANULARITIES
from archsim.config.load import Setting
from archsim.config.resolve import resolve
from archsim.config.study import Study
from archsim.errors import ConfigError
from archsim.network.load import load_module
from tests.house.helpers import ROOT
from tests.refusals import refused
from tsb.cells.stored import mapped_weights
from tsb.cells.weight_cells import CellModel
from tsb.checkpoint import load_checkpoint
from tsb.data import load_dataset
from tsb.program.storage import WeightStorage
from tsb.study import programming
from tsb.study.citations import citations_of
from tsb.study.load import checked_study, load_study
from tsb.study.method_line import method_line
from tsb.write_verify.policy import registry, text
from tsb.write_verify.policy.base import ByScore, Choice, WritePolicy
from tsb.write_verify.policy.context import LossDerivatives, WriteContext
from tsb.write_verify.policy.magnitude import Magnitude
from tsb.write_verify.selective import Tiling

CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "lenet3.safetensors"
MNIST = ROOT / "tests" / "data" / "mnist"
#: How much is asked for, by the field of a choice: two amounts of each.
AMOUNTS: dict[str, tuple[Any, Any]] = {
    "fraction": (0.1, 0.37),
    "granularity": ("weight", "row"),
    "last_layers": (1, 2),
}
CELL = CellModel(
    sigma=0.1,
    write_model="incremental",
    tolerance=0.043,
    max_pulses=100,
    step_gain=0.055,
    step_sigma=0.02,
)


@cache
def trained() -> nn.Module:
    model = load_module("lenet3")
    load_checkpoint(CHECKPOINT).load_into(model)
    return model.eval()


@cache
def loss() -> LossDerivatives:
    split = load_dataset("mnist", MNIST).train.spread(60)
    return LossDerivatives(model=trained(), images_of=lambda: split)


def weights() -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in mapped_weights(trained()).items()}


@cache
def spreads() -> Mapping[str, torch.Tensor]:
    return WeightStorage(cell=CELL).std_of(weights())


def context(seed: int = 0, **changes: Any) -> WriteContext:
    """A trained LeNet-3 with a shared block, on small crossbars, and images for its loss."""
    arguments: dict[str, Any] = {
        "weights": weights(),
        "block": {"tsb.0.weight": torch.eye(5)},
        "std_of": lambda _: spreads(),
        "generator": torch.Generator().manual_seed(seed),
        "loss": loss(),
        "tiling": Tiling(rows=64, cols=64, slices=4),
    }
    return WriteContext(**{**arguments, **changes})


def chosen(masks: Mapping[str, torch.Tensor]) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def amounts(policy: WritePolicy) -> list[Choice]:
    """The choice of a policy as it is by default, and with more of what it takes."""
    usual = Choice(policy=policy)
    return [usual, *(replace(usual, **{key: AMOUNTS[key][1]}) for key in policy.takes)]


def method_of(policy: WritePolicy) -> dict[str, Any]:
    share = {"fraction": 0.1} if "fraction" in policy.takes else {}
    return {"name": "it", "write": policy.name, **share}


def study_of(policy: WritePolicy) -> Study:
    content = {
        "name": "small",
        "network": "lenet3",
        "data": "mnist",
        "score_images": 60,
        "backbones": {"noise": {}},
        "methods": [method_of(policy)],
    }
    return Study.model_validate(content)


# Every check takes a policy: those of the registry, and one that a test plants.


def declares_what_others_say_of_it(policy: WritePolicy) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", policy.name)
    assert 0 < len(policy.description) <= 80
    assert "\n" not in policy.description
    assert "|" not in policy.description
    # A publication can be found: by its number, or by the year.
    assert policy.source is None or re.search(r"arXiv \d{4}\.\d{5}|doi:|20\d\d", policy.source)
    assert set(policy.takes) <= {field.name for field in fields(Choice)} - {"policy"}
    assert set(policy.takes) <= AMOUNTS.keys()
    assert len(set(policy.takes)) == len(policy.takes)
    assert policy.by_score == ("fraction" in policy.takes)
    assert policy.verifies or not (policy.takes or policy.needs_data or policy.needs_block)


def says_how_much_in_words(policy: WritePolicy) -> None:
    for choice in amounts(policy):
        assert choice.words()
        assert ";" not in choice.words(), "a method's line separates its parts by semicolons"
    if "fraction" in policy.takes:
        assert "37 %" in Choice(policy=policy, fraction=0.37).words()


def has_a_price_that_the_chip_takes(policy: WritePolicy) -> None:
    for choice in amounts(policy):
        price = choice.price()
        assert all(own.path.startswith("chip.programming.") for own in price)
        programmed = resolve(chip="rram-22nm-neurosim", overrides=price).chip.programming
        for own in price:
            assert getattr(programmed, own.path.rpartition(".")[2]) == own.value
        assert (programmed.policy != "none") == policy.verifies


def prices_how_much_it_verifies(policy: WritePolicy) -> None:
    usual = Choice(policy=policy)
    for field, (_, more) in AMOUNTS.items():
        if field in policy.takes:
            assert replace(usual, **{field: more}).price() != usual.price()
    if "granularity" in policy.takes:
        facts: dict[str, Any] = {"code": "conflict", "field": "granularity", "value": "subarray"}
        with refused(ConfigError, **facts, allowed=["weight", "row"]):
            replace(usual, granularity="subarray").price()


def is_never_free(policy: WritePolicy) -> None:
    """The cost half counts as many verified cells as the policy chooses, block included."""
    choice = Choice(policy=policy, fraction=0.25, last_layers=2)
    designs = "common" if policy.needs_block else "none"
    overrides = ("chip.hierarchy.duplication=none", "tsb.copies=1", *choice.price())
    cost = map_network(
        "lenet3", design=designs, overrides=overrides, chip="rram-22nm-neurosim"
    ).cost.programming
    masks = registry.write_masks(choice, context(block={}) if designs == "none" else context())
    slices = 4  # 8 bits on 2-bit cells
    expected = slices * chosen(masks)
    # A fraction is taken of each layer there and of all weights here, each rounded.
    assert float(cost.verified_cells) == pytest.approx(expected, rel=0.001, abs=0)
    assert (expected > 0) == policy.verifies


def scores_every_weight(policy: WritePolicy) -> None:
    if not isinstance(policy, ByScore):
        return
    scores = policy.score(context())
    assert {n: s.shape for n, s in scores.items()} == {n: w.shape for n, w in weights().items()}
    assert all(bool(score.isfinite().all()) for score in scores.values())
    assert same(scores, policy.score(context()))


def masks_take_exactly_what_is_asked(policy: WritePolicy) -> None:
    total = sum(weight.numel() for weight in weights().values())
    for choice in amounts(policy):
        masks = policy.masks(context(), choice)
        assert list(masks) == list(weights())
        assert all(mask.dtype == torch.bool for mask in masks.values())
        assert same(masks, policy.masks(context(), choice)), "another choice with the same seed"
    if not policy.by_score:
        masks = policy.masks(context(), Choice(policy=policy))
        assert all(bool(mask.all()) or not bool(mask.any()) for mask in masks.values())
        return
    for fraction in (0.0, 0.004, 0.1, 0.37, 1.0):
        masks = policy.masks(context(), Choice(policy=policy, fraction=fraction))
        assert chosen(masks) == math.floor(fraction * total + 0.5)
    for granularity in GRANULARITIES:
        choice = Choice(policy=policy, fraction=0.1, granularity=granularity)
        assert chosen(policy.masks(context(), choice)) >= math.floor(0.1 * total + 0.5)


def sees_the_generator_only_if_it_says_so(policy: WritePolicy) -> None:
    choice = Choice(policy=policy)
    again = same(policy.masks(context(0), choice), policy.masks(context(1), choice))
    assert again != policy.drawn_per_chip


def verifies_the_block_with_everything_else(policy: WritePolicy) -> None:
    masks = registry.write_masks(Choice(policy=policy), context())
    assert list(masks) == [*weights(), "tsb.0.weight"]
    assert chosen({"block": masks["tsb.0.weight"]}) == (25 if policy.verifies else 0)
    if policy.needs_block:
        facts: dict[str, Any] = {"code": "missing-key", "field": "--design", "value": policy.name}
        with refused(ConfigError, **facts, allowed=["common", "separate"]):
            registry.write_masks(Choice(policy=policy), context(block={}))


def needs_data_if_it_says_so(policy: WritePolicy) -> None:
    blind = context(loss=None)
    if policy.needs_data:
        with refused(ConfigError, code="missing-key", field="loss"):
            policy.masks(blind, Choice(policy=policy))
    else:
        assert policy.masks(blind, Choice(policy=policy))


def is_a_policy_of_archsim_program(policy: WritePolicy) -> None:
    data = {"checkpoint": CHECKPOINT, "data_root": MNIST, "score_images": 60, "chips": 0}
    result = archsim.program(
        "lenet3",
        policy=policy.name,
        design="common" if policy.needs_block else "none",
        **(data if policy.needs_data else {}),
    )
    assert result.policy == policy.name
    assert (result.verified_weights > 0) == policy.verifies
    assert (result.fraction is None) == ("fraction" not in policy.takes)
    assert (result.last_layers is None) == ("last_layers" not in policy.takes)


def is_a_policy_of_studies(policy: WritePolicy) -> None:
    study = study_of(policy)
    schema = file_schema(SchemaKind.STUDY)["$defs"]["Method"]["properties"]["write"]
    if policy.needs_block:
        assert policy.name not in schema["enum"]
        field = "study.methods.0.write"
        with refused(ConfigError, code="unknown-name", field=field, value=policy.name):
            checked_study(study)
        return
    assert policy.name in schema["enum"]
    method = checked_study(study).methods[0]
    choice = programming.write_choice(method)
    assert method_line(study, method).split("; ")[1] == choice.words()
    overrides = hardware_of(study, method, 0.1).overrides or ()
    assert {str(own) for own in choice.price()} <= set(map(str, overrides))
    cited = [line for line in citations_of(study) if f"write policy {policy.name}" in line]
    assert cited == ([] if policy.source is None else cited)
    assert all(str(policy.source) in line for line in cited)
    assert policy.source is None or cited
    masks = programming.write_masks(
        study, method, trained(), WeightStorage(cell=CELL), load_dataset("mnist", MNIST), seed=0
    )
    assert (chosen(masks) > 0) == policy.verifies


def is_listed(policy: WritePolicy) -> None:
    done = CliRunner().invoke(app, ["list", "policies", "--format", "json"])
    (item,) = (own for own in json.loads(done.stdout)["items"] if own["name"] == policy.name)
    assert item["description"] == policy.description
    assert item["source"] == policy.source
    assert (item["by_score"], item["needs_data"]) == (policy.by_score, policy.needs_data)


def is_a_word_of_archsim_deploy(policy: WritePolicy) -> None:
    for form, own in text.policies_in_a_word().items():
        word = form.replace(":N", ":1").replace(":FRACTION", ":0.1")
        assert text.parse_choice(word, field="it") == Choice(policy=own)
    in_a_word = policy in text.policies_in_a_word().values()
    assert in_a_word != (policy.needs_data or policy.needs_block)


CHECKS: list[Callable[[WritePolicy], None]] = [
    declares_what_others_say_of_it,
    says_how_much_in_words,
    has_a_price_that_the_chip_takes,
    prices_how_much_it_verifies,
    is_never_free,
    scores_every_weight,
    masks_take_exactly_what_is_asked,
    sees_the_generator_only_if_it_says_so,
    verifies_the_block_with_everything_else,
    needs_data_if_it_says_so,
    is_a_policy_of_archsim_program,
    is_a_policy_of_studies,
    is_listed,
    is_a_word_of_archsim_deploy,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("policy", registry.policies(), ids=lambda policy: policy.name)
def test_conformance(policy: WritePolicy, check: Callable[[WritePolicy], None]) -> None:
    check(policy)


# A planted policy.


class SmallFirst(ByScore):
    """Small weights first."""

    name: ClassVar[str] = "small-first"
    description: ClassVar[str] = "small weights first"
    source: ClassVar[str | None] = None
    needs_data: ClassVar[bool] = False

    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        return {name: -weight.double().abs() for name, weight in context.weights.items()}


class FirstLayer(WritePolicy):
    """The first layer, priced as one whole layer of the chip."""

    name: ClassVar[str] = "first-layer"
    description: ClassVar[str] = "the first layer"
    source: ClassVar[str | None] = None
    takes: ClassVar[tuple[str, ...]] = ()
    needs_data: ClassVar[bool] = False

    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        first = next(iter(context.weights))
        return {n: torch.full(w.shape, n == first) for n, w in context.weights.items()}

    def words(self, choice: Choice) -> str:
        return "first layer verified"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        return (Setting("chip.programming.policy", "none"),)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[[WritePolicy], None]:
    def plant(policy: WritePolicy) -> None:
        monkeypatch.setattr(registry, "_ENTRIES", (*registry.policies(), policy))

    return plant


def test_what_is_not_declared_does_not_run() -> None:
    class Unnamed(ByScore):
        def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
            return {}

    class Unpriced(WritePolicy):
        name = "unpriced"
        description = "nothing that anybody could price"
        source = None
        takes = ()
        needs_data = False

        def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
            return {}

    with pytest.raises(TypeError, match=r"Unnamed .*name, .*source, needs_data"):
        Unnamed()
    with pytest.raises(TypeError, match=r"Unpriced.*price.*words"):
        Unpriced()  # type: ignore[abstract]


def test_a_policy_that_is_priced_at_nothing_is_found(
    planted: Callable[[WritePolicy], None],
) -> None:
    planted(FirstLayer())
    for check in (has_a_price_that_the_chip_takes, is_never_free):
        with pytest.raises(AssertionError):
            check(FirstLayer())


def test_a_new_policy_works_everywhere_without_another_file(
    planted: Callable[[WritePolicy], None], tmp_path: Path
) -> None:
    policy = SmallFirst()
    planted(policy)
    for check in CHECKS:
        check(policy)
    path = tmp_path / "study.yaml"
    content = study_of(policy).model_dump(mode="json", include={"name", "network", "data"})
    methods = [method_of(policy)]
    path.write_text(yaml.safe_dump({**content, "backbones": {"noise": {}}, "methods": methods}))
    assert programming.write_choice(load_study(str(path)).methods[0]).policy is policy
    # It does choose by its own score.
    of_all = Choice(policy=policy, fraction=0.4)
    small = registry.write_masks(of_all, context(block={}))
    large = registry.write_masks(replace(of_all, policy=Magnitude()), context(block={}))
    assert not any(bool((small[name] & large[name]).any()) for name in small)


def test_a_policy_that_is_not_planted_is_refused() -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "policy", "value": "small-first"}
    with refused(ConfigError, **facts, allowed=["none", "all", "tsb"]):
        archsim.program("lenet3", policy="small-first")
