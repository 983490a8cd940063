"""All compensations of drift: the one place that lists them."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.config.choices import COMPENSATIONS
from archsim.util.checks import one_of
from tsb.program.compensation.base import Compensation
from tsb.program.compensation.column import PerColumn
from tsb.program.compensation.layer import PerLayer

NONE = "none"
REGISTRY: Mapping[str, Compensation] = {each.name: each for each in (PerLayer(), PerColumn())}


def compensation_named(name: str, *, field: str = "compensation") -> Compensation | None:
    """Return a compensation; None for ``none``.

    Args:
        name: one of :data:`archsim.config.choices.COMPENSATIONS`.
        field: what to call it in an error.

    Raises:
        ConfigError: an unknown name.
    """
    one_of(field, name, COMPENSATIONS)
    return None if name == NONE else REGISTRY[name]
