"""Numbers of a device that no computation could use are refused where they are written."""

from __future__ import annotations

import pytest

from archsim.config.resolve import resolve
from archsim.config.schema.device import MAX_PULSES
from archsim.errors import ConfigError

LOTS = "device.sigma={value: lots, unit: 1, source: my own}"


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        (LOTS, "device.sigma.value = 'lots': not a finite number; allowed: a finite number"),
        ("device.sigma=.nan", "device.sigma.value = nan: not a finite number; allowed"),
        ("device.sigma=-.inf", "device.sigma.value = -inf: not a finite number; allowed"),
        ("device.sigma=true", "device.sigma.value = True: not a finite number; allowed"),
        ("device.sigma=[0.1, lots]", "device.sigma.value: 'lots': not a finite number; allowed"),
        ("device.write_verify.tolerance=0", "device.write_verify.tolerance: 0: no cell"),
        ("device.write_verify.max_pulses=2.5", "device.write_verify.max_pulses: 2.5; allowed: a w"),
        (
            f"device.write_verify.max_pulses={MAX_PULSES + 1}",
            "device.write_verify.max_pulses: 10001; allowed: a whole number from 1 to 10000",
        ),
        ("device.write_verify.max_pulses=1.0e+12", "device.write_verify.max_pulses: 1e+12; allow"),
    ],
)
def test_refused_in_one_line(setting: str, start: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(overrides=[setting])
    message = str(refused.value)
    assert message.startswith(start)
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
