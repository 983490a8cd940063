"""Lists of names that several halves choose from stand once, and the policies that are priced."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from archsim.api.map import map_network
from archsim.arch.design import DesignBatch
from archsim.cli.app import app
from archsim.config.choices import (
    ENCODINGS,
    GRANULARITIES,
    PLACEMENTS,
    PRICED_GRANULARITIES,
    SCALINGS,
    TRAINING_PRECISIONS,
)
from archsim.config.lookup import schema_fields
from archsim.config.priced_policies import POLICIES, PRICED_POLICIES, PricedPolicy, priced_policy
from archsim.config.resolve import Resolved, resolve
from archsim.config.schema.chip import Programming
from tests.house.helpers import ROOT
from tsb.write_verify.policy.registry import backbone_policies, names_of

every_policy = pytest.mark.parametrize("policy", PRICED_POLICIES, ids=lambda own: own.name)
LISTS = {
    "placements": PLACEMENTS,
    "encodings": ENCODINGS,
    "granularities": PRICED_GRANULARITIES,
    "priced policies": POLICIES,
    "scalings": SCALINGS,
    "precisions of training": TRAINING_PRECISIONS,
    **{
        path: parameter.choices
        for path, parameter in DesignBatch.inputs().items()
        if len(parameter.choices) > 2
    },
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_names_stands_once(name: str) -> None:
    """No file of the product but the list's own spells it out."""
    spelt = re.compile(r",\s*".join(rf'"{re.escape(each)}"' for each in LISTS[name]))
    found = [
        str(path.relative_to(ROOT))
        for package in ("archsim", "mapping", "tsb", "reports")
        for path in (ROOT / package).rglob("*.py")
        if spelt.search(path.read_text(encoding="utf-8"))
    ]
    assert len(found) == 1, found


def test_a_design_takes_its_choices_from_the_schema() -> None:
    schema = schema_fields(Resolved)
    for path, parameter in DesignBatch.inputs().items():
        if path in schema and parameter.kind in ("choice", "flag"):
            assert parameter.choices == schema[path].choices
    assert DesignBatch.inputs()["design"].choices == PLACEMENTS


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [
        ("map", "--design", PLACEMENTS),
        ("compare", "--design", PLACEMENTS),
        ("program", "--design", PLACEMENTS),
        ("program", "--granularity", GRANULARITIES),
    ],
)
def test_an_option_is_one_of_its_list(command: str, option: str, names: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [command, "lenet3", option, "nonsense"])
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert option in said
    assert "'nonsense'" in said
    assert all(f"'{name}'" in said for name in names)
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).stdout
    assert f"<{'|'.join(names)}>" in shown


# Policies that are priced.


def test_policies_are_in_code_order() -> None:
    assert tuple(policy.name for policy in PRICED_POLICIES) == POLICIES
    assert [policy.code for policy in PRICED_POLICIES] == list(range(len(POLICIES)))
    assert all(priced_policy(policy.name) is policy for policy in PRICED_POLICIES)


@every_policy
def test_a_policy_says_what_it_takes_and_who_is_verified(policy: PricedPolicy) -> None:
    programming = resolve(overrides=[f"chip.programming.policy={policy.name}"]).chip.programming
    assert set(policy.takes) <= set(Programming.model_fields)
    assert bool(policy.amount(programming)) == bool(policy.takes)
    for has_block in (True, False):
        assert policy.sentence(programming, has_block)
    assert policy.in_study is None or policy.in_study in names_of(backbone_policies())


@every_policy
def test_a_policy_verifies_what_it_says(policy: PricedPolicy) -> None:
    for design in PLACEMENTS[:2]:
        overrides = [f"chip.programming.policy={policy.name}"]
        cost = map_network("lenet3", design=design, overrides=overrides).cost.programming
        has_block = design != PLACEMENTS[0]
        wanted = policy.verifies and (has_block or not policy.needs_block)
        assert (float(cost.verified_cells) > 0) == wanted


@every_policy
def test_only_its_own_keys_change_what_a_policy_verifies(policy: PricedPolicy) -> None:
    def verified(*more: str) -> float:
        overrides = [f"chip.programming.policy={policy.name}", *more]
        cost = map_network("lenet3", overrides=overrides).cost.programming
        return float(cost.verified_cells)

    usual = verified()
    for key, value in (("last_layers", 2), ("fraction", 0.37)):
        moved = verified(f"chip.programming.{key}={value}") != usual
        assert moved == (key in policy.takes)
