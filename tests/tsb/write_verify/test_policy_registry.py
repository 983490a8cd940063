"""The registry of write policies as a whole, the documents that list it, and the one U-SWIM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import torch
from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.config.schema.chip import Programming
from archsim.errors import ConfigError
from tests.house.helpers import ROOT
from tests.refusals import refused
from tests.tsb.write_verify.test_policy_conformance import (
    CELL,
    context,
    loss,
    same,
    trained,
    weights,
)
from tsb.cells.weight_cells import weight_cells
from tsb.program.storage import WeightStorage
from tsb.write_verify.policy import registry, text
from tsb.write_verify.policy.base import Choice
from tsb.write_verify.policy.context import LossDerivatives, WriteContext
from tsb.write_verify.policy.u_swim import USwim


def test_names_are_unique_and_every_entry_has_a_file_of_its_own() -> None:
    names = registry.names_of(registry.policies())
    assert len(set(names)) == len(names)
    files = {type(policy).__module__ for policy in registry.policies()}
    assert len(files) == len(names)
    folder = Path(registry.__file__).parent
    others = {"__init__", "base", "context", "registry", "text"}
    assert {own.rpartition(".")[2] for own in files} == {
        path.stem for path in folder.glob("*.py")
    } - others


def test_every_policy_of_the_chip_is_the_price_of_one() -> None:
    """``chip.programming.policy`` names what the cost half can tell apart, and nothing else."""
    priced = {
        own.value
        for policy in registry.policies()
        for own in policy.price(Choice(policy=policy))
        if own.path == "chip.programming.policy"
    }
    assert priced == set(get_args(Programming.model_fields["policy"].annotation))


@pytest.mark.parametrize("command", ["program", "deploy"])
def test_help_names_the_policies(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Read from the environment when it is imported, so that another test may have been first.
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 500)
    done = CliRunner().invoke(app, [command, "--help"])
    flat = " ".join(done.stdout.split())
    if command == "program":
        assert "|".join(registry.names_of(registry.policies())) in flat
        assert ", ".join(registry.names_taking("fraction")) in flat
    else:
        assert "|".join(text.policies_in_a_word()) in flat


def table_of(page: str, head: str) -> list[list[str]]:
    """Rows of the table of a page whose head begins so."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {head} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def test_the_documents_list_the_registry() -> None:
    assert table_of("docs/write-verify.md", "policy | what is verified") == [
        [
            f"`{policy.name}`",
            policy.description,
            quoted(policy.takes),
            "yes" if policy.needs_data else "no",
            policy.source or "-",
        ]
        for policy in registry.policies()
    ]
    assert table_of("docs/studies.md", "`write` | with") == [
        [f"`{policy.name}`", quoted(policy.takes[:1]), policy.description]
        for policy in registry.backbone_policies()
    ]
    tutorial = ROOT / "docs" / "tutorials" / "program-and-verify.md"
    assert quoted(registry.names_taking("fraction")) in tutorial.read_text(encoding="utf-8")


def test_bad_choices_name_what_is_allowed() -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": "policy", "value": "swom"}
    with refused(ConfigError, **facts, allowed="none", nearest="swim"):
        registry.policy_named("swom")
    everything = registry.policy_named("all")
    facts = {"code": "conflict", "field": "granularity", "value": "row"}
    with refused(ConfigError, **facts, allowed="weight", says=["'all',"]):
        Choice(policy=everything, granularity="row")
    last = Choice(policy=registry.policy_named("last-layers"), last_layers=9)
    facts = {"code": "out-of-range", "field": "last layers", "value": 9}
    with refused(ConfigError, **facts, allowed="1 to 3"):
        registry.write_masks(last, context())
    facts = {"code": "out-of-range", "field": "last_layers (--last-layers)", "value": 0}
    with refused(ConfigError, **facts, says=["it = 'last-layers:0':"]):
        text.parse_choice("last-layers:0", field="it")


# One U-SWIM: programs and studies had one each.


def ranking(scores: Mapping[str, torch.Tensor]) -> torch.Tensor:
    flat = torch.cat([score.flatten() for score in scores.values()])
    return flat.argsort(descending=True, stable=True)


@pytest.mark.parametrize("profile", ["uniform", "weight"])
def test_u_swim_is_what_programs_and_studies_computed(profile: str) -> None:
    cell = CELL if profile == "uniform" else CELL.but(factor=4.0, profile="weight")
    second = loss().second_derivative
    cells = weight_cells(weights(), cell)
    of_program = {n: second[n].double() * cells[n].spread ** 2 for n in second}
    std = WeightStorage(cell=cell).std_of(weights())
    of_study = {n: second[n] * std[n].double().square() for n in second}
    spreads = {name: own.spread for name, own in cells.items()}
    assert same(USwim().score(context(std_of=lambda _: spreads)), of_program)
    assert same(USwim().score(context(std_of=WeightStorage(cell=cell).std_of)), of_study)
    assert torch.equal(ranking(of_program), ranking(of_study))


@dataclass(frozen=True, eq=False, kw_only=True)
class Even(LossDerivatives):
    """A loss that minds an error of every weight alike."""

    second_derivative: ClassVar[dict[str, torch.Tensor]] = {"w": torch.ones(2, 2)}


def of_variance(storage: WeightStorage, *given: float) -> WriteContext:
    """Four weights in two columns of which only the variance tells which goes first."""
    return WriteContext(
        weights={"w": torch.tensor(given).view(2, 2)},
        std_of=storage.std_of,
        generator=torch.Generator(),
        loss=Even(model=trained(), images_of=loss().images_of),
    )


def test_u_swim_knows_the_full_scale_of_every_column() -> None:
    """By hand: the variance goes with the square of the weight that full scale stands for."""
    given = (1.0, 0.5, 0.1, 0.05)
    placed = {own: WeightStorage(cell=CELL, scaling=own) for own in ("tensor", "column")}
    whole, apart = (USwim().score(of_variance(own, *given))["w"] for own in placed.values())
    assert float(whole[0, 0] / whole[1, 0]) == pytest.approx(1, rel=1e-6)
    assert float(apart[0, 0] / apart[1, 0]) == pytest.approx(100, rel=1e-6)
    # Two copies of a weight are averaged, which halves its variance.
    doubled = replace(placed["tensor"], copies={"w": 2})
    halved = USwim().score(of_variance(doubled, *given))["w"]
    assert torch.allclose(halved, whole / 2, rtol=1e-12)


def test_the_noisier_of_equals_goes_first() -> None:
    """The second weight is in the middle of the range, where the device spreads more."""
    noisy = WeightStorage(cell=CELL.but(factor=4.0, profile="weight"))
    choice = Choice(policy=USwim(), fraction=0.25)
    masks = registry.write_masks(choice, of_variance(noisy, 0.1, 0.5, 1.0, 0.9))
    assert masks["w"].tolist() == [[False, True], [False, False]]
