"""What limits a total, and the setting that takes most off it: checked by mapping anew."""

from __future__ import annotations

from functools import cache

import pytest

from archsim.analysis.levers import LEVERS, tried
from archsim.api.map import limits, map_network
from archsim.config.resolve import resolve
from archsim.results.limits import Limit
from archsim.results.mapped import MapResult
from tests.designs import near

CASES = (
    ("none", "rram-22nm-neurosim"),
    ("common", "rram-22nm-neurosim"),
    ("common", "rram-22nm"),
)
#: What the read path sees: no advice may name it.
SEEN_BY_READS = (
    *("chip.crossbar.rows", "chip.read.rows_at_once", "chip.read.voltage", "chip.read.dac_bits"),
    *("chip.adc.bits", "chip.adc.range", "chip.crossbar.wire_ohm", "device.", "technology."),
    *("chip.precision.", "chip.activity.", "chip.calibration.", "tsb.channels", "tsb.depth"),
)


@cache
def case(design: str, chip: str) -> tuple[MapResult, dict[str, Limit]]:
    result = map_network("lenet3", design=design, chip=chip)
    return result, {limit.total: limit for limit in limits(result)}


@pytest.mark.parametrize(("design", "chip"), CASES)
def test_the_advice_does_what_it_says(design: str, chip: str) -> None:
    result, found = case(design, chip)
    keys = {"latency": "latency_us", "energy": "energy_uJ", "area": "area_mm2"}
    assert list(found) == list(keys)
    for name, limit in found.items():
        advice = limit.advice
        assert advice is not None
        assert advice.change < -0.01
        value = f"{advice.value:g}" if isinstance(advice.value, float) else advice.value
        changed = map_network(
            "lenet3", design=design, chip=chip, overrides=[f"{advice.path}={value}"]
        )
        for other, key in keys.items():
            change = changed.totals[key] / result.totals[key] - 1
            expected = advice.change if other == name else advice.others.get(other)
            if expected is None:
                assert abs(change) < 0.01
            else:
                assert change == near(expected, 1e-9)


@pytest.mark.parametrize(("design", "chip"), CASES)
def test_the_largest_part_is_named(design: str, chip: str) -> None:
    result, found = case(design, chip)
    rows = result.breakdown_rows()
    largest = max(rows, key=lambda name: rows[name]["area_mm2"])
    assert found["area"].component == largest
    assert found["area"].component_share == near(
        rows[largest]["area_mm2"] / result.totals["area_mm2"]
    )
    layers = result.layer_rows()
    visits = sum(row["latency_us"] for row in layers if row["kind"] == "tsb")
    alone = {row["name"]: row["latency_us"] for row in layers if row["kind"] != "tsb"}
    if visits > max(alone.values()):
        assert found["latency"].layer == "the shared block"
        whole = visits + sum(alone.values())
        assert found["latency"].layer_share == near(visits / whole)
    else:
        assert found["latency"].layer == max(alone, key=alone.get)


def test_no_setting_that_the_accuracy_feels_is_tried() -> None:
    for lever in LEVERS:
        assert not lever.path.startswith(SEEN_BY_READS), lever.path


def test_wires_that_lose_voltage_take_the_columns_off_the_list() -> None:
    plain, wired = (
        {change.path for change in tried(resolve(overrides=settings), "none")}
        for settings in (("chip.crossbar.wire_ohm=0",), ("chip.crossbar.wire_ohm=1",))
    )
    assert plain - wired == {"chip.crossbar.cols"}


def test_where_nothing_helps_the_sentence_says_so() -> None:
    limit = Limit("area", "white_space", 0.4, None, 0.0, None)
    assert limit.said == "area: 40 % is white space; no single setting takes 1 % off it."
    assert limit.to_dict()["setting"] is None
