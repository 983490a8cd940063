"""The forms in which Python may give settings: a dictionary, one text, a list of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archsim.config.load import Override, Setting
from archsim.errors import Code, ConfigError

#: What a function takes as settings: ``{"chip.adc.bits": 6}``, ``"chip.adc.bits=6"``, or a list.
Overrides = str | Mapping[str, Any] | Iterable[Override]

_ALLOWED = "a dictionary of path to value, a text path=value, or a list of such texts"


def as_overrides(given: Overrides) -> list[Override]:
    """Return settings as a list, whatever form they were given in.

    Args:
        given: a dictionary by dotted path, one text ``path=value``, or several of these texts.

    Raises:
        ConfigError: another type.
    """
    if isinstance(given, str):
        return [given]
    if isinstance(given, Mapping):
        return [Setting(str(path), value) for path, value in given.items()]
    if not isinstance(given, Iterable):  # from a caller without type checker
        raise ConfigError.of(Code.WRONG_TYPE, "overrides", given, allowed=_ALLOWED)
    listed = list(given)
    for entry in listed:
        if not isinstance(entry, str | Setting):
            raise ConfigError.of(Code.WRONG_TYPE, "overrides", entry, allowed=_ALLOWED)
    return listed


def as_texts(given: Overrides) -> list[str]:
    """Return settings as texts ``path=value``, as the command line has them.

    Raises:
        ConfigError: as :func:`as_overrides`.
    """
    return [str(setting) for setting in as_overrides(given)]


def as_names(given: str | Iterable[str]) -> list[str]:
    """Return names as a list; one text is one name, not its letters."""
    return [given] if isinstance(given, str) else list(given)
