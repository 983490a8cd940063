"""The one family of errors that archsim raises on purpose.

Every message says where the problem is, what was given, what is allowed and, where it can, how to
put it right. The command line prints the message alone and exits with ``exit_code``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArchsimError(Exception):
    """Root of all errors that a user can cause; anything else is a defect in archsim."""

    exit_code = 2


class ConfigError(ArchsimError):
    """A YAML file, an override or a preset name that cannot be used."""


class NetworkError(ArchsimError):
    """A network that cannot be found, traced or mapped."""


class MappingError(ArchsimError):
    """A request to the mapping compiler that no chip could satisfy."""


class DataError(ArchsimError):
    """A file of results, reference runs or images that is missing or damaged."""


def close_matches(wrong: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known names nearest to ``wrong``, or ``""``."""
    names = difflib.get_close_matches(wrong, list(known), n=3, cutoff=0.5)
    if not names:
        return ""
    return " Did you mean " + " or ".join(f"'{name}'" for name in names) + "?"
