"""Settings of a configuration by their path."""

from __future__ import annotations

from archsim.config.resolve import resolve


def test_settings_have_values_and_units_and_no_texts_about_files():
    one, other = resolve().settings(), resolve(overrides=["chip.adc.bits=6"]).settings()
    assert {path for path in one if one[path] != other[path]} == {"chip.adc.bits"}
    assert (one["chip.adc.bits"], other["chip.adc.bits"]) == (5, 6)
    assert str(one["device.r_on"]).endswith(" kohm")
    assert {path.split(".")[0] for path in one} >= {"chip", "technology", "device", "tsb"}
    ends = ("description", "source", "note", "unit", "value")
    assert not any(path.endswith(f".{end}") for path in one for end in ends)
