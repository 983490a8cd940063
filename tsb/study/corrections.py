"""The corrections of a study's methods."""

from __future__ import annotations

from archsim.config.study import Method, Study
from tsb.correction import Correction, parse_corrections


def corrections_of(study: Study, method: Method) -> list[Correction]:
    """Return a method's corrections in their order, not yet attached.

    Args:
        study: which; its block is the default of the correction ``tsb``.
        method: one of its methods.

    Raises:
        ConfigError: an unknown correction or option.
    """
    return parse_corrections(method.corrections, {"tsb": study.tsb.options()})
