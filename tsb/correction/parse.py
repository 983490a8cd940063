"""Corrections by name: ``tsb+biases``, ``last-layers:2``, ``batch-norm+tsb:channels=8,depth=2``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archsim.errors import Code, ConfigError, close_matches
from tsb.correction.base import Correction
from tsb.correction.options import options_of
from tsb.correction.registry import CORRECTIONS, make


def parse_corrections(
    text: str, defaults: Mapping[str, Mapping[str, int]] | None = None
) -> list[Correction]:
    """Make corrections from their names; they act in this order.

    Args:
        text: names joined by ``+``, each with options after a colon; "" for none.
        defaults: options by name, for what the text leaves out.

    Raises:
        ConfigError: an unknown name or option, a value that is not a whole number, or a name twice.
    """
    return [
        make(name, _checked(name, {**(defaults or {}).get(name, {}), **options}))
        for name, options in parse_terms(text)
    ]


#: Name of a correction, and the options that are given for it.
Term = tuple[str, dict[str, int]]


def parse_terms(text: str) -> list[Term]:
    """Return the names and the given options of corrections, in their order.

    Args:
        text: as for :func:`parse_corrections`.

    Raises:
        ConfigError: an unknown name or option, a value that is not a whole number, or a name twice.
    """
    parts = [part.strip() for part in text.split("+")] if text.strip() else []
    names = [part.partition(":")[0] for part in parts]
    for name in names:
        if name not in CORRECTIONS:
            raise ConfigError(
                f"correction '{name}' in '{text}'; allowed: {', '.join(CORRECTIONS)}."
                + close_matches(name, CORRECTIONS),
                code=Code.UNKNOWN_NAME,
                field="correction",
                value=name,
                allowed=tuple(CORRECTIONS),
            )
        if names.count(name) > 1:
            raise ConfigError(
                f"correction '{name}' is given twice in '{text}'",
                code=Code.GIVEN_TWICE,
                field="correction",
                value=name,
            )
    return [(name, _options(part)) for name, part in zip(names, parts, strict=True)]


def format_terms(terms: Iterable[Term]) -> str:
    """Return the text that :func:`parse_terms` reads as these terms.

    Args:
        terms: names with options.
    """
    given = [(name, ",".join(f"{k}={v}" for k, v in options.items())) for name, options in terms]
    return "+".join(f"{name}:{options}" if options else name for name, options in given)


def method_pattern() -> str:
    """Return the regular expression, of JSON Schema, of methods whose corrections are all known."""
    term = rf"(?:{'|'.join(CORRECTIONS)})(?::[^+]*)?"
    return rf"^\s*(?:{term}\s*(?:\+\s*{term}\s*)*)?$"


def _options(part: str) -> dict[str, int]:
    name, _, text = part.partition(":")
    known = tuple(options_of(CORRECTIONS[name]))
    options: dict[str, int] = {}
    for item in filter(None, text.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            key, value = (known[0] if known else ""), item
        if key not in known or not value.strip().isdecimal():
            allowed = ", ".join(f"{option}=NUMBER" for option in known) or "none"
            raise ConfigError(
                f"option '{item}' of correction '{name}'; allowed: {allowed}",
                code=Code.UNKNOWN_KEY,
                field=f"correction {name}",
                value=item,
                allowed=allowed,
            )
        options[key] = int(value)
    return options


def _checked(name: str, options: Mapping[str, int]) -> dict[str, int]:
    """Refuse to leave out what has no default."""
    for option in options_of(CORRECTIONS[name]).values():
        if option.is_required and option.name not in options:
            raise ConfigError(
                f"correction '{name}' needs {option.name}: write {name}:{option.name}=NUMBER",
                code=Code.MISSING_KEY,
                field=f"correction {name}",
                value=option.name,
            )
    return dict(options)
