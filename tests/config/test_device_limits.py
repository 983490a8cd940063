"""Numbers of a device that no computation could use are refused where they are written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from archsim.config.resolve import resolve
from archsim.config.schema.device import MAX_PULSES
from archsim.errors import ConfigError
from tests.refusals import refused

LOTS = "device.sigma={value: lots, unit: 1, source: my own}"


SIGMA, VERIFY = "device.sigma.value", "device.write_verify"


@pytest.mark.parametrize(
    ("setting", "code", "field", "value", "allowed"),
    [
        (LOTS, "wrong-type", SIGMA, "lots", "finite number"),
        ("device.sigma=.nan", "not-finite", SIGMA, math.nan, "finite number"),
        ("device.sigma=-.inf", "not-finite", SIGMA, -math.inf, "finite number"),
        ("device.sigma=true", "wrong-type", SIGMA, True, "finite number"),
        ("device.sigma=[0.1, lots]", "wrong-type", SIGMA, "lots", "finite number"),
        (f"{VERIFY}.tolerance=0", "out-of-range", f"{VERIFY}.tolerance", 0, "above 0"),
        (f"{VERIFY}.max_pulses=2.5", "out-of-range", f"{VERIFY}.max_pulses", 2.5, "1 to 10000"),
        (
            f"{VERIFY}.max_pulses={MAX_PULSES + 1}",
            "out-of-range",
            f"{VERIFY}.max_pulses",
            MAX_PULSES + 1,
            f"1 to {MAX_PULSES}",
        ),
        (
            f"{VERIFY}.max_pulses=1.0e+12",
            "out-of-range",
            f"{VERIFY}.max_pulses",
            1e12,
            "1 to 10000",
        ),
    ],
)
def test_refused_in_one_line(
    setting: str, code: str, field: str, value: object, allowed: str
) -> None:
    facts: dict[str, Any] = {"code": code, "field": field, "value": value, "allowed": allowed}
    with refused(ConfigError, **facts, says=[field]) as caught:
        resolve(overrides=[setting])
    message = str(caught.value)
    assert "\n" not in message
    assert "float" not in message


@pytest.mark.parametrize("text", ["0.2", "1e-3", "2.0e-1"])
def test_numbers_are_read_however_they_are_written(text: str) -> None:
    """YAML takes ``1e-3`` for text."""
    assert resolve(overrides=[f"device.sigma={text}"]).device.sigma.si == float(text)


def test_the_largest_pulse_limit_is_allowed() -> None:
    limit = resolve(overrides=[f"device.write_verify.max_pulses={MAX_PULSES}"]).device.write_verify
    assert limit is not None
    assert limit.max_pulses.si == MAX_PULSES
