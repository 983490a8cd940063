"""Units: every factor from its parts, and numbers as people read them."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from archsim.units import (
    DIMENSIONS,
    NAME_UNITS,
    TO_SI,
    engineering,
    exact,
    from_si,
    short_number,
    to_si,
)

PREFIXES = {"": 0, "k": 3, "G": 9, "T": 12, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18}
BASES = {"1", "bit", "ohm", "S", "V", "m", "s", "Hz", "J", "W", "A", "C", "F", "K", "OPS"}
#: A prefix, a base, and a power, which counts for both.
PART = re.compile(rf"({'|'.join(PREFIXES)})({'|'.join(BASES)})(2?)")


def exponent(part: str) -> int:
    """Power of ten of one unit without products."""
    found = PART.fullmatch(part)
    assert found is not None, part
    prefix, _, power = found.groups()
    return PREFIXES[prefix] * (2 if power else 1)


@pytest.mark.parametrize("unit", [unit for unit in TO_SI if unit != "%"])
def test_a_unit_is_the_product_of_its_parts(unit: str) -> None:
    above, *below = unit.split("/")
    assert len(below) <= 1
    power = sum(map(exponent, above.split("*"))) - sum(map(exponent, below))
    assert TO_SI[unit] == float(f"1e{power}")


def test_products_by_hand() -> None:
    """Some of them written out."""
    assert TO_SI["mJ*ms"] == 1e-3 * 1e-3
    assert TO_SI["%"] == 0.01
    assert TO_SI["uJ*us"] == 1e-12
    assert TO_SI["fF/um"] == 1e-9
    assert TO_SI["TOPS/W"] == 1e12
    assert to_si(3.0, "uJ*ms") == pytest.approx(3e-9, rel=1e-12, abs=0)
    assert from_si(3e-9, "uJ*ms") == pytest.approx(3.0, rel=1e-12, abs=0)
    assert from_si(2e-12, "mm2") == pytest.approx(2e-6, rel=1e-12, abs=0)


def test_units_of_a_dimension_are_largest_first() -> None:
    for units in DIMENSIONS:
        for larger, smaller in itertools.pairwise(units):
            assert TO_SI[larger] > TO_SI[smaller], units


def test_names_of_columns_end_in_their_units() -> None:
    assert NAME_UNITS["Js"] == "J*s"
    assert NAME_UNITS["uJ_us"] == "uJ*us"
    assert NAME_UNITS["per_s"] == "1/s"
    assert NAME_UNITS["pJ_per_bit"] == "pJ/bit"
    assert sorted(NAME_UNITS.values()) == sorted(unit for units in DIMENSIONS for unit in units)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 s"),
        (1.3e-5, "13 us"),
        (-1.3e-5, "-13 us"),
        (1.0, "1 s"),
        (999.4, "999.4 s"),
        (1e3, "1 ks"),
        (4.2e-17, "0.042 fs"),
        (5e15, "5000 Ts"),
        (math.inf, "inf s"),
        (123456.0, "123.5 ks"),
    ],
)
def test_engineering(value: float, shown: str) -> None:
    assert engineering(value, "s") == shown
    assert engineering(value) == shown.removesuffix("s").strip()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (128.0, "128"),
        (62_700.0, "62.7 k"),
        (9999.4, "9999"),
        (1e4, "10 k"),
        (0.01, "0.01"),
        (0.0099, "9.9 m"),
        (1e15, "1e+15"),
        (9e-16, "9e-16"),
        (-62_700.0, "-62.7 k"),
    ],
)
def test_short_numbers(value: float, shown: str) -> None:
    assert short_number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1, "0.1"), (0.0, "0"), (1e-7, "1e-07"), (0.1234561, "0.1234561")]
)
def test_exact_numbers(value: float, shown: str) -> None:
    assert exact(value) == shown
