"""A write policy: which weights are write-verified, and what is to be said of it.

An entry is one final class in one file, listed in :mod:`tsb.write_verify.policy.registry`. Schema,
study, command line, tables and the cost half take from the class what they need. The command line
reads the registry for its help, so that no entry imports anything heavy outside of its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from archsim.config.choices import PRICED_GRANULARITIES
from archsim.config.load import Setting
from archsim.config.priced_policies import FRACTION
from archsim.errors import Code, ConfigError
from archsim.util.checks import number, whole_number
from tsb.write_verify.granularity import check_granularity
from tsb.write_verify.policy.context import WriteContext

if TYPE_CHECKING:
    import torch

#: What every entry declares; beside these it has ``masks`` or ``score``, ``words`` and ``price``.
DECLARED = ("name", "description", "source", "takes", "needs_data")


@dataclass(frozen=True)
class WritePolicy(ABC):
    """Which weights are write-verified.

    Attributes:
        name: what the user writes.
        description: one line on what is verified.
        source: publication of the policy; None where it is nobody's invention.
        takes: fields of :class:`Choice` that it reads, the one it cannot do without first.
        needs_data: whether it needs a trained network and training images.
        by_score: whether it takes the best part of all weights, by a score.
        needs_block: whether it needs a shared block among the weights. A study has none among
            them: there the block is a correction, with ``verify``.
        verifies: whether it verifies anything; shared blocks are verified under every policy that
            does.
        drawn_per_chip: whether the curve draws its order anew for every chip.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str | None]
    takes: ClassVar[tuple[str, ...]]
    needs_data: ClassVar[bool]
    by_score: ClassVar[bool] = False
    needs_block: ClassVar[bool] = False
    verifies: ClassVar[bool] = True
    drawn_per_chip: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse an entry that leaves something out.

        Raises:
            TypeError: names what is missing.
        """
        missing = [key for key in DECLARED if not hasattr(self, key)]
        if missing:
            raise TypeError(f"write policy {type(self).__name__} declares no {', '.join(missing)}")

    @abstractmethod
    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Return True where a weight of the backbone is verified, by name; or where a cell is.

        Args:
            context: the weights, and what is known of them.
            choice: how much.

        Raises:
            ConfigError: something is missing, or out of range.
        """

    @abstractmethod
    def words(self, choice: Choice) -> str:
        """Say what is verified, in a few words for people.

        Args:
            choice: how much.
        """

    @abstractmethod
    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Return the settings of ``chip.programming`` under which the cost half prices it.

        Args:
            choice: how much.

        Raises:
            ConfigError: the cost half cannot price that.
        """


class ByScore(WritePolicy):
    """A fraction of all weights, the ones with the highest scores first."""

    by_score: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ("fraction", "granularity")

    @abstractmethod
    def score(self, context: WriteContext) -> dict[str, torch.Tensor]:
        """Return the importance of each weight, by name; higher is better.

        Args:
            context: the weights, and what is known of them.

        Raises:
            ConfigError: there are no data, and it needs some.
            NetworkError: a network that it cannot judge.
        """

    @final
    def masks(self, context: WriteContext, choice: Choice) -> dict[str, torch.Tensor]:
        """Return the best part of all weights: see :func:`verify_fraction`."""
        from tsb.write_verify.selective import verify_fraction

        return verify_fraction(
            self.score(context),
            choice.fraction,
            granularity=choice.granularity,
            tiling=context.tiling,
        )

    def words(self, choice: Choice) -> str:
        """Say how many, and by what."""
        return f"{100 * choice.fraction:g} % of the weights verified, chosen by {self.name}"

    def price(self, choice: Choice) -> tuple[Setting, ...]:
        """Return the fraction: the cost half knows no weights, and takes it of every layer."""
        settings = (
            Setting("chip.programming.policy", FRACTION.name),
            Setting("chip.programming.fraction", choice.fraction),
        )
        if choice.granularity not in PRICED_GRANULARITIES:
            raise ConfigError(
                f"granularity = '{choice.granularity}' has no price: chip.programming.granularity "
                f"is {' or '.join(PRICED_GRANULARITIES)}; allowed: one of these",
                code=Code.CONFLICT,
                field="granularity",
                value=choice.granularity,
                allowed=PRICED_GRANULARITIES,
            )
        if choice.granularity != PRICED_GRANULARITIES[0]:
            return (*settings, Setting("chip.programming.granularity", choice.granularity))
        return settings


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A policy, and how much it verifies.

    Attributes:
        policy: which cells are write-verified.
        fraction: of all weights, for the policies by score.
        last_layers: how many, for ``last-layers``.
        granularity: weight, row or subarray, for the policies by score.
    """

    policy: WritePolicy
    fraction: float = 0.1
    last_layers: int = 1
    granularity: str = "weight"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: a fraction outside 0 to 1, layers below 1, an unknown granularity, or
                groups for a policy that chooses none.
        """
        number("fraction", self.fraction, 0.0, 1.0)
        whole_number("last_layers (--last-layers)", self.last_layers, 1)
        check_granularity(self.granularity)
        if self.granularity != "weight" and "granularity" not in self.policy.takes:
            raise ConfigError(
                f"granularity = '{self.granularity}' with policy '{self.policy.name}', which "
                "chooses by no score; allowed: weight",
                code=Code.CONFLICT,
                field="granularity",
                value=self.granularity,
                allowed="weight",
            )

    def price(self) -> tuple[Setting, ...]:
        """Return the settings of ``chip.programming`` under which the cost half prices this.

        Raises:
            ConfigError: it cannot.
        """
        return self.policy.price(self)

    def words(self) -> str:
        """Say what is verified, in a few words for people."""
        return self.policy.words(self)
