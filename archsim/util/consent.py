"""Code of the user: run where its name is said in the same call, never because a file says it.

A study, a run, a sweep and a chip are data, and may come from anybody. What they name as
``package.module:function`` is a program. So whoever calls says the name too: on the command line,
or as an argument in Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

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


def say_for_good(names: Iterable[str]) -> None:
    """Let the code of some names be run in this whole process: that of a worker.

    Args:
        names: what was said in the call that the worker works for.
    """
    _SAID.set(_SAID.get() | frozenset(names))
