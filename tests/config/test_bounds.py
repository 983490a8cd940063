"""Every number of a configuration has a smallest and a largest value."""

from __future__ import annotations

import math

import pytest

from archsim.config.lookup import schema_fields
from archsim.config.resolve import Resolved, resolve
from archsim.errors import ConfigError
from tests.cost.any_configuration import bounds
from tests.refusals import refused

MAX_POWER = "chip.programming.max_power={value: 1.0e+9, unit: W, source: my own}"
NUMBERS = [
    path for path, field in schema_fields(Resolved).items() if field.kind in ("constant", "number")
]


@pytest.mark.parametrize("path", NUMBERS)
def test_every_number_is_bounded_on_both_sides(path: str) -> None:
    low, high = bounds(path)
    assert -math.inf < low < high < math.inf


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("chip.buffers.global_core=1e30", "chip.buffers.global_core", 1e30),
        (MAX_POWER, "chip.programming.max_power", 1e9),
        ("chip.hierarchy.copies=100000000", "chip.hierarchy.copies", 100_000_000),
        ("device.write_energy=1e9", "device.write_energy", 1e9),
        ("device.max_bits_per_cell=9", "device.max_bits_per_cell", 9),
    ],
)
def test_more_than_there_can_be_is_refused(setting: str, field: str, value: float) -> None:
    with refused(ConfigError, code="out-of-range", field=field, value=value):
        resolve(overrides=[setting])
