"""Constraints: what they mean, and that no text gives anything but an answer or a clear error."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsim.errors import ConfigError
from archsim.explore.space.constraint import parse_constraint, satisfied, unknown
from tests.refusals import refused


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "design": ["none", "common", "separate", None],
            "chip.crossbar.rows": [64, 128, 256, 512],
            "chip.timing.pipeline": [True, False, True, False],
            "chip.adc.mode": ["auto", 8, 8, True],
            "maybe": [True, None, False, True],
            "note": ["two words", "x", "y", "4"],
            "area_m2": [1e-5, 5e-5, 6e-5, np.nan],
            "edp_Js": [1e-8, 2e-8, 3e-8, 4e-8],
            "accuracy_mean": [0.96, 0.98, np.nan, 0.99],
            "write_pulses": [1e6, 2e6, 3e6, 4e6],
        }
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("area_m2 < 5.5e-5", "yynn"),
        ("area_mm2<55", "yynn"),
        ("area < 55 mm2", "yynn"),
        ("area<55mm2", "yynn"),
        ("area_mm2 < 0.055 mm2", "nnnn"),
        ("area_um2 >= 2e7", "nyyn"),
        ("area > 0", "yyyn"),
        ("area != 1 m2", "yyyn"),  # what is NaN meets nothing
        ("edp <= 2.5e4 uJ us", "yynn"),
        ("edp <= 2.5e4 uJ*us", "yynn"),
        ("edp_uJ_us > 2.5e4", "nnyy"),
        ("accuracy_mean > 0.97", "nyny"),
        ("accuracy > 97 %", "nyny"),
        ("accuracy > 97%", "nyny"),
        ("rows == 128", "nynn"),
        ("rows != 128", "ynyy"),
        ("chip.crossbar.rows >= 2.56e2", "nnyy"),
        ("rows > -1", "yyyy"),
        ("write_pulses <= 2e6", "yynn"),
        ("design == common", "nynn"),
        ("design != common", "ynyn"),
        ("design == 'common'", "nynn"),
        ('note == "two words"', "ynnn"),
        ("note == 4", "nnny"),
        ("chip.adc.mode == 8", "nyyn"),
        ("chip.adc.mode == auto", "ynnn"),
        ("pipeline == true", "ynyn"),
        ("pipeline != true", "nyny"),
        ("maybe == true", "ynny"),
        ("maybe != true", "nnyn"),
    ],
)
def test_meaning(frame, text, expected):
    found = satisfied(frame, parse_constraint(text))
    assert found.dtype == bool
    assert "".join("y" if each else "n" for each in found) == expected


@pytest.mark.parametrize("dtype", ["bool[pyarrow]", "boolean"])
def test_other_kinds_of_columns(dtype):
    frame = pd.DataFrame(
        {
            "flag": pd.array([True, False, None], dtype=dtype),
            "name": pd.Categorical(["a", "b", None]),
            "count": pd.array([1, 2, None], dtype="Int32"),
        }
    )
    for text in ("flag == true", "name == a", "count == 1"):
        assert satisfied(frame, parse_constraint(text)).tolist() == [True, False, False]
        assert unknown(frame, parse_constraint(text)).tolist() == [False, False, True]
    for text in ("flag != true", "name != a", "count != 1"):
        assert satisfied(frame, parse_constraint(text)).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "code", "field", "facts"),
    [
        ("aera < 5", "unknown-name", "column", {"value": "aera", "nearest": "area"}),
        ("area < 50", "missing-key", "constraint", {"value": "area < 50", "allowed": ["m2"]}),
        ("area_m2 < 5 us", "unknown-name", "constraint", {"value": "us", "allowed": ["m2"]}),
        (
            "area_m2 < common",
            "wrong-type",
            "constraint",
            {"value": "area_m2 < common", "allowed": "a number"},
        ),
        (
            "area_m2 < true",
            "wrong-type",
            "constraint",
            {"value": "area_m2 < true", "allowed": "a number"},
        ),
        ("area_m2 < 5 %", "unknown-name", "constraint", {"value": "%", "allowed": ["m2"]}),
        ("rows < 5 mm2", "unknown-name", "constraint", {"value": "mm2", "allowed": ["%"]}),
        (
            "design < common",
            "wrong-type",
            "constraint",
            {"value": "design < common", "allowed": ["=="]},
        ),
        (
            "pipeline < true",
            "wrong-type",
            "constraint",
            {"value": "pipeline < true", "allowed": ["=="]},
        ),
        (
            "pipeline == 1",
            "wrong-type",
            "constraint",
            {"value": "pipeline == 1", "allowed": "true or false"},
        ),
        ("area = 5", "wrong-form", "constraint", {"value": "area = 5", "allowed": "=="}),
        ("50 > area_mm2", "wrong-form", "constraint", {"value": "50 > area_mm2", "allowed": "=="}),
        (
            "1 < area_mm2 < 2",
            "wrong-form",
            "constraint",
            {"value": "1 < area_mm2 < 2", "allowed": "=="},
        ),
        (
            "area_mm2 < 1 < 2",
            "wrong-form",
            "constraint",
            {"value": "area_mm2 < 1 < 2", "allowed": "true"},
        ),
        (
            "area_mm2 < 1 and rows > 2",
            "wrong-form",
            "constraint",
            {"value": "area_mm2 < 1 and rows > 2", "allowed": "true"},
        ),
        ("area_mm2 <", "wrong-form", "constraint", {"value": "area_mm2 <", "allowed": "=="}),
        ("area_mm2", "wrong-form", "constraint", {"value": "area_mm2", "allowed": "=="}),
        ("", "wrong-form", "constraint", {"value": "", "allowed": "=="}),
        (
            "area_mm2 < 1e999",
            "not-finite",
            "constraint",
            {"value": "area_mm2 < 1e999", "allowed": "finite numbers"},
        ),
        (
            "area_mm2 < nan",
            "wrong-type",
            "constraint",
            {"value": "area_mm2 < nan", "allowed": "a number"},
        ),
        (
            "area_mm2 < inf",
            "wrong-type",
            "constraint",
            {"value": "area_mm2 < inf", "allowed": "a number"},
        ),
        (
            "area_mm2 < 5 furlong",
            "wrong-form",
            "constraint",
            {"value": "area_mm2 < 5 furlong", "allowed": "true"},
        ),
        (
            "area_mm2 < __import__('os')",
            "wrong-form",
            "constraint",
            {"value": "area_mm2 < __import__('os')", "allowed": "true"},
        ),
        (
            "area_mm2 === 1",
            "wrong-form",
            "constraint",
            {"value": "area_mm2 === 1", "allowed": "=="},
        ),
    ],
)
def test_errors_say_what_is_wrong(frame, text, code, field, facts):
    with refused(ConfigError, code=code, field=field, **facts):
        satisfied(frame, parse_constraint(text))


WORDS = "area area_mm2 rows design pipeline accuracy true false common mm2 uJ us e nan inf é ٣ \x00"
SIGNS = "< <= > >= == != = ! . , ; % * -- ( ) [ ] ' \" \n \t"
NUMBERS = "5 -1.5e3 97 1e999 1_000 .5"
PIECES = st.sampled_from(re.split(" ", f"{WORDS} {SIGNS} {NUMBERS}"))


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=7).map(" ".join) | st.text(max_size=30))
@example("area_mm2 < ٣")
@example("rows == 1_000")
@example("ª == 1")
def test_any_text_gives_an_answer_or_a_clear_error(frame, text):
    try:
        found = satisfied(frame, parse_constraint(text))
    except ConfigError:
        return
    assert found.shape == (4,)
    assert not (found & unknown(frame, parse_constraint(text))).any()
