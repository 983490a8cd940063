"""Checks of single arguments of Python functions: type and range, with one kind of message."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from archsim.errors import Code, ConfigError

#: PyTorch's generator on the CPU takes the low 32 bits of a seed: beyond, seeds repeat each other.
MAX_SEED = 2**32 - 1


def whole_number(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return a whole number of a range.

    Args:
        name: of the argument, for the message.
        value: what was given.
        low: smallest allowed.
        high: largest allowed; None for any.

    Raises:
        ConfigError: not a whole number, or out of range.
    """
    is_bool = type(value) is bool
    given = int(value) if isinstance(value, Integral) and not is_bool else None
    if given is None or given < low or (high is not None and given > high):
        bounds = f"{low} or more" if high is None else f"{low} to {high}"
        code = Code.WRONG_TYPE if given is None else Code.OUT_OF_RANGE
        raise ConfigError.of(code, name, value, allowed=f"a whole number, {bounds}")
    return given


def number(name: str, value: object, low: float, high: float | None = None) -> float:
    """Return a finite number of a range.

    Args:
        name: of the argument, for the message.
        value: what was given.
        low: smallest allowed.
        high: largest allowed; None for any.

    Raises:
        ConfigError: not a number, not finite, or out of range.
    """
    is_bool = type(value) is bool
    given = float(value) if isinstance(value, Real) and not is_bool else math.nan
    if not low <= given <= (math.inf if high is None else high) or math.isinf(given):
        bounds = f"{low:g} or more, finite" if high is None else f"{low:g} to {high:g}"
        raise ConfigError.of(_code_of(value), name, value, allowed=bounds)
    return given


def _code_of(value: object) -> Code:
    """Return what is wrong with a value that should be a finite number of a range."""
    is_bool = type(value) is bool
    if is_bool or not isinstance(value, Real):
        return Code.WRONG_TYPE
    return Code.OUT_OF_RANGE if math.isfinite(value) else Code.NOT_FINITE


def switch(name: str, value: object) -> bool:
    """Return a truth value.

    Args:
        name: of the argument, for the message.
        value: what was given.

    Raises:
        ConfigError: neither True nor False.
    """
    if not isinstance(value, bool):
        raise ConfigError.of(Code.WRONG_TYPE, name, value, allowed="True or False")
    return value


def one_of(name: str, value: object, allowed: Sequence[str]) -> str:
    """Return a value of a list.

    Args:
        name: of the argument, for the message.
        value: what was given.
        allowed: the list.

    Raises:
        ConfigError: not in the list; with the nearest names.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError.of(Code.UNKNOWN_NAME, name, value, allowed=allowed)
    return value


def last_seed_of(first: object, count: int, *, what: str) -> int:
    """Return the last of seeds that count up from a first one.

    Args:
        first: what was given.
        count: how many, 1 or more.
        what: they are for, for the message.

    Raises:
        ConfigError: the first or the last is not a whole number from 0 to 2^32 - 1.
    """
    seed = seed_of(first)
    last = seed + count - 1
    if last > MAX_SEED:
        raise ConfigError.of(
            Code.OUT_OF_RANGE,
            "seed",
            seed,
            problem=f"the {count} {what} have seeds up to {last}",
            allowed=f"up to {MAX_SEED}",
        )
    return last


def seed_of(value: object) -> int:
    """Return a seed.

    Args:
        value: what was given.

    Raises:
        ConfigError: not a whole number from 0 to 2^32 - 1.
    """
    return whole_number("seed", value, 0, MAX_SEED)
