"""Unit: checks of single arguments tell field, value and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from archsim.errors import ConfigError
from archsim.util.checks import (
    MAX_SEED,
    last_seed_of,
    number,
    one_of,
    seed_of,
    switch,
    whole_number,
)
from tests.refusals import refused


@pytest.mark.parametrize(
    ("check", "value", "code", "allowed"),
    [
        (lambda v: whole_number("x", v, 1, 3), 0, "out-of-range", "1 to 3"),
        (lambda v: whole_number("x", v, 1, 3), 4, "out-of-range", "1 to 3"),
        (lambda v: whole_number("x", v, 1), 0, "out-of-range", "1 or more"),
        (lambda v: whole_number("x", v, 1, 3), 2.0, "wrong-type", "a whole number"),
        (lambda v: whole_number("x", v, 1, 3), True, "wrong-type", "a whole number"),
        (lambda v: whole_number("x", v, 1, 3), "2", "wrong-type", "a whole number"),
        (lambda v: number("x", v, 0, 1), 1.5, "out-of-range", "0 to 1"),
        (lambda v: number("x", v, 0, 1), -0.1, "out-of-range", "0 to 1"),
        (lambda v: number("x", v, 0), math.inf, "not-finite", "0 or more, finite"),
        (lambda v: number("x", v, 0, 1), math.nan, "not-finite", "0 to 1"),
        (lambda v: number("x", v, 0, 1), False, "wrong-type", "0 to 1"),
        (lambda v: number("x", v, 0, 1), "0.5", "wrong-type", "0 to 1"),
        (lambda v: switch("x", v), 1, "wrong-type", "True or False"),
        (lambda v: switch("x", v), "true", "wrong-type", "True or False"),
    ],
)
def test_refused_values(
    check: Callable[[Any], Any], value: object, code: str, allowed: str
) -> None:
    with refused(ConfigError, code=code, field="x", value=value, allowed=allowed):
        check(value)


def test_names_of_a_list() -> None:
    assert one_of("x", "sar", ["sar", "flash"]) == "sar"
    facts: dict[str, Any] = {"code": "unknown-name", "field": "x", "allowed": ["sar", "flash"]}
    with refused(ConfigError, **facts, value="sra", nearest="sar"):
        one_of("x", "sra", ["sar", "flash"])
    with refused(ConfigError, **facts, value=3):
        one_of("x", 3, ["sar", "flash"])


def test_allowed_values_come_back_as_plain_ones() -> None:
    assert type(whole_number("x", np.int64(2), 1, 3)) is int
    assert type(number("x", np.float64(0.5), 0, 1)) is float
    assert switch("x", False) is False


def test_seeds() -> None:
    assert last_seed_of(MAX_SEED - 2, 3, what="chips") == MAX_SEED
    with refused(
        ConfigError,
        code="out-of-range",
        field="seed",
        value=MAX_SEED - 1,
        allowed=f"up to {MAX_SEED}",
        says=[str(MAX_SEED + 1)],
    ):
        last_seed_of(MAX_SEED - 1, 3, what="chips")
    with refused(ConfigError, code="out-of-range", field="seed", value=-1):
        seed_of(-1)
