"""Conversions at the border, and numbers as people read them.

Inside archsim everything is SI and the unit is part of the name (``latency_s``, ``energy_J``).
YAML keys and report labels use human units; this module is the only place that knows the factors.
"""

from __future__ import annotations

import math

#: Multiply a value in the named unit by this factor to get SI; prefixes as in BIPM (2019), table 7.
TO_SI: dict[str, float] = {
    "1": 1.0,
    "%": 0.01,
    "bit": 1.0,
    "ohm": 1.0,
    "kohm": 1e3,
    "S": 1.0,
    "uS": 1e-6,
    "V": 1.0,
    "mV": 1e-3,
    "m": 1.0,
    "mm": 1e-3,
    "um": 1e-6,
    "nm": 1e-9,
    "m2": 1.0,
    "mm2": 1e-6,
    "um2": 1e-12,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "ps": 1e-12,
    "J/bit": 1.0,
    "pJ/bit": 1e-12,
    "bit/s": 1.0,
    "Gbit/s": 1e9,
    "Hz": 1.0,
    "GHz": 1e9,
    "J": 1.0,
    "mJ": 1e-3,
    "uJ": 1e-6,
    "nJ": 1e-9,
    "pJ": 1e-12,
    "fJ": 1e-15,
    "W": 1.0,
    "mW": 1e-3,
    "uW": 1e-6,
    "A": 1.0,
    "uA": 1e-6,
    "C": 1.0,
    "fC": 1e-15,
    "A/m": 1.0,
    "F": 1.0,
    "fF": 1e-15,
    "aF": 1e-18,
    "F/m": 1.0,
    "F/m2": 1.0,
    "fF/um": 1e-9,
    "ohm*m": 1.0,
    "K": 1.0,
    "J*s": 1.0,
    "mJ*ms": 1e-6,
    "uJ*ms": 1e-9,
    "uJ*us": 1e-12,
    "nJ*us": 1e-15,
    "nJ*ns": 1e-18,
    "1/s": 1.0,
    "TOPS/W": 1e12,
    "TOPS/mm2": 1e18,
    "mW/mm2": 1e3,
}

#: Units of one dimension each, largest first.
DIMENSIONS: tuple[tuple[str, ...], ...] = (
    ("m2", "mm2", "um2"),
    ("m", "mm", "um", "nm"),
    ("s", "ms", "us", "ns", "ps"),
    ("J", "mJ", "uJ", "nJ", "pJ", "fJ"),
    ("J*s", "mJ*ms", "uJ*ms", "uJ*us", "nJ*us", "nJ*ns"),
    ("W", "mW", "uW"),
    ("V", "mV"),
    ("kohm", "ohm"),
    ("S", "uS"),
    ("F", "fF", "aF"),
    ("GHz", "Hz"),
    ("bit",),
    ("J/bit", "pJ/bit"),
    ("Gbit/s", "bit/s"),
    ("K",),
    ("1/s",),
)
#: What a name ends in, and its unit: ``edp_uJ_us`` is in ``uJ*us``, ``rate_per_s`` in ``1/s``.
NAME_UNITS: dict[str, str] = {
    unit.replace("1/", "per_").replace("/", "_per_").replace("J*s", "Js").replace("*", "_"): unit
    for units in DIMENSIONS
    for unit in units
}

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}


def to_si(value: float, unit: str) -> float:
    """Convert ``value`` in ``unit`` (a key of :data:`TO_SI`) to SI."""
    return value * TO_SI[unit]


def from_si(value: float, unit: str) -> float:
    """Convert an SI ``value`` to ``unit`` (a key of :data:`TO_SI`)."""
    return value / TO_SI[unit]


def exact(value: float) -> str:
    """Write a number so that no two numbers look alike: short where that is exact.

    ``0.1``, ``0`` and ``1e-07``, but ``0.1234561`` in full.
    """
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def engineering(value: float, unit: str = "", digits: int = 4) -> str:
    """Format an SI value with an engineering prefix: ``engineering(1.3e-5, 's') == '13 us'``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}".strip()
    exponent = min(max(3 * math.floor(math.log10(abs(value)) / 3), -15), 12)
    return f"{value / 10.0**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}".strip()


def short_number(value: float, digits: int = 4) -> str:
    """Format a number without exponent: ``"128"``, ``"62.7 k"``; beyond the prefixes, with one."""
    size = abs(value)
    if value == 0 or 1e-2 <= size < 1e4:
        return f"{value:.{digits}g}" if size < 10**digits else f"{value:.0f}"
    return engineering(value, digits=digits) if 1e-15 <= size < 1e15 else f"{value:.{digits}g}"
