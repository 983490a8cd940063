"""One row of what no configuration may have: see :mod:`archsim.config.rules`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archsim.config.settings import AbstractSettings, PlainSettings, Truths
from archsim.errors import Code, Problem


@dataclass(frozen=True)
class Rule:
    """Something that no configuration may have.

    Attributes:
        name: what is wrong, as a sweep says for how many of its combinations.
        reads: settings that it depends on.
        broken: returns where it is broken. Settings are within their own ranges there.
        problem: returns what is wrong with one configuration: setting, value and what is allowed.
    """

    name: str
    reads: tuple[str, ...]
    broken: Callable[[AbstractSettings], Truths]
    problem: Callable[[PlainSettings], Problem]


def conflict(path: str, value: object, said: str, allowed: str) -> Problem:
    """Return what a broken rule says: settings that are allowed, each by itself."""
    return Problem(f"{said}; allowed: {allowed}", Code.CONFLICT, path, value, allowed)
