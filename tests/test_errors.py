"""Unit: errors carry facts beside their sentence, and keep them on the way between processes."""

from __future__ import annotations

import inspect
import math
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archsim.errors
from archsim.errors import (
    NOT_GIVEN,
    ArchsimError,
    Code,
    ConfigError,
    DataError,
    MappingError,
    NetworkError,
    Problem,
    RejectedValueError,
    close_matches,
)
from archsim.util.shadow import ShadowedPackageError

KINDS = [ArchsimError, ConfigError, NetworkError, MappingError, DataError, ShadowedPackageError]


def through_a_pipe(value: Any) -> Any:
    return ForkingPickler.loads(ForkingPickler.dumps(value))


# --- codes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", Code)
def test_a_code_is_a_short_word_with_one_line(code: Code) -> None:
    assert code == code.value == code.name.lower().replace("_", "-")
    assert len(code) <= 20
    assert 10 < len(code.meaning) <= 80
    assert "\n" not in code.meaning
    assert through_a_pipe(code) is code


def test_codes_are_a_closed_list_of_different_lines() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Code("nonsense")
    assert len({code.meaning for code in Code}) >= len(Code) - 1


# --- sentence alone, sentence and facts, facts alone ----------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_alone_has_the_usual_code_of_its_class(kind: type[ArchsimError]) -> None:
    error = kind("a sentence")
    assert str(error) == "a sentence"
    assert (error.code, error.field, error.value) == (kind.usual_code, None, NOT_GIVEN)
    assert error.allowed is None
    assert error.problems == (Problem("a sentence", kind.usual_code),)
    assert error.exit_code == 2


def test_classes_have_usual_codes_of_their_own() -> None:
    ours = [ArchsimError, ConfigError, NetworkError, MappingError, DataError]
    assert len({kind.usual_code for kind in ours}) == len(ours)
    every = {
        each for _, each in inspect.getmembers(archsim.errors, inspect.isclass)
        if issubclass(each, ArchsimError)
    }  # fmt: skip
    assert every == set(ours)


def test_facts_may_stand_beside_a_sentence() -> None:
    error = ConfigError(
        "too many bits", code=Code.OUT_OF_RANGE, field="chip.adc.bits", value=11, allowed="1 to 10"
    )
    assert str(error) == "too many bits"
    assert (error.code, error.field, error.value) == ("out-of-range", "chip.adc.bits", 11)
    assert error.allowed == "1 to 10"


@pytest.mark.parametrize(
    ("facts", "options", "text"),
    [
        ((Code.OUT_OF_RANGE, "a.b", 11), {"allowed": "1 to 10"}, "a.b = 11; allowed: 1 to 10"),
        ((Code.OUT_OF_RANGE, "a", 2.0), {"form": "g", "allowed": "1"}, "a = 2; allowed: 1"),
        ((Code.WRONG_TYPE, "a", "x"), {"allowed": "a number"}, "a = 'x'; allowed: a number"),
        ((Code.WRONG_TYPE, "a", None), {"allowed": "a number"}, "a = None; allowed: a number"),
        ((Code.OUT_OF_RANGE, "--jobs", 0), {"allowed": "1 or 2"}, "--jobs 0; allowed: 1 or 2"),
        ((Code.CONFLICT, "a", 3), {"problem": "b is 8", "more": "; use 4"}, "a = 3: b is 8; use 4"),
        ((Code.DAMAGED_FILE, Path("x/y")), {"problem": "no JSON"}, "x/y: no JSON"),
        ((Code.EMPTY,), {"problem": "no chips"}, "no chips"),
        ((Code.OUT_OF_RANGE, None, 3), {"allowed": "1"}, "3; allowed: 1"),
        ((Code.UNKNOWN_NAME, "a", "sra"), {"allowed": ("sar", "flash")},
         "a = 'sra'; allowed: sar, flash. Did you mean 'sar'?"),
        ((Code.UNKNOWN_NAME, "a", "zz"), {"allowed": ["sar"]}, "a = 'zz'; allowed: sar."),
        ((Code.CONFLICT, "a", "sra"), {"allowed": ("sar",)}, "a = 'sra'; allowed: sar"),
    ],
)  # fmt: skip
def test_a_sentence_is_made_from_its_facts(
    facts: tuple[Any, ...], options: dict[str, Any], text: str
) -> None:
    error = DataError.of(*facts, **options)
    assert type(error) is DataError
    assert str(error) == text
    assert error.problems == (Problem.of(*facts, **options),)
    assert error.code is facts[0]
    assert error.field == (str(facts[1]) if facts[1:] and facts[1] is not None else None)
    assert error.value == (facts[2] if facts[2:] else NOT_GIVEN)


def test_the_nearest_names_are_told_where_there_are_names() -> None:
    known = ("rram", "pcm")
    error = ConfigError.of(Code.UNKNOWN_NAME, "device", "rramm", allowed=known)
    assert error.problems[0].nearest == ("rram",)
    assert str(error).endswith(close_matches("rramm", known))
    assert ConfigError("x", value="rramm", allowed="rram").problems[0].nearest == ()


def test_one_error_may_hold_several_problems_a_line_each_and_none_twice() -> None:
    one = Problem.of(Code.OUT_OF_RANGE, "a", 1)
    two = Problem.of(Code.MISSING_KEY, "b", problem="missing")
    error = ConfigError.joined([one, two, one])
    assert error.problems == (one, two)
    assert str(error) == "a = 1\nb: missing"
    assert (error.code, error.field, error.value) == ("out-of-range", "a", 1)


def test_what_a_schema_rejects_keeps_its_problem() -> None:
    problem = Problem.of(Code.OUT_OF_RANGE, "a", 1)
    error = through_a_pipe(RejectedValueError(problem))
    assert isinstance(error, ValueError)
    assert (str(error), error.problem) == ("a = 1", problem)


# --- between processes ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "value", [11, 0.5, "x", None, True, NOT_GIVEN, [1, "a"], (1, (2,)), {"a": [1]}, Path("a/b")]
)
def test_an_error_is_the_same_behind_a_pipe(kind: type[ArchsimError], value: object) -> None:
    error = kind.joined(
        [
            Problem.of(Code.OUT_OF_RANGE, "a", value, allowed=("x", "y")),
            Problem("another", Code.CONFLICT),
        ]
    )
    again = through_a_pipe(error)
    assert type(again) is kind
    assert (str(again), again.problems) == (str(error), error.problems)
    assert again.value == (str(value) if isinstance(value, Path) else value)


def test_what_no_pipe_takes_is_held_as_text() -> None:
    error = through_a_pipe(ConfigError.of(Code.WRONG_TYPE, "a", lambda: 0, allowed="a number"))
    assert isinstance(error.value, str)
    assert "lambda" in error.value
    assert math.isnan(through_a_pipe(ConfigError("x", value=math.nan)).value)


def refuse(bits: int) -> None:
    """Run in another process."""
    raise ConfigError.of(Code.OUT_OF_RANGE, "chip.adc.bits", bits, allowed="1 to 10")


def test_a_worker_raises_the_same_error_here() -> None:
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(ConfigError) as caught,
    ):
        pool.submit(refuse, 11).result()
    expected = Problem.of(Code.OUT_OF_RANGE, "chip.adc.bits", 11, allowed="1 to 10")
    assert caught.value.problems == (expected,)
    assert str(caught.value) == expected.text


@settings(max_examples=30)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_plain_values_are_held_as_they_are(value: object) -> None:
    assert Problem("x", Code.CONFLICT, "a", value).value == value
