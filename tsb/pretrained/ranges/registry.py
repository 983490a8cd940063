"""All range rules: the one place that lists them."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.errors import Code, ConfigError
from archsim.util.checks import one_of
from tsb.pretrained.ranges.base import RangeRule
from tsb.pretrained.ranges.histogram import Histogram
from tsb.pretrained.ranges.largest import Largest
from tsb.pretrained.ranges.percentile import Percentile
from tsb.pretrained.ranges.squared_error import SquaredError

RANGE_RULES: Mapping[str, RangeRule] = {
    rule.name: rule for rule in (Largest(), Percentile(), SquaredError(), Histogram())
}


def range_rule(name: str, percentile: int | float | None = None) -> RangeRule:
    """Return a range rule.

    Args:
        name: one of :data:`RANGE_RULES`.
        percentile: of the rule of that name; None for its usual one.

    Raises:
        ConfigError: an unknown name, or a percentile of another rule.
    """
    one_of("ranges (--ranges)", name, tuple(RANGE_RULES))
    if percentile is None:
        return RANGE_RULES[name]
    if name != Percentile.name:
        raise ConfigError.of(
            Code.CONFLICT,
            "percentile (--percentile)",
            percentile,
            problem=f"the rule is '{name}'",
            allowed="with --ranges percentile",
        )
    return Percentile(percentile)
