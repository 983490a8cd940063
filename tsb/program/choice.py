"""Who is write-verified: the policies of ``archsim program`` and what each of them takes."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.errors import ConfigError
from archsim.util.checks import number, one_of, whole_number
from tsb.write_verify.selective import GRANULARITIES

#: Policies that take a fraction of the weights by score; the last three need data.
SCORED = ("magnitude", "random", "swim", "u-swim", "fisher")
NEED_DATA = ("swim", "u-swim", "fisher")
POLICIES = ("none", "all", "tsb", "last-layers", *SCORED)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who is write-verified.

    Attributes:
        policy: one of :data:`POLICIES`.
        fraction: of all weights, for the policies by score.
        last_layers: how many, for ``last-layers``.
        granularity: weight, row or subarray, for the policies by score.
    """

    policy: str = "none"
    fraction: float = 0.1
    last_layers: int = 1
    granularity: str = "weight"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ConfigError: an unknown policy or granularity, a fraction outside 0 to 1, layers below
                1, or groups for a policy that chooses none.
        """
        one_of("policy", self.policy, POLICIES)
        number("fraction", self.fraction, 0.0, 1.0)
        whole_number("last_layers (--last-layers)", self.last_layers, 1)
        one_of("granularity", self.granularity, GRANULARITIES)
        if self.granularity != "weight" and self.policy not in SCORED:
            raise ConfigError(
                f"granularity = '{self.granularity}' with policy '{self.policy}', which chooses by "
                f"no score; policies with a granularity: {', '.join(SCORED)}"
            )

    def check_layers(self, network: str, layers: int) -> None:
        """Check the number of last layers against a network's.

        Args:
            network: its name.
            layers: how many it has.

        Raises:
            ConfigError: more than that.
        """
        if self.policy == "last-layers" and self.last_layers > layers:
            raise ConfigError(
                f"--last-layers {self.last_layers}: network '{network}' has {layers} layers with "
                f"weights; allowed: 1 to {layers}"
            )
