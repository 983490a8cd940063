"""Verify reads: through the subarray's own mux and ADCs; write drivers under a power limit."""

from __future__ import annotations

import pytest

from archsim.api.program.plan import write_plan
from archsim.config.resolve import resolve
from archsim.cost.component.adc_models import published
from archsim.cost.subarray import subarray
from archsim.cost.verify_read import conversion_energy_J, verify_read
from archsim.device import CellSpec
from archsim.errors import ConfigError
from archsim.network.load import load_module
from tests.designs import Conv, make_design, make_table, near, price
from tests.refusals import refused, tells
from tsb.cells.programmable import programmable

ALL = ("chip.programming.policy=all", "chip.hierarchy.duplication=none")
TABLE = make_table(Conv(size=1, inputs=512, outputs=128))


def conversion(design):
    return float(conversion_energy_J(design=design, adc=subarray(design=design).adc))


@pytest.mark.parametrize("mux", [4, 8, 16])
def test_a_row_is_read_column_by_column(mux):
    """5 ns for each column of an ADC: longer than the clock of 1.7 ns."""
    design = make_design(f"chip.crossbar.mux_ratio={mux}")
    assert float(verify_read(design=design).row_s) == near(mux * 5e-9)


def test_a_converter_slower_than_the_read_pulse_sets_the_pace():
    design = make_design("chip.adc.model=andrulis2024")
    clock_s = float(subarray(design=design).clock_s)
    assert clock_s > 10e-9
    assert float(verify_read(design=design).row_s) == near(8 * clock_s)


@pytest.mark.parametrize("model", ["andrulis2024", "zigzag-imc"])
def test_a_published_converter_takes_its_own_energy(model):
    design = make_design(f"chip.adc.model={model}", "chip.calibration.adc_energy=1")
    assert conversion(design) == near(float(published(design=design).energy_J))


def test_a_sar_conversion_by_hand():
    """Fixed power, and what goes with the cell's mean conductance, (bits + 1) ns long."""
    design = make_design("chip.adc.kind=sar", "chip.calibration.adc_energy=1")
    technology, bits = design.technology, float(design.adc_bits)
    mean_S = (1 / 1e5 + 1 / 1.7e6) / 2
    scaled_S = mean_S * float(design.v_read_V) / 0.5
    power_W = (
        float(technology.sar_power_per_bit_W) * bits
        + float(technology.sar_power_base_W)
        + float(technology.sar_power_inverse_W) * scaled_S ** float(technology.sar_power_exponent)
    )
    assert conversion(design) == near(power_W * (bits + 1) * 1e-9)


def test_a_conversion_of_one_cell_takes_less_than_one_of_a_column():
    """A cell of 100 kohm pulls less than 128 of them; the difference is the static power."""
    low, high = (make_design(f"device.r_on={ohm}", "device.r_off=2000") for ohm in (10, 100))
    assert conversion(low) > conversion(high) > 0


def test_sram_converts_nothing():
    assert conversion(make_design(device="sram")) == 0


@pytest.mark.parametrize(
    ("milliwatts", "drivers"), [(500, 64), (461, 60), (460, 59), (16, 2), (15, 1), (7.68, 1)]
)
def test_drivers_that_the_power_allows(milliwatts, drivers):
    """A row of 128 cells at 0.6 pJ per 10 ns takes 7.68 mW; 60 take 460.8 mW, and 64 are there."""
    limit = f"chip.programming.max_power={{value: {milliwatts}, unit: mW, source: assumed}}"
    design = make_design(limit, *ALL, "chip.programming.parallel_subarrays=64")
    assert float(design.write_drivers) == drivers


def test_a_power_limit_makes_programming_longer():
    def time_s(*more):
        design = make_design(*ALL, "chip.programming.parallel_subarrays=16", *more)
        return float(price(design, TABLE)[1].programming.time_s)

    limit = "chip.programming.max_power={value: 31, unit: mW, source: assumed}"
    assert time_s(limit) == near(4 * time_s())


@pytest.mark.parametrize("policy", ["none", "all", "fraction"])
def test_half_a_row_at_a_time_is_a_row_of_half_an_array(policy):
    """3.84 mW are 64 cells: two groups of an array of 128 columns, or a row of one of 64."""
    own = (f"chip.programming.policy={policy}", "chip.hierarchy.duplication=none")
    limit = "chip.programming.max_power={value: 3.84, unit: mW, source: assumed}"
    half = make_design(*own, limit)
    assert (float(half.cells_at_once), float(half.write_drivers)) == (64, 1)
    times = [
        float(price(design, TABLE)[1].programming.time_s)
        for design in (half, make_design(*own, "chip.crossbar.cols=64"))
    ]
    assert times[0] == near(times[1])


@pytest.mark.parametrize(
    ("value_mW", "says"),
    [(0, ["max_power = 0", "0.06", "null"]), (0.05, ["max_power = 0.05", "0.06", "null"])],
)
def test_too_little_power_is_refused(value_mW, says):
    with pytest.raises(ConfigError) as caught:
        make_design(f"chip.programming.max_power={{value: {value_mW}, unit: mW, source: assumed}}")
    tells(str(caught.value), *says)


@pytest.mark.parametrize(
    ("text", "code", "facts"),
    [
        ("{value: -1, unit: mW, source: own}", "out-of-range", {"value": -1, "allowed": ">= 0"}),
        ("0.08", "missing-key", {"value": 0.08, "says": ["{value:", "0.08,"]}),
    ],
)
def test_what_is_no_power_is_refused(text, code, facts):
    with refused(ConfigError, code=code, field="chip.programming.max_power", **facts):
        make_design(f"chip.programming.max_power={text}")


def test_a_part_of_nothing_is_refused():
    facts = {"code": "unknown-key", "field": "chip.programming.max_power.value", "value": "value"}
    with refused(ConfigError, **facts, says=["chip.programming.max_power={value:"]):
        resolve(chip="rram-22nm-neurosim", overrides=["chip.programming.max_power.value=0.08"])


def test_program_and_map_read_alike():
    overrides = ("chip.programming.parallel_subarrays=7", "chip.crossbar.mux_ratio=16")
    resolved = resolve(chip="rram-22nm-neurosim", overrides=list(overrides))
    placed = write_plan(
        programmable(load_module("lenet3"), network="lenet3"),
        resolved=resolved,
        design="none",
        spec=CellSpec.of_chip(resolved),
    )
    read = verify_read(design=make_design(*overrides))
    assert placed.drivers == 7
    assert placed.row_read_s == near(float(read.row_s))
    assert placed.cell_read_J == near(float(read.cell_J))
