"""What a refusal is checked by: the facts of an error, and never its sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY

import pytest
from typer.testing import Result

from archsim.errors import NOT_GIVEN, ArchsimError, Code, Problem

#: Codes that say nothing: a test that asked for one would pass for nearly any error.
VAGUE = {
    Code.BAD_SETTING,
    Code.BAD_NETWORK,
    Code.BAD_MAPPING,
    Code.BAD_DATA,
    Code.FAILED,
}


@contextmanager
def refused(
    kind: type[ArchsimError],
    *,
    code: str,
    field: Any,
    value: Any = NOT_GIVEN,
    allowed: str | Sequence[str] = (),
    nearest: str | None = None,
    says: Sequence[str] = (),
) -> Iterator[pytest.ExceptionInfo[ArchsimError]]:
    """Expect an error of one problem with these facts.

    Args:
        kind: class of the error.
        code: what kind of problem, as its word.
        field: what it is about; a path of a file is compared as text.
        value: what was given; without it the problem must not be about a value. `ANY` for any.
        allowed: names or numbers that must stand in what is allowed.
        nearest: the name that must be suggested first, in the sentence too.
        says: single words (options, paths, numbers) that must stand in the sentence.
    """
    assert Code(code) not in VAGUE, f"{code} fits nearly any error; give the error a code"
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 1, caught.value
    holds(
        caught.value.problems[0],
        code=code,
        field=field,
        value=value,
        allowed=allowed,
        nearest=nearest,
    )
    tells(str(caught.value), *says)


def holds(
    problem: Problem,
    *,
    code: str,
    field: Any,
    value: Any = NOT_GIVEN,
    allowed: str | Sequence[str] = (),
    nearest: str | None = None,
) -> None:
    """Check the facts of one problem; arguments as `refused` has them."""
    expected = field if field is None or field is ANY else str(field)
    assert (problem.code.value, problem.field) == (code, expected), problem
    assert _same(problem.value, value), problem
    for name in [allowed] if isinstance(allowed, str) else allowed:
        assert _is_allowed(name, problem.allowed), problem
    if nearest is not None:
        assert problem.nearest[:1] == (nearest,), problem
        assert f"'{nearest}'" in problem.text


def tells(text: str, *words: str) -> None:
    """Check that facts stand in a text: options, paths, names, numbers, `path = value`."""
    flat = " ".join(text.split())
    for word in words:
        assert _is_fact(word), f"{word!r} is prose; a test holds facts"
        assert word in flat, text


def command_refused(done: Result, *words: str, code: str | None = None) -> None:
    """Check that a command ended with exit code 2, one message, no output, and these facts.

    Args:
        done: what a runner of typer returned.
        words: facts that must stand in the message; see `tells`.
        code: of the first problem of the error behind it; without one the options are at fault,
            which typer refuses by itself.
    """
    assert done.exit_code == 2, done.output
    assert (_code_behind(done.exception) if code is not None else None) == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    tells(done.stderr, *words)


def _code_behind(error: BaseException | None) -> str | None:
    """Return the code of the archsim error that a command ended with, None for another error."""
    while error is not None and not isinstance(error, ArchsimError):
        error = error.__context__
    return None if error is None else error.problems[0].code.value


@contextmanager
def warned(*words: str, kind: type[Warning] = UserWarning) -> Iterator[None]:
    """Expect one warning that tells these facts; see `tells`."""
    with pytest.warns(kind) as caught:
        yield
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    tells(str(caught[0].message), *words)


def _is_fact(word: str) -> bool:
    """Whether a text is a name, an option, a number, `path = value` or `1 to 4`: no sentence."""
    match word.split():
        case [_] | [_, "=", _]:
            return True
        case [low, "to", high]:
            return low[:1].isdigit() and high[:1].isdigit()
    return False


def _same(given: object, expected: object) -> bool:
    if expected is ANY or given is expected:
        return True
    if isinstance(given, float) and isinstance(expected, float):
        return given == expected or (math.isnan(given) and math.isnan(expected))
    return given == expected and isinstance(given, bool) == isinstance(expected, bool)


def _is_allowed(name: str, allowed: str | tuple[str, ...] | None) -> bool:
    if isinstance(allowed, tuple):
        return name in allowed
    words, wanted = _words(allowed or ""), _words(name)
    starts = range(len(words) - len(wanted) + 1)
    return any(words[start : start + len(wanted)] == wanted for start in starts)


def _words(text: str) -> list[str]:
    """Whole words: ``1 to 1`` does not stand in ``1 to 10``."""
    return text.replace(",", " ").replace(";", " ").split()
