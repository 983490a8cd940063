"""Options of corrections: whole numbers, declared where the class has its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

_KEY = "option"


@dataclass(frozen=True, kw_only=True)
class Option:
    """A whole number that users choose.

    Attributes:
        name: as in ``tsb:channels=8``.
        description: a phrase for people.
        default: what it is where it is left out; None stands for all there are.
        is_required: whether it may not be left out.
        example: a value that small networks take.
    """

    name: str
    description: str
    default: int | None
    is_required: bool
    example: int | None

    def words(self) -> str:
        """Return how it is given and what it is, in a phrase for people."""
        value = "" if self.default is None else f"={self.default}"
        return f"{self.name}{'=NUMBER' if self.is_required else value} ({self.description})"


def option(description: str, *, example: int | None = None) -> dict[str, Any]:
    """Return the metadata of a dataclass field that is an option.

    Args:
        description: a phrase for people.
        example: for an option without a default: a value that small networks take.
    """
    return {_KEY: (description, example)}


def options_of(make: Any) -> Mapping[str, Option]:
    """Return the options of a correction by name; the first may be given without its name.

    Args:
        make: its class, a dataclass.
    """
    return {each.name: _option(each) for each in fields(make) if _KEY in each.metadata}


def _option(field: Field[Any]) -> Option:
    description, example = field.metadata[_KEY]
    is_required = field.default is MISSING
    default: int | None = None if field.default is MISSING else field.default
    return Option(
        name=field.name,
        description=description,
        default=default,
        is_required=is_required,
        example=example if is_required else default,
    )
