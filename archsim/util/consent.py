"""Code of the user: run where its name is said in the same call, never because a file says it.

A study, a run, a sweep and a chip are data, and may come from anybody. What they name as
``package.module:function`` is a program. So whoever calls says the name too: on the command line,
or as an argument in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from archsim.errors import ArchsimError, Code

_SAID: ContextVar[frozenset[str]] = ContextVar("said", default=frozenset())


def said() -> frozenset[str]:
    """Return the names that were said in this call."""
    return _SAID.get()


@contextmanager
def saying(names: Iterable[object]) -> Iterator[None]:
    """Let the code of some names be run within a block.

    Args:
        names: those that the caller said; what is no text is left out.
    """
    token = _SAID.set(_SAID.get() | {name for name in names if isinstance(name, str)})
    try:
        yield
    finally:
        _SAID.reset(token)


def check_code_said(spec: str, kind: str, error: type[ArchsimError]) -> None:
    """Refuse to run code that only a file names.

    Args:
        spec: ``package.module:function`` of a study, a run, a sweep or a chip.
        kind: what it is there, and the option that says it: ``network``, ``data`` or ``metric``.
        error: class of the error.

    Raises:
        ArchsimError: its name was not said in this call; with the option.
    """
    if spec not in said():
        raise error.of(
            Code.UNSAFE_FILE,
            kind,
            spec,
            problem="a file names this code, and it is not run for that; if you trust it, say so",
            allowed=f"--{kind} {spec} ({kind}={spec!r} in Python)",
        )


def say_for_good(names: Iterable[str]) -> None:
    """Let the code of some names be run in this whole process: that of a worker.

    Args:
        names: what was said in the call that the worker works for.
    """
    _SAID.set(_SAID.get() | frozenset(names))
