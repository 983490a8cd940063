"""Checks of single settings of the read path."""

from __future__ import annotations

import math

from archsim.errors import Code, ConfigError


def at_least_0(key: str, value: float) -> None:
    """Refuse a number below 0, or none.

    Args:
        key: of the setting.
        value: of it.
    """
    if not 0 <= value < math.inf:
        raise ConfigError.of(Code.OUT_OF_RANGE, key, value, allowed="0 or more", form="g")


def one_of(field_name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is none of some.

    Args:
        field_name: of the setting.
        value: of it.
        allowed: words.
    """
    if value not in allowed:
        raise ConfigError.of(Code.UNKNOWN_NAME, field_name, value, allowed=allowed)
