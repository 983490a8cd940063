"""What is verified together; read by the command line too, so nothing heavy is imported here."""

from __future__ import annotations

from archsim.config.choices import GRANULARITIES
from archsim.util.checks import one_of


def check_granularity(granularity: str) -> str:
    """Return a granularity.

    Args:
        granularity: one of :data:`GRANULARITIES`.

    Raises:
        ConfigError: an unknown one.
    """
    return one_of("granularity", granularity, GRANULARITIES)
