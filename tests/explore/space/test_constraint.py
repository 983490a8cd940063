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
    ("text", "words"),
    [
        ("aera < 5", "Did you mean 'area'"),
        ("area < 50", "'area' says no unit; write for example 'area < 50 mm2'"),
        ("area_m2 < 5 us", "not in us; allowed: m2, mm2, um2"),
        ("area_m2 < common", "holds number, not 'common'; allowed: a number"),
        ("area_m2 < true", "allowed: a number"),
        ("area_m2 < 5 %", "not in %"),
        ("rows < 5 mm2", "not in mm2; allowed: %"),
        ("design < common", "holds text; allowed: == !="),
        ("pipeline < true", "holds true or false; allowed: == !="),
        ("pipeline == 1", "holds true or false, not '1'; allowed: true or false"),
        ("area = 5", "allowed: NAME OPERATOR VALUE"),
        ("50 > area_mm2", "allowed: NAME OPERATOR VALUE"),
        ("1 < area_mm2 < 2", "allowed: NAME OPERATOR VALUE"),
        ("area_mm2 < 1 < 2", "value '1 < 2'"),
        ("area_mm2 < 1 and rows > 2", "value '1 and rows > 2'"),
        ("area_mm2 <", "allowed: NAME OPERATOR VALUE"),
        ("area_mm2", "allowed: NAME OPERATOR VALUE"),
        ("", "allowed: NAME OPERATOR VALUE"),
        ("area_mm2 < 1e999", "allowed: finite numbers"),
        ("area_mm2 < nan", "not 'nan'; allowed: a number"),
        ("area_mm2 < inf", "not 'inf'; allowed: a number"),
        ("area_mm2 < 5 furlong", "a number with a known unit or none"),
        ("area_mm2 < __import__('os')", "value"),
        ("area_mm2 === 1", "allowed: NAME OPERATOR VALUE"),
    ],
)
def test_errors_say_what_is_wrong(frame, text, words):
    with pytest.raises(ConfigError) as caught:
        satisfied(frame, parse_constraint(text))
    assert words in str(caught.value)


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
