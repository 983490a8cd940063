"""A number with its unit as people write it: ``1us``, ``5 %``, ``40 uS``."""

from __future__ import annotations

import re

from archsim.units import TO_SI

_TEXT = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z%/µμΩ][\w%/µμΩ]*)\s*")
#: Other ways to write a unit.
_SPELLINGS = {"µ": "u", "μ": "u", "Ω": "ohm"}
#: Units whose value is one over a value in the other: a conductance says a resistance.
_RECIPROCAL = {"S": "ohm", "uS": "ohm", "ohm": "S", "kohm": "S"}


def number_and_unit(text: object) -> tuple[float, str] | None:
    """Return the number and the unit in a text such as ``1us``; None where it is not that."""
    match = _TEXT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    unit = match[2]
    for written, plain in _SPELLINGS.items():
        unit = unit.replace(written, plain)
    return (float(match[1]), unit) if unit in TO_SI else None


def in_family(value: float, unit: str, allowed: tuple[str, ...]) -> tuple[float, str]:
    """Return a value in a unit that is allowed, where the given one says the same in another way.

    Args:
        value: number in ``unit``.
        unit: as written.
        allowed: units of the key.
    """
    other = _RECIPROCAL.get(unit)
    if unit in allowed or other not in allowed or value == 0:
        return value, unit
    return 1.0 / (value * TO_SI[unit]), str(other)
