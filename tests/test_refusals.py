"""Unit: the helper with which tests expect refusals fails for every other refusal."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import ANY

import pytest
from typer.testing import Result

from archsim.errors import ArchsimError, Code, ConfigError, DataError, Problem
from tests.cli.conftest import Run, run  # noqa: F401 - a fixture
from tests.refusals import command_refused, holds, refused, tells

FACTS: dict[str, Any] = {
    "code": "out-of-range",
    "field": "chip.adc.bits",
    "value": 11,
    "allowed": "1 to 10",
}


def too_many() -> ConfigError:
    return ConfigError.of(Code.OUT_OF_RANGE, "chip.adc.bits", 11, allowed="1 to 10")


def test_the_facts_of_an_error_pass() -> None:
    with refused(ConfigError, **FACTS) as caught:
        raise too_many()
    assert caught.value.code == "out-of-range"
    with refused(ArchsimError, **{**FACTS, "field": ANY, "value": ANY}, says=["chip.adc.bits"]):
        raise too_many()


@pytest.mark.parametrize(
    "change",
    [
        {"code": "conflict"},
        {"field": "chip.adc.bit"},
        {"field": None},
        {"value": 12},
        {"value": "11"},
        {"value": None},
        {"allowed": "1 to 1"},
        {"allowed": "1 to 9"},
        {"allowed": ["1 to 10", "12"]},
        {"nearest": "bits"},
        {"says": ["12"]},
        {"says": ["allowed: 1 to 10"]},
    ],
    ids=str,
)
def test_every_other_fact_fails(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError), refused(ConfigError, **{**FACTS, **change}):
        raise too_many()


def test_a_value_must_be_given_where_there_is_one() -> None:
    facts = {key: fact for key, fact in FACTS.items() if key != "value"}
    with pytest.raises(AssertionError), refused(ConfigError, **facts):
        raise too_many()


def test_another_class_goes_through_and_no_error_fails() -> None:
    with pytest.raises(DataError), refused(ConfigError, **FACTS):
        raise DataError("x")
    with pytest.raises(pytest.fail.Exception), refused(ConfigError, **FACTS):
        pass


@pytest.mark.parametrize("code", [kind.usual_code for kind in (ArchsimError, ConfigError)])
def test_codes_that_say_nothing_cannot_be_asked_for(code: Code) -> None:
    with pytest.raises(AssertionError), refused(ConfigError, code=code, field=None):
        raise ConfigError("x")


def test_an_error_with_a_second_problem_fails() -> None:
    problem = too_many().problems[0]
    other = Problem.of(Code.CONFLICT, "x")
    with pytest.raises(AssertionError), refused(ConfigError, **FACTS):
        raise ConfigError.joined([problem, other])
    holds(problem, **FACTS)


def test_the_nearest_name_must_be_suggested_and_told() -> None:
    facts = {"code": "unknown-name", "field": "a", "value": "sra"}
    with refused(ConfigError, **facts, allowed="sar", nearest="sar"):
        raise ConfigError.of(Code.UNKNOWN_NAME, "a", "sra", allowed=("sar", "flash"))
    with pytest.raises(AssertionError), refused(ConfigError, **facts, nearest="sar"):
        raise ConfigError(
            "no hint", code=Code.UNKNOWN_NAME, field="a", value="sra", allowed=["sar"]
        )
    with pytest.raises(AssertionError), refused(ConfigError, **facts, allowed="fla"):
        raise ConfigError.of(Code.UNKNOWN_NAME, "a", "sra", allowed=("sar", "flash"))


def test_true_is_not_one_and_no_number_is_itself() -> None:
    with pytest.raises(AssertionError):
        holds(Problem.of(Code.CONFLICT, "a", True), code="conflict", field="a", value=1)
    holds(Problem.of(Code.CONFLICT, "a", math.nan), code="conflict", field="a", value=math.nan)


@pytest.mark.parametrize("fact", ["--jobs", "a = 3", "'vgg8'", "3,32,32", "1 to 4", "x/y.yaml"])
def test_facts_are_looked_for_whole_lines_or_not(fact: str) -> None:
    tells(f"error: it is\n  {fact.replace(' ', chr(10))} here", fact)
    with pytest.raises(AssertionError):
        tells("error: it is here", fact)


@pytest.mark.parametrize("prose", ["goes to hell", "cannot be read", "no layer", "a is not b"])
def test_prose_is_no_fact(prose: str) -> None:
    with pytest.raises(AssertionError):
        tells(prose, prose)


def test_a_command_must_refuse_and_print_nothing_else(run: Run) -> None:  # noqa: F811
    command_refused(run("map", "vgg9"), "'vgg9'", "'vgg8'")
    done: Result = run("list", "tsb")
    with pytest.raises(AssertionError):
        command_refused(done)
    with pytest.raises(AssertionError):
        command_refused(run("map", "vgg9"), "'vgg7'")
