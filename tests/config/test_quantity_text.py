"""Numbers with units, as settings and in files."""

from __future__ import annotations

import pytest

from archsim.config.quantity_text import in_family, number_and_unit
from archsim.config.resolve import resolve
from archsim.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1us", (1.0, "us")),
        ("5 %", (5.0, "%")),
        ("1.5e-3 V", (1.5e-3, "V")),
        ("40 µS", (40.0, "uS")),
        ("6 kΩ", (6.0, "kohm")),
        ("1e3", None),
        ("us", None),
        ("1 furlong", None),
        (5, None),
    ],
)
def test_number_and_unit(text: object, expected: tuple[float, str] | None) -> None:
    assert number_and_unit(text) == expected


def test_conductance_says_a_resistance() -> None:
    assert in_family(40.0, "uS", ("ohm", "kohm")) == (pytest.approx(25_000.0), "ohm")
    assert in_family(40.0, "V", ("ohm", "kohm")) == (40.0, "V")
    assert in_family(0.0, "uS", ("ohm", "kohm")) == (0.0, "uS")


@pytest.mark.parametrize(
    ("setting", "key", "si"),
    [
        ("device.pulse_width=1us", "pulse_width", 1e-6),
        ("device.r_on=40uS", "r_on", 25_000.0),
        ("device.sigma=5 %", "sigma", 0.05),
        ("device.r_on=25", "r_on", 25_000.0),
    ],
)
def test_settings_with_units(setting: str, key: str, si: float) -> None:
    quantity = getattr(resolve(overrides=[setting]).device, key)
    assert quantity.si == pytest.approx(si, rel=1e-12)
    assert quantity.source == f"user override {setting}"


@pytest.mark.parametrize("setting", ["device.sigma=5V", "device.sigma=4bit", "device.r_on=1us"])
def test_unit_of_another_quantity_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"unit '\w+' does not fit; allowed:"):
        resolve(overrides=[setting])
