"""Units as people read them."""

from __future__ import annotations

import re

_LETTERS = re.compile(r"\bu(?=[JsmWAVFS])")


def unit_text(unit: str) -> str:
    """Return a unit as it is printed: ``mm2`` is mm², ``uJ us`` is µJ·µs.

    Args:
        unit: as in keys of ``archsim.units``, or with spaces.
    """
    text = _LETTERS.sub("µ", unit.replace("*", " ")).replace("m2", "m²")
    return text.replace("µJ µs", "µJ·µs")
