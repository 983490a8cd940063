"""The one family of errors that archsim raises on purpose.

Every message says where the problem is, what was given, what is allowed and, where it can, how to
put it right. The same facts stand beside the message: an error holds one :class:`Problem` or
several, each with a :class:`Code`. Programs and tests read those; no code parses a message. The
command line prints the message alone and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from numbers import Number
from pathlib import PurePath
from typing import Any, ClassVar, Final, TypeVar


class Code(StrEnum):
    """What kind of problem an error tells of: the closed list, with one line each."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Code:
        """Make a member from its word and its line."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    UNKNOWN_NAME = "unknown-name", "a name that is not among those there are"
    UNKNOWN_KEY = "unknown-key", "a key, option or column that there is no place for"
    MISSING_KEY = "missing-key", "a key, option, column or argument that must be given"
    WRONG_TYPE = "wrong-type", "a value of another kind: a text for a number, a list for one value"
    WRONG_FORM = "wrong-form", "a text that does not have the form it is read in"
    OUT_OF_RANGE = "out-of-range", "a number or a count outside of what is allowed"
    NOT_FINITE = "not-finite", "infinite or not a number"
    GIVEN_TWICE = "given-twice", "what may be given once is given again"
    CONFLICT = "conflict", "settings or inputs, each allowed, that do not go together"
    SHAPE_MISMATCH = "shape-mismatch", "shapes, sizes or counts that do not fit each other"
    EMPTY = "empty", "nothing there, or nothing left, to work on"
    UNSUPPORTED = "unsupported", "valid elsewhere, and nothing that this part of archsim does"
    UNSUPPORTED_OPERATOR = "unsupported-operator", "an operator or layer that cannot be mapped"
    MISSING_FILE = "missing-file", "a file or folder that is not there"
    CANNOT_READ = "cannot-read", "a file that the system does not let read"
    CANNOT_WRITE = "cannot-write", "a file or folder that cannot be made or written"
    DAMAGED_FILE = "damaged-file", "a file that is not whole, or not what its name says"
    WRONG_FILE = "wrong-file", "a whole file of something else: another network, sweep or version"
    UNSAFE_FILE = "unsafe-file", "a file that could run a program when it is read"
    IN_THE_WAY = "in-the-way", "a place that holds something that must not be written over"
    MISSING_PACKAGE = "missing-package", "an optional package that is not installed"
    UNREACHABLE = "unreachable", "a download, scheduler, worker or storage that does not answer"
    WORKER_LOST = "worker-lost", "a process that ended before its work was done"
    CALL_FAILED = "call-failed", "code of the user, or of another package, that raised an error"
    BAD_SETTING = "bad-setting", "a setting that cannot be used; nothing more is told"
    BAD_NETWORK = "bad-network", "a network that cannot be used; nothing more is told"
    BAD_MAPPING = "bad-mapping", "a mapping that cannot be made; nothing more is told"
    BAD_DATA = "bad-data", "a file that cannot be used; nothing more is told"
    FAILED = "failed", "nothing more is told"


class _NotGiven(Enum):
    """Type of :data:`NOT_GIVEN`: one member, the same in every process."""

    NOT_GIVEN = "not given"


#: Stands for the value of a problem that is not about a value.
NOT_GIVEN: Final = _NotGiven.NOT_GIVEN


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, as a sentence and as facts.

    Attributes:
        text: what a person reads.
        code: what kind of problem it is.
        field: dotted path, argument, option, file or name that it is about; None for none.
        value: what was given; numbers, texts, paths and lists of them as they are, other things as
            their ``repr``. :data:`NOT_GIVEN` where it is not about a value.
        allowed: what may be given: a text, or all the names; None where nothing is said.
    """

    text: str
    code: Code
    field: str | None = None
    value: object = NOT_GIVEN
    allowed: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _plain(self.value))

    @classmethod
    def of(
        cls,
        code: Code,
        field: object = None,
        value: object = NOT_GIVEN,
        *,
        problem: str = "",
        allowed: str | Sequence[str] | None = None,
        form: str | None = None,
        more: str = "",
    ) -> Problem:
        """Return a problem whose sentence is made from its facts.

        It reads ``field = value: problem; allowed: allowed``, without the parts that are not given.
        The value of an option (``--jobs 0``) stands behind a space. Of names (a list), the nearest
        to an unknown one are suggested.

        Args:
            code: what kind of problem.
            field: what it is about: a dotted path, an argument, an option, a file.
            value: what was given.
            problem: what is wrong, where field, value and what is allowed do not say it.
            allowed: what may be given: a text, or a list of names.
            form: format of the value, e.g. ``g``; without one its ``repr``, of options its text.
            more: rest of the sentence as it is, with its own punctuation.
        """
        name = None if field is None else str(field)
        text = name or ""
        if value is not NOT_GIVEN:
            is_option = text.startswith("--")
            shown = str(value) if is_option else repr(value)
            shown = shown if form is None else format(value, form)
            text += f"{' ' if is_option else ' = '}{shown}" if text else shown
        if problem:
            text += f"{': ' if text else ''}{problem}"
        names = allowed if allowed is None or isinstance(allowed, str) else tuple(allowed)
        if names is not None:
            text += f"; allowed: {names if isinstance(names, str) else ', '.join(names)}"
        if code is Code.UNKNOWN_NAME and isinstance(names, tuple):
            text += f".{close_matches(str(value), names)}"
        return cls(text + more, code, name, value, names)

    @property
    def nearest(self) -> tuple[str, ...]:
        """Names that are allowed and nearest to the one that was given; none where none is."""
        return nearest_names(self.value, self.allowed) if isinstance(self.allowed, tuple) else ()


#: In place of `Self`, which `make typed` knows in decorated classes alone.
_Error = TypeVar("_Error", bound="ArchsimError")


class ArchsimError(Exception):
    """Root of all errors that a user can cause; anything else is a defect in archsim.

    Attributes:
        problems: what is wrong, one or more; ``code``, ``field``, ``value`` and ``allowed`` are
            those of the first.
    """

    exit_code: ClassVar[int] = 2
    usual_code: ClassVar[Code] = Code.FAILED
    problems: tuple[Problem, ...]

    def __init__(
        self,
        message: str = "",
        *,
        code: Code | None = None,
        field: object = None,
        value: object = NOT_GIVEN,
        allowed: str | Sequence[str] | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        """Make an error from a sentence, with facts where they are known.

        Args:
            message: what a person reads.
            code: what kind of problem; None for the usual one of the class.
            field: as :class:`Problem` has it; so are the next two.
            value: what was given.
            allowed: what may be given.
            problems: in place of the four, where they are at hand.
        """
        super().__init__(message)
        names = allowed if allowed is None or isinstance(allowed, str) else tuple(allowed)
        name = None if field is None else str(field)
        problem = Problem(message, code or self.usual_code, name, value, names)
        self.problems = tuple(problems) or (problem,)

    @classmethod
    def of(
        cls: type[_Error],
        code: Code,
        field: object = None,
        value: object = NOT_GIVEN,
        *,
        problem: str = "",
        allowed: str | Sequence[str] | None = None,
        form: str | None = None,
        more: str = "",
    ) -> _Error:
        """Return an error whose sentence is made from its facts; arguments: :meth:`Problem.of`."""
        return cls.joined(
            [Problem.of(code, field, value, problem=problem, allowed=allowed, form=form, more=more)]
        )

    @classmethod
    def joined(cls: type[_Error], problems: Iterable[Problem]) -> _Error:
        """Return one error of one problem or more, a line each; what is said twice, once."""
        by_text = {problem.text: problem for problem in problems}
        return cls("\n".join(by_text), problems=tuple(by_text.values()))

    @classmethod
    def retold(cls: type[_Error], error: ArchsimError, message: str) -> _Error:
        """Return an error with the facts of another one, and a sentence that says more.

        Args:
            error: whose facts.
            message: what a person reads; holds the sentence of ``error``.
        """
        first, *others = error.problems
        return cls(message, problems=(replace(first, text=message), *others))

    @property
    def code(self) -> Code:
        """What kind of problem it is, of several the first."""
        return self.problems[0].code

    @property
    def field(self) -> str | None:
        """What it is about, of several the first."""
        return self.problems[0].field

    @property
    def value(self) -> object:
        """What was given, of several the first."""
        return self.problems[0].value

    @property
    def allowed(self) -> str | tuple[str, ...] | None:
        """What may be given, of several the first."""
        return self.problems[0].allowed


class ConfigError(ArchsimError):
    """A YAML file, an override or a preset name that cannot be used."""

    usual_code = Code.BAD_SETTING


class NetworkError(ArchsimError):
    """A network that cannot be found, traced or mapped."""

    usual_code = Code.BAD_NETWORK


class MappingError(ArchsimError):
    """A request to the mapping compiler that no chip could satisfy."""

    usual_code = Code.BAD_MAPPING


class DataError(ArchsimError):
    """A file of results, reference runs or images that is missing or damaged."""

    usual_code = Code.BAD_DATA


class RejectedValueError(ValueError):
    """What a check inside a schema raises: pydantic gives it a path, the schema's reader the rest.

    Attributes:
        problem: its ``field`` is a key below the place of the check, or None.
    """

    def __init__(self, problem: Problem) -> None:
        """Make it from a problem."""
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        """Return the sentence."""
        return self.problem.text


def nearest_names(wrong: object, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known names nearest to ``wrong``, at most three, the best first."""
    return tuple(difflib.get_close_matches(str(wrong), list(known), n=3, cutoff=0.6))


def close_matches(wrong: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known names nearest to ``wrong``, or ``""``."""
    names = nearest_names(wrong, known)
    if not names:
        return ""
    return " Did you mean " + " or ".join(f"'{name}'" for name in names) + "?"


def _plain(value: object) -> object:
    """Return a value that goes through a pipe to another process and keeps nothing alive."""
    if value is None or isinstance(value, bool | str | Number | _NotGiven):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        entries: list[Any] = [_plain(entry) for entry in value]
        return entries if isinstance(value, list) else tuple(entries)
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return repr(value)
