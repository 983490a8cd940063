"""Tables as plain data, and how numbers look."""

from __future__ import annotations

import math

import pytest

from archsim.api.compare import compare
from archsim.api.map import map_network
from archsim.results.compared import CompareResult
from archsim.results.mapped import MapResult
from archsim.results.metric import Place
from archsim.results.metrics import all_metrics, shown_in
from reports.tables import compare as compare_tables
from reports.tables.assumptions import assumptions
from reports.tables.mapped import breakdown, heading, layer_overview, shortages, totals
from reports.tables.mapped import layers as layer_table
from reports.tables.table import Cell, Column, Kind, Table, four_digits, show


@pytest.fixture(scope="module")
def mapped() -> MapResult:
    """LeNet-3 with a common block."""
    return map_network("lenet3", design="common", chip="rram-22nm-neurosim")


@pytest.fixture(scope="module")
def infeasible() -> MapResult:
    """LeNet-3 on a chip of one tile."""
    return map_network("lenet3", overrides=["chip.hierarchy.max_tiles=1"])


@pytest.fixture(scope="module")
def compared() -> CompareResult:
    """LeNet-3 in all designs."""
    return compare(["lenet3"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00135, "0.001350"),
        (0.5, "0.5000"),
        (9.99996, "10.00"),
        (90.346, "90.35"),
        (723.019, "723.0"),
        (1234.56, "1,235"),
        (17534.1, "17,530"),
        (-17534.1, "-17,530"),
        (123456789.0, "123,500,000"),
        (1e12, "1.000e+12"),
        (1.2345e-6, "1.234e-06"),
    ],
)
def test_four_digits(value: float, text: str) -> None:
    assert four_digits(value) == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "number", "-"),
        (math.nan, "number", "-"),
        (math.inf, "ratio", "-"),
        ("infeasible", "number", "infeasible"),
        (1024, "count", "1,024"),
        (0.98044, "percent", "98.0"),
        (0.0001234, "error", "0.0123"),
        (181.94, "points", "+181.9"),
        (-4.0, "points", "-4.0"),
        (1.2344, "ratio", "x1.234"),
        (-0.25, "signed", "-0.250"),
    ],
)
def test_cells(value: Cell, kind: Kind, text: str) -> None:
    assert show(value, kind) == text


def test_select_and_records() -> None:
    table = Table("t", (Column("a", "A"), Column("b", "B", "count")), (("x", 1), ("y", None)))
    assert table.select(["b"]).records() == [{"b": 1}, {"b": None}]
    assert table.select(["b", "a"], "other").texts() == [["1", "x"], ["-", "y"]]


def test_layers_are_those_of_the_result(mapped: MapResult) -> None:
    assert layer_table(mapped).records() == mapped.layer_rows()
    overview = layer_overview(mapped)
    assert overview.select(["name", "matrix"]).rows[0] == ("conv1", "9x20")


def test_every_total_has_a_label(mapped: MapResult) -> None:
    keys = [row["key"] for group in totals(mapped) for row in group.records()]
    # One chip that is written once needs no mention.
    hidden = {"chips", "loads_per_image"}
    assert sorted(str(key) for key in keys) == sorted({own.key for own in all_metrics()} - hidden)
    spread = map_network(
        "lenet3",
        overrides=["chip.hierarchy.max_tiles=1", "chip.off_chip.when_full=multi-chip"],
    )
    labels = {row["key"]: row["value"] for table in totals(spread) for row in table.records()}
    assert labels["chips"] == str(spread.chips)
    assert spread.chips > 1
    assert any("spread over" in line for line in assumptions(spread))


def test_totals_of_an_infeasible_design_are_dashes(infeasible: MapResult) -> None:
    values = {row["value"] for group in totals(infeasible) for row in group.records()}
    assert values == {"-"}


def test_breakdown_adds_up_to_the_totals(mapped: MapResult) -> None:
    table = breakdown(mapped)
    *parts, total = table.records()
    assert total["component"] == "total"
    for key, name in (
        ("area_mm2", "area_mm2"),
        ("energy_uJ", "dynamic_energy_uJ"),
        ("latency_us", "latency_us"),
    ):
        assert total[key] == pytest.approx(mapped.totals[name])
        share = f"{key.partition('_')[0]}_share"
        assert sum(float(part[share] or 0) for part in parts) == pytest.approx(1)
        assert total[share] == pytest.approx(1)
    assert "white space" not in [part["component"] for part in parts]


def test_shortages_say_what_to_change(infeasible: MapResult) -> None:
    (row,) = shortages(infeasible).records()
    assert (row["name"], row["bound"], row["unit"]) == ("tiles", 1, "tiles")
    assert "chip.hierarchy.max_tiles (more)" in str(row["levers"])
    assert layer_table(infeasible).rows == ()
    assert breakdown(infeasible).rows == ()


def test_assumptions_follow_the_configuration() -> None:
    text = " ".join(
        assumptions(
            map_network(
                "lenet3",
                design="separate",
                overrides=["chip.programming.policy=all", "chip.timing.pipeline=false"],
            )
        )
    )
    assert "separate; 2 insertions in 3 channel groups" in text
    assert "every cell is write-verified (policy all)" in text
    assert "the period is the latency" in text
    assert "zero-padded" not in text


def said(*overrides: str, device: str = "rram") -> str:
    """What a mapped LeNet-3 assumes."""
    return " ".join(assumptions(map_network("lenet3", device=device, overrides=overrides)))


def test_how_a_kind_of_converter_is_priced_is_said() -> None:
    assert "chip.adc.kind = sar is priced as the mean" in said()
    assert "chip.adc.kind = oscillator is priced by physics" in said("chip.adc.kind=oscillator")
    neurosim = map_network("lenet3", chip="rram-22nm-neurosim")
    assert "is priced" not in " ".join(assumptions(neurosim))


def test_digital_corrections_are_said() -> None:
    assert "Digital correction" not in said()
    both = said("chip.correction.kind=scale-and-bias", "chip.correction.layers=all")
    assert "a scale and a bias for each output channel of all layers, 50 numbers of 8 bit" in both
    assert "linear layers, 10 numbers" in said("chip.correction.kind=bias")


def test_settings_of_other_policies_are_said() -> None:
    mine, share, layers = (
        f"chip.programming.{key}" for key in ("granularity=row", "fraction=0.3", "last_layers=2")
    )
    under = "chip.programming.policy="
    assert (
        "Without influence under policy all: chip.programming.fraction = 0.3 (only for fraction), "
        "chip.programming.granularity = row (only for fraction)."
    ) in said(f"{under}all", mine, share)
    assert "last_layers = 2 (only for last-layers)" in said(f"{under}fraction", share, layers)
    for used in ((f"{under}fraction", mine, share), (f"{under}last-layers", layers), ()):
        assert "Without influence" not in said(*used)


def test_what_the_programming_numbers_leave_out_is_said() -> None:
    assert "Not in the programming numbers: drift, read noise in operation of pcm" in said(
        device="pcm"
    )
    stuck = ("device.stuck_on_rate=0.1", "chip.programming.policy=all")
    assert "stuck take pulses in vain, as many as if all levels were equally" in said(*stuck)
    assert "in vain" not in said(stuck[0], "chip.programming.policy=none")
    assert "Not in the programming" not in said()


def test_a_device_without_write_verify_is_never_verified() -> None:
    binary = "chip.precision.bits_per_cell=1"
    policies = ("none", "tsb", "all", "last-layers", "fraction")
    found = [
        map_network(
            "lenet3", design="common", device="sram",
            overrides=[binary, f"chip.programming.policy={policy}"],
        )
        for policy in policies
    ]  # fmt: skip
    for result in found:
        assert result.totals["verify_reads"] == 0
        assert result.totals["write_pulses"] == found[0].totals["write_pulses"]
        assert "device sram has no write_verify" in " ".join(assumptions(result))


def test_the_programming_of_a_comparison() -> None:
    settings = ["chip.programming.policy=fraction", "chip.programming.granularity=row"]
    result = compare(["lenet3"], overrides=settings)
    table = compare_tables.programming(result)
    assert table.title == "Programming, write-verify policy fraction, 10 % of every layer by row"
    for row, whole in zip(table.records(), result.rows(), strict=True):
        for key in ("write_pulses", "verify_reads", "programming_time_ms", "programming_energy_uJ"):
            assert row[key] == whole[key]
        base = result.rows()[0]["write_pulses"]
        assert row["write_pulses_ratio"] == pytest.approx(whole["write_pulses"] / base)
    assert float(table.records()[1]["write_pulses_ratio"] or 0) > 1
    plain = compare_tables.programming(compare(["lenet3"], designs=["common"], device="rram"))
    assert plain.title == "Programming, write-verify policy tsb"
    assert plain.records()[0]["write_pulses_ratio"] is None


def test_no_block_no_word_about_it() -> None:
    lines = assumptions(map_network("lenet3"))
    assert not [line for line in lines if line.startswith("TSB")]


def test_heading_names_the_configuration(mapped: MapResult) -> None:
    assert heading(mapped) == (
        "lenet3, design common, chip rram-22nm-neurosim (22nm-lstp, rram-neurosim), "
        f"cost model neurosim, config {mapped.resolved.config_hash}"
    )


def test_comparison_holds_absolute_and_relative_values(compared: CompareResult) -> None:
    base, common, separate = compare_tables.comparison(compared).records()
    assert [r["design"] for r in (base, common, separate)] == [
        "base", "(C) common", "(S) separate",
    ]  # fmt: skip
    for key in (own.key for own in shown_in(Place.COMPARE)):
        assert base[f"{key}_ratio"] == 1
        ratio = float(common[key] or 0) / float(base[key] or 0)
        assert common[f"{key}_ratio"] == pytest.approx(ratio)


def test_the_two_layouts_of_a_comparison_hold_the_same(compared: CompareResult) -> None:
    table = compare_tables.comparison(compared)
    common = table.records()[1]
    beside = compare_tables.beside(table, " ").records()
    assert beside[1]["area_mm2"] == (
        f"{show(common['area_mm2'])} {show(common['area_mm2_ratio'], 'ratio')}"
    )
    assert "x" not in str(beside[0]["area_mm2"])
    absolute, relative = compare_tables.halves(table)
    assert absolute.rows[0][0] == "lenet3"
    assert absolute.records()[2]["design"] == "  (C) common"
    assert absolute.records()[2]["area_mm2"] == common["area_mm2"]
    assert relative.records()[2]["area_mm2_ratio"] == common["area_mm2_ratio"]


def test_designs_that_fail_for_one_reason_share_a_line() -> None:
    failed = compare(["lenet3"], overrides=["chip.hierarchy.max_tiles=1"])
    lines = compare_tables.reasons(failed)
    assert all(line.startswith("lenet3, ") for line in lines)
    assert sum(line.count("tiles: needs") for line in lines) == len(lines)
    row = compare_tables.comparison(failed).records()[0]
    assert row["area_mm2"] == "infeasible"
    assert row["energy_uJ"] is None
