"""Every number of a configuration has a smallest and a largest value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from unittest.mock import ANY

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
        resolve(overrides=[setting], device="rram-neurosim")


def whole_numbers(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, int]]:
    for key, value in node.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and "unit" not in value:
            yield from whole_numbers(value, here)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield here, value


@pytest.mark.parametrize("chip", ["rram-22nm", "rram-22nm-neurosim"])
def test_whole_numbers_are_no_flags_fractions_or_texts(chip: str) -> None:
    found = dict(whole_numbers(resolve(chip=chip).model_dump(mode="json")))
    assert {"chip.adc.bits", "chip.crossbar.mux_ratio", "tsb.channels"} <= found.keys()
    for path, value in found.items():
        for text in ("true", f"{value}.0", f"'{value}'"):
            with refused(ConfigError, code="wrong-type", field=path, value=ANY):
                resolve(chip=chip, overrides=[f"{path}={text}"])


@pytest.mark.parametrize(
    ("text", "code"), [("true", "wrong-type"), ("x", "wrong-type"), (".nan", "not-finite")]
)
def test_constants_are_finite_numbers(text: str, code: str) -> None:
    constants = resolve().model_dump(mode="json")["technology"]
    paths = [f"technology.{k}" for k, v in constants.items() if isinstance(v, dict) and "unit" in v]
    assert len(paths) > 10
    for path in ("device.r_on", *paths):
        with refused(ConfigError, code=code, field=f"{path}.value", value=ANY):
            resolve(overrides=[f"{path}={text}"])
