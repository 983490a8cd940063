"""All write policies, in the order in which lists and tables have them.

To add one: its class in a file of its own here, and its line below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archsim.util.checks import one_of
from tsb.write_verify.policy.all_weights import AllWeights
from tsb.write_verify.policy.base import ByScore, Choice, WritePolicy
from tsb.write_verify.policy.context import WriteContext
from tsb.write_verify.policy.fisher import Fisher
from tsb.write_verify.policy.last_layers import LastLayersVerified
from tsb.write_verify.policy.magnitude import Magnitude
from tsb.write_verify.policy.none import NoWeights
from tsb.write_verify.policy.random_order import RandomOrder
from tsb.write_verify.policy.shared_block import SharedBlockOnly
from tsb.write_verify.policy.swim import Swim
from tsb.write_verify.policy.u_swim import USwim

if TYPE_CHECKING:
    import torch

_ENTRIES: tuple[WritePolicy, ...] = (
    NoWeights(),
    AllWeights(),
    SharedBlockOnly(),
    LastLayersVerified(),
    RandomOrder(),
    Magnitude(),
    Fisher(),
    Swim(),
    USwim(),
)


def policies() -> tuple[WritePolicy, ...]:
    """Return all policies."""
    return _ENTRIES


def policies_by_score() -> tuple[ByScore, ...]:
    """Return the policies that take the best part of all weights."""
    return tuple(policy for policy in policies() if isinstance(policy, ByScore))


def backbone_policies() -> tuple[WritePolicy, ...]:
    """Return the policies of a backbone alone: those that need no shared block."""
    return tuple(policy for policy in policies() if not policy.needs_block)


def names_of(chosen: tuple[WritePolicy, ...]) -> tuple[str, ...]:
    """Return the names of policies.

    Args:
        chosen: which.
    """
    return tuple(policy.name for policy in chosen)


def names_taking(field: str) -> tuple[str, ...]:
    """Return the names of the policies that read a field of a choice.

    Args:
        field: ``fraction``, ``granularity`` or ``last_layers``.
    """
    return names_of(tuple(policy for policy in policies() if field in policy.takes))


def policy_named(
    name: object, *, field: str = "policy", among: tuple[WritePolicy, ...] | None = None
) -> WritePolicy:
    """Return a policy by its name.

    Args:
        name: what was given.
        field: where it was given, for the message.
        among: the policies that are allowed there; None allows all.

    Raises:
        ConfigError: no such policy there; with the names and the nearest ones.
    """
    known = {policy.name: policy for policy in (policies() if among is None else among)}
    return known[one_of(field, name, tuple(known))]


def write_masks(choice: Choice, context: WriteContext) -> dict[str, torch.Tensor]:
    """Return True where a weight is write-verified, by name; or where a cell is (a last axis).

    Shared blocks are verified under every policy that verifies something.

    Args:
        choice: a policy, and how much.
        context: weights of backbone and shared blocks, and what is known of them.

    Raises:
        ConfigError: something is missing, or out of range.
        NetworkError: a network that the policy cannot judge.
    """
    from tsb.write_verify.selective import verify_all, verify_none

    backbone = choice.policy.masks(context, choice)
    verify = verify_all if choice.policy.verifies else verify_none
    return {**backbone, **verify(context.block)}
