"""Write policies in one word, as ``archsim deploy --write`` takes them: ``last-layers:2``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archsim.errors import Code, ConfigError, close_matches
from tsb.write_verify.policy.base import Choice, WritePolicy
from tsb.write_verify.policy.registry import backbone_policies

#: What follows the colon, by the field of a choice that it is: how it is shown, and its type.
_NUMBERS: dict[str, tuple[str, type[int] | type[float]]] = {
    "last_layers": ("N", int),
    "fraction": ("FRACTION", float),
}


def policies_in_a_word() -> dict[str, WritePolicy]:
    """Return the policies that need neither data nor a shared block, by how they are written.

    For example ``none`` and ``last-layers:N``.
    """
    return {
        ":".join([policy.name, *(_NUMBERS[key][0] for key in policy.takes[:1])]): policy
        for policy in backbone_policies()
        if not policy.needs_data
    }


def parse_choice(text: str, *, field: str) -> Choice:
    """Read ``NAME`` or ``NAME:NUMBER``.

    Args:
        text: what was given.
        field: where it was given, for the message.

    Raises:
        ConfigError: no such policy, a number too few or too many, or one out of range.
    """
    name, colon, number = text.partition(":")
    known = {policy.name: policy for policy in policies_in_a_word().values()}
    refused = ConfigError(
        f"{field} = '{text}'; allowed: {', '.join(policies_in_a_word())}."
        + close_matches(name, known),
        code=Code.UNKNOWN_NAME,
        field=field,
        value=text,
        allowed=tuple(policies_in_a_word()),
    )
    if name not in known or bool(known[name].takes) != bool(colon):
        raise refused
    choice = Choice(policy=known[name])
    if not choice.policy.takes:
        return choice
    key = choice.policy.takes[0]
    try:
        value: Any = _NUMBERS[key][1](number)
    except ValueError:
        raise refused from None
    try:
        return replace(choice, **{key: value})
    except ConfigError as error:
        raise ConfigError.retold(error, f"{field} = '{text}': {error}") from error
