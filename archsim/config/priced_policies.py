"""Write policies as the cost engine prices them: which share of each layer's cells is verified.

A policy of the accuracy half (``archsim list policies``) says by which of these it is priced. The
engine knows no weights: what a policy by score chooses is a ``fraction`` to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

#: In the order of the codes of a design batch.
PolicyName = Literal["none", "tsb", "all", "last-layers", "fraction"]
POLICIES: tuple[str, ...] = get_args(PolicyName)


class Amounts(Protocol):
    """What ``chip.programming`` says of how much is verified."""

    @property
    def last_layers(self) -> int:
        """For ``last-layers``."""

    @property
    def fraction(self) -> float:
        """For ``fraction``."""

    @property
    def granularity(self) -> str:
        """For ``fraction``."""


@dataclass(frozen=True, kw_only=True)
class PricedPolicy:
    """One of them.

    Attributes:
        name: value of ``chip.programming.policy``.
        takes: keys of ``chip.programming`` that are its own.
        verifies: whether it verifies anything; shared blocks are verified under all that do.
        in_study: write policy of the backbone in a study that verifies the same cells, if the
            block's are verified as well; None where no study has it.
        needs_block: whether it verifies nothing without a shared block.
        amount: says in a few words how much, "" where the name says it.
        sentence: says what is verified, for designs with and without a block.
    """

    name: PolicyName
    takes: tuple[str, ...] = ()
    verifies: bool = True
    in_study: str | None = None
    needs_block: bool = False
    amount: Callable[[Amounts], str] = lambda _: ""
    sentence: Callable[[Amounts, bool], str]

    @property
    def code(self) -> int:
        """What a design batch holds for it."""
        return POLICIES.index(self.name)


def _last_layers(amounts: Amounts, has_block: bool) -> str:
    count = amounts.last_layers
    layers = "layer" if count == 1 else f"{count} layers"
    return f"write-verified: the last {layers}{_and_block(has_block)}"


def _fraction(amounts: Amounts, has_block: bool) -> str:
    chosen = "whole rows" if amounts.granularity == "row" else "single weights"
    share = f"{100 * amounts.fraction:.3g} % of every layer ({chosen})"
    return f"{share}{_and_block(has_block)} are write-verified"


def _and_block(has_block: bool) -> str:
    return " and the TSB's cells" if has_block else ""


NOTHING = PricedPolicy(
    name="none",
    verifies=False,
    in_study="none",
    sentence=lambda _, __: "no cell is write-verified",
)
SHARED_BLOCK = PricedPolicy(
    name="tsb",
    in_study="none",
    needs_block=True,
    sentence=lambda _, has_block: (
        "only the TSB's cells are write-verified" + ("" if has_block else ", and there are none")
    ),
)
EVERYTHING = PricedPolicy(
    name="all", in_study="all", sentence=lambda _, __: "every cell is write-verified"
)
LAST_LAYERS = PricedPolicy(
    name="last-layers",
    takes=("last_layers",),
    amount=lambda amounts: f"the last {amounts.last_layers}",
    sentence=_last_layers,
)
FRACTION = PricedPolicy(
    name="fraction",
    takes=("fraction", "granularity"),
    amount=lambda amounts: (
        f"{100 * amounts.fraction:.3g} % of every layer by {amounts.granularity}"
    ),
    sentence=_fraction,
)

#: All of them, in the order of :data:`POLICIES`.
PRICED_POLICIES = (NOTHING, SHARED_BLOCK, EVERYTHING, LAST_LAYERS, FRACTION)


def priced_policy(name: str) -> PricedPolicy:
    """Return a policy by its name.

    Args:
        name: one of :data:`POLICIES`.
    """
    return PRICED_POLICIES[POLICIES.index(name)]
