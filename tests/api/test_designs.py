"""Rows of many designs are those of one design each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import archsim
from archsim.errors import ConfigError

#: Columns of rows, SI, and totals of ``map_network``, with the unit of the latter.
_SAME = {
    "area_m2": ("area_mm2", 1e6),
    "dynamic_energy_J": ("dynamic_energy_uJ", 1e6),
    "latency_s": ("latency_us", 1e6),
    "period_s": ("period_us", 1e6),
    "write_pulses": ("write_pulses", 1.0),
    "tiles": ("tiles", 1.0),
}


def test_each_row_is_what_map_network_gives() -> None:
    settings = {
        "chip.adc.bits": [5, 4, 5],
        "design": ["common", "none", "separate"],
        "chip.crossbar.rows": [256, 128, 256],
    }
    frame = archsim.evaluate_designs("lenet3", settings, overrides={"chip.crossbar.cols": 128})
    assert list(frame["design"]) == settings["design"]
    assert frame["feasible"].all()
    for row, design in enumerate(settings["design"]):
        overrides = {path: settings[path][row] for path in ("chip.adc.bits", "chip.crossbar.rows")}
        totals = archsim.map_network(
            "lenet3", design=design, overrides={**overrides, "chip.crossbar.cols": 128}
        ).totals
        for column, (name, unit) in _SAME.items():
            assert frame[column][row] * unit == pytest.approx(totals[name], rel=1e-12)


def test_rows_keep_their_order_over_chips_and_a_frame_will_do() -> None:
    chips = ["rram-22nm", "rram-22nm-neurosim", "rram-22nm"]
    settings = pd.DataFrame({"chip": chips, "chip.precision.bits_per_cell": [1, 2, 2]})
    frame = archsim.evaluate_designs("lenet3", settings)
    assert list(frame["chip"]) == chips
    for row, chip in enumerate(chips):
        alone = archsim.evaluate_designs("lenet3", settings.iloc[[row]].reset_index(drop=True))
        assert alone["area_m2"][0] == pytest.approx(frame["area_m2"][row], rel=1e-12), chip


def test_a_combination_that_no_rule_allows_is_a_row_with_the_rule() -> None:
    settings = {
        "chip.precision.bits_per_cell": np.array([2, 2, 1]),
        "device": ["sram", "rram", "sram"],
    }
    frame = archsim.evaluate_designs("lenet3", settings)
    assert list(frame["feasible"]) == [False, True, True]
    assert frame["infeasible_because"][0].startswith("no configuration: ")
    assert frame["infeasible_because"][1] is None
    assert np.isnan(frame["area_m2"][0])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "one setting or more"),
        ({"chip.adc.bits": []}, "one value or more"),
        ({"chip.adc.bits": [4, 5], "design": ["none"]}, "as many values of every setting"),
        ({"design": "none"}, "a list"),
        ({"chip.adc.bitz": [4]}, "bitz"),
    ],
)
def test_bad_columns_are_refused(settings: dict[str, list[object]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        archsim.evaluate_designs("lenet3", settings)  # type: ignore[arg-type]
