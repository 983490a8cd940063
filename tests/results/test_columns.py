"""Names of columns: units, short names, labels; levels of parameters."""

from __future__ import annotations

from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest

from archsim.arch.design import DesignBatch
from archsim.errors import ConfigError
from archsim.results.columns import (
    feasible_rows,
    find_column,
    is_parameter,
    is_result,
    label_of,
    more_is_better,
    numbers_of,
    scale_of,
    split_unit,
    title_of,
)
from archsim.results.levels import INTERVALS, levels_of
from archsim.results.metric import Place
from archsim.results.metrics import all_metrics, shown_in
from tests.refusals import refused

TOTALS = (*(metric.column for metric in shown_in(Place.SWEEP)), "feasible")

COLUMNS = (
    *("design", "chip.crossbar.rows", "chip.adc.bits", "chip.precision.weight_bits"),
    *("tsb.bits", "device.r_on_kohm", "accuracy_mean", *TOTALS),
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("edp_Js", ("edp", "J*s")),
        ("edp_uJ_us", ("edp", "uJ*us")),
        ("area_mm2", ("area", "mm2")),
        ("area_m2", ("area", "m2")),
        ("throughput_per_s", ("throughput", "1/s")),
        ("tops_per_W", ("tops_per_W", "")),
        ("write_pulses", ("write_pulses", "")),
        ("device.r_on_kohm", ("device.r_on", "kohm")),
        ("memory.energy_per_bit_pJ_per_bit", ("memory.energy_per_bit", "pJ/bit")),
        ("link.bandwidth_Gbit_per_s", ("link.bandwidth", "Gbit/s")),
        ("_s", ("_s", "")),
        ("design", ("design", "")),
    ],
)
def test_unit_of_a_name(name, expected):
    assert split_unit(name) == expected


@pytest.mark.parametrize(
    ("name", "column", "factor"),
    [
        ("edp_Js", "edp_Js", 1),
        ("edp_uJ_us", "edp_Js", 1e-12),
        ("area_mm2", "area_m2", 1e-6),
        ("programming_time_ms", "programming_time_s", 1e-3),
        ("edp", "edp_Js", None),
        ("edp_period", "edp_period_Js", None),
        ("accuracy", "accuracy_mean", 1),
        ("write_pulses", "write_pulses", 1),
        ("rows", "chip.crossbar.rows", 1),
        ("adc.bits", "chip.adc.bits", 1),
        ("design", "design", 1),
        ("device.r_on_kohm", "device.r_on_kohm", 1),
        ("device.r_on_ohm", "device.r_on_kohm", 1e-3),
        ("r_on_ohm", "device.r_on_kohm", 1e-3),
        ("r_on_kohm", "device.r_on_kohm", 1),
        ("r_on", "device.r_on_kohm", None),
    ],
)
def test_names_find_their_column(name, column, factor):
    found = find_column(name, COLUMNS)
    assert found.column == column
    if factor is None:
        assert found.factor is None
    else:
        assert found.factor == pytest.approx(factor, rel=1e-12, abs=0)


def test_a_table_in_other_units_is_read_too():
    assert find_column("area_um2", ["area_mm2"]).factor == pytest.approx(1e-6, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("name", "code", "facts"),
    [
        ("aera", "unknown-name", {"nearest": "area"}),
        ("edp_uJ", "unknown-name", {}),
        ("bits", "conflict", {"allowed": ["chip.adc.bits", "tsb.bits"]}),
        ("", "unknown-name", {}),
    ],
)
def test_unknown_and_ambiguous_names(name, code, facts):
    with refused(ConfigError, code=code, field="column", value=name, **facts):
        find_column(name, COLUMNS)


def test_all_totals_are_results_and_parameters_are_not():
    assert all(is_result(name) for name in TOTALS)
    assert all(is_result(metric.key) and is_result(metric.column) for metric in all_metrics())
    assert is_result("accuracy_mean")
    for name in ("design", "device", "chip.adc.bits", "network", "device.r_on_kohm"):
        assert is_parameter(name)
        assert not is_result(name)
    for name in ("point", "infeasible_because", "accuracy_key"):
        assert not is_parameter(name)
        assert not is_result(name)


def test_no_parameter_ends_in_a_unit_by_chance():
    for parameter in DesignBatch.parameters().values():
        assert split_unit(parameter.path)[1] == "", parameter.path


def test_what_is_better():
    assert more_is_better("accuracy_mean")
    assert more_is_better("throughput_per_s")
    for metric in all_metrics():
        for name in (metric.key, metric.column):
            assert more_is_better(name) == (metric.direction == "higher"), name
    others = ("accuracy_std_chip", "accuracy_chips", "design")
    assert not any(more_is_better(name) for name in (*others, *TOTALS))


def test_scales_fit_the_middle_of_the_values():
    assert scale_of("area_m2", np.array([2e-5, 5e-5, np.nan])).unit == "mm2"
    assert scale_of("area_m2", np.array([7e-7])).unit == "mm2"
    assert scale_of("area_m2", np.array([7e-8])).unit == "um2"
    assert scale_of("latency_s", np.array([2e-3])).title == "latency, ms"
    assert scale_of("edp_Js", np.array([2e-11])).title == "EDP, uJ us"
    # A column that is not in SI: factors are relative to its own unit.
    own = scale_of("area_mm2", np.array([0.002]))
    assert (own.unit, own.factor) == ("um2", pytest.approx(1e-6, rel=1e-12, abs=0))
    assert scale_of("accuracy_mean", np.array([0.9])).title == "accuracy, %"
    assert scale_of("accuracy_std_chip", np.array([0.01])).unit == "%"
    assert scale_of("accuracy_chips", np.array([8.0])).unit == ""
    assert title_of("device.r_on_kohm") == "device on-resistance, kohm"
    assert scale_of("latency_s", np.array([0.0])).unit == "s"
    assert scale_of("write_pulses", np.array([])).title == "write pulses"
    assert label_of("chip.crossbar.mux_ratio") == "crossbar mux ratio"


def test_numbers_and_what_is_none():
    frame = pd.DataFrame({"a_s": pd.array([1, None], dtype="Int64"), "b": ["x", "y"]})
    assert numbers_of(frame, "a_s").tolist() == pytest.approx([1, np.nan], nan_ok=True)
    with refused(ConfigError, code="wrong-type", field="b", value=ANY, allowed="numbers"):
        numbers_of(frame, "b")
    with refused(ConfigError, code="wrong-type", field="b", value=ANY, allowed="numbers"):
        numbers_of(pd.DataFrame({"b": [True, False]}), "b")


def test_feasible():
    assert feasible_rows(pd.DataFrame({"a": [1, 2]})).tolist() == [True, True]
    some = pd.DataFrame({"feasible": pd.array([True, None, False], dtype="boolean")})
    assert feasible_rows(some).tolist() == [True, False, False]
    with refused(ConfigError, code="wrong-type", field="feasible", value=ANY):
        feasible_rows(pd.DataFrame({"feasible": ["yes"]}))


def test_levels_in_order():
    numbers = levels_of(pd.Series([128.0, 64.0, np.nan, 128.0]))
    assert numbers.codes.tolist() == [1, 0, -1, 1]
    assert numbers.names == ("64", "128")
    assert numbers.values == (64, 128)
    assert levels_of(pd.Series([True, False])).names == ("false", "true")


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string[pyarrow]"])
def test_levels_of_text(dtype):
    text = levels_of(pd.Series(["b", None, "a"], dtype=dtype))
    assert (text.codes.tolist(), text.names) == ([1, -1, 0], ("a", "b"))


@pytest.mark.parametrize("dtype", ["object", "boolean", "bool[pyarrow]", "category"])
def test_levels_of_switches(dtype):
    switch = levels_of(pd.Series([True, None, False], dtype=dtype))
    assert (switch.codes.tolist(), switch.names) == ([1, -1, 0], ("false", "true"))


def test_many_numbers_are_cut_into_intervals():
    values = np.random.default_rng(0).random(8000)
    cut = levels_of(pd.Series(values))
    assert cut.is_cut
    counts = np.bincount(cut.codes)
    assert len(counts) == INTERVALS == len(cut.names)
    assert counts.min() > 900
    for code in range(1, INTERVALS):
        assert values[cut.codes == code].min() > values[cut.codes == code - 1].max()


def test_intervals_of_many_equal_numbers_are_never_empty():
    values = pd.Series([0.0] * 90 + list(range(1, 15)) + [np.nan])
    cut = levels_of(values)
    assert cut.codes[-1] == -1
    assert np.bincount(cut.codes[:-1]).min() > 0
    assert len(np.bincount(cut.codes[:-1])) == len(cut.names)
    assert cut.names[0] == "0"
