"""Chips of banks (``cost_model: silicon``): the macro model's own numbers, and their laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.arch.macro import MacroBatch
from archsim.arch.silicon import default_constants
from archsim.config.lookup import look_up
from archsim.config.resolve import load_documents, resolve, unchecked
from archsim.config.sourced import Quantity
from archsim.cost.bank import bank, bank_macro
from archsim.cost.silicon.node import gate_delay_s
from archsim.cost.silicon.price import price_macro
from archsim.cost.subarray import subarray
from archsim.errors import ConfigError
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price
from tests.refusals import refused

SILICON = "chip.cost_model=silicon"
#: One full crossbar: 128 rows, 128 columns, read once per bit of one vector.
FULL = (Conv(1, 128, 32),)
READ_COMPONENTS = ("array", "adc", "drivers", "control")


def silicon(*settings: str, **presets: Any) -> DesignBatch:
    return make_design(SILICON, "chip.hierarchy.kernel_per_pe=false", *settings, **presets)


def cost_of(*settings: str, layers: tuple[Conv, ...] = FULL, **presets: Any) -> CostBreakdown:
    return price(silicon(*settings, **presets), make_table(*layers))[1]


def read_J(cost: CostBreakdown) -> float:
    return sum(float(cost.energies_J[name]) for name in READ_COMPONENTS)


def test_a_read_is_the_macro_models_invocation() -> None:
    """128 x 128 cells of 2 bits, 8 columns per ADC: 16 converters, 8 turns, 8 input planes."""
    macro = MacroBatch.of(
        memory="rram",
        sensing="current",
        adc_kind="flash",
        node_m=22e-9,
        vdd_V=0.85,
        rows=128.0,
        cols=128.0,
        adcs=16.0,
        adc_bits=5.0,
        input_bits=1.0,
        weight_bits=2.0,
        phases=8.0,
    )
    invocation = price_macro(macro=macro)
    cost = cost_of()
    assert read_J(cost) == near(float(invocation.energy.total_J) * 8 * 8)
    energy = invocation.energy
    assert float(cost.energies_J["adc"]) == near(float(energy.converters_J) * 64)
    assert float(cost.energies_J["array"]) == near(float(energy.dc_J) * 64)
    assert float(cost.energies_J["drivers"]) == near(float(energy.word_lines_J) * 64)
    assert float(cost.energies_J["control"]) == near(float(energy.fixed_J) * 64)
    assert float(cost.energies_J["mux"]) == 0
    assert float(cost.energies_J["shift_add"]) == 0
    assert float(cost.clock_s) == near(float(invocation.latency_s))
    assert float(cost.times_s["array"]) == near(float(invocation.latency_s) * 64)
    assert float(subarray(design=silicon()).area_m2) == near(float(invocation.area.total_m2))


def test_neurosim_reads_none_of_it() -> None:
    """A row of a batch with both models is what each gives by itself."""
    both = make_design("chip.hierarchy.kernel_per_pe=false").replace(
        is_silicon=torch.tensor([False, True])
    )
    _, mixed = price(both, make_table(*FULL))
    _, circuits = price(make_design("chip.hierarchy.kernel_per_pe=false"), make_table(*FULL))
    for index, alone in enumerate((circuits, cost_of())):
        assert float(mixed.dynamic_energy_J[index]) == near(float(alone.dynamic_energy_J), 1e-12)
        assert float(mixed.area_m2[index]) == near(float(alone.area_m2), 1e-12)
        assert float(mixed.latency_s[index]) == near(float(alone.latency_s), 1e-12)
    assert "control" not in circuits.energies_J
    assert float(mixed.energies_J["control"][0]) == 0


def test_current_sensing_is_linear_in_the_rows_driven() -> None:
    """Energy per read of a group of rows, against the rows of a group: a straight line."""
    points = []
    for rows in (16, 32, 64, 128):
        whole = bank(design=silicon(f"chip.read.rows_at_once={rows}"))
        points.append(
            float(whole.converter_J * 16 + whole.control_J)
            + rows * float(whole.row_dc_J * 16 + whole.word_line_J)
        )
    slopes = [(points[i + 1] - points[i]) / (16 * 2**i) for i in range(3)]
    assert slopes[0] > 0
    assert slopes == [near(slopes[0])] * 3


def test_energy_falls_with_the_supply() -> None:
    energies = [read_J(cost_of(f"technology.vdd={vdd}")) for vdd in (0.95, 0.85, 0.7)]
    assert energies == sorted(energies, reverse=True)
    # Everything but the cells' current goes with the square, that with the supply.
    low, high = (cost_of(f"technology.vdd={vdd}") for vdd in (0.7, 0.9))
    for name, power in (("adc", 2), ("drivers", 2), ("control", 2), ("array", 1)):
        ratio = float(high.energies_J[name] / low.energies_J[name])
        assert ratio == near((0.9 / 0.7) ** power), name


def test_energy_rises_with_columns_that_nobody_reads() -> None:
    """The same 16 converters and weights in a wider crossbar: longer word lines."""
    narrow = cost_of()
    wide = cost_of("chip.crossbar.cols=512", "chip.crossbar.mux_ratio=32", layers=FULL)
    assert float(wide.energies_J["adc"]) == near(float(narrow.energies_J["adc"]))
    assert float(wide.energies_J["array"]) == near(float(narrow.energies_J["array"]))
    assert float(wide.energies_J["drivers"]) > 4 * float(narrow.energies_J["drivers"])


def test_ohms_law_exactly() -> None:
    """A known current, time and voltage: rows x columns x ones x planes x I t V."""
    settings = (
        "chip.read.cell_current={value: 3, unit: uA, source: test}",
        "chip.read.sense_time={value: 4, unit: ns, source: test}",
        "chip.read.cell_supply={value: 0.4, unit: V, source: test}",
    )
    dense = ("chip.activity.first_layer=dense", "chip.activity.hidden=dense")
    array = float(cost_of(*settings, *dense).energies_J["array"])
    assert array == near(128 * 128 * 8 * 3e-6 * 4e-9 * 0.4)
    half = float(cost_of(*settings, "chip.read.activity=0.5").energies_J["array"])
    assert half == near(array / 2)


@pytest.mark.parametrize("r_on", [2.0, 20.0, 200.0, 1000.0])
def test_current_follows_the_resistance_where_the_time_is_known(r_on: float) -> None:
    """V G t of the mean conductance, drawn from the supply: 1 / r_on."""

    def array_J(kohm: float) -> float:
        time = "chip.read.sense_time={value: 10, unit: ns, source: test}"
        cells = (f"device.r_on={kohm}", f"device.r_off={17 * kohm}")
        return float(cost_of(time, *cells).energies_J["array"])

    assert array_J(r_on) == near(array_J(2.0) * 2.0 / r_on)


def test_partly_filled_crossbars_pay_for_what_they_hold() -> None:
    full, half = cost_of(), cost_of(layers=(Conv(1, 64, 16),))
    assert float(half.energies_J["adc"]) == near(float(full.energies_J["adc"]) / 2)
    assert float(half.energies_J["array"]) == near(float(full.energies_J["array"]) / 4)
    assert float(half.energies_J["drivers"]) == near(float(full.energies_J["drivers"]) / 2)
    assert float(half.energies_J["control"]) == near(float(full.energies_J["control"]))


def test_groups_of_rows_without_weights_are_not_read() -> None:
    few = ("chip.read.rows_at_once=4",)
    small, full = (Conv(1, 10, 32),), FULL
    assert float(cost_of(*few, layers=small).times_s["array"]) == near(
        float(cost_of(*few, layers=full).times_s["array"]) * 3 / 32
    )
    assert float(cost_of(*few, layers=small).energies_J["adc"]) == near(
        float(cost_of(*few, layers=full).energies_J["adc"]) * 3 / 32
    )


def test_charge_on_bit_lines_goes_with_the_root_of_the_rows() -> None:
    sensing = ("chip.read.sensing=charge-sum",)
    full, quarter = (
        float(cost_of(*sensing, layers=(Conv(1, rows, 32),)).energies_J["array"])
        for rows in (128, 32)
    )
    assert quarter == near(full / 2)


def test_a_dac_takes_fewer_planes() -> None:
    serial, dac = cost_of(), cost_of("chip.read.dac_bits=4")
    assert float(dac.times_s["array"]) == near(
        float(serial.times_s["array"])
        * 2
        / 8
        * 4 ** float(default_constants().latency_inputs_exponent)
    )
    constants = default_constants()
    inputs, phases = float(constants.input_exponent), float(constants.phase_exponent)
    assert float(dac.energies_J["drivers"]) == near(
        float(serial.energies_J["drivers"]) * 2 / 8 * 4**inputs * (2 / 8) ** phases
    )


def test_slices_of_a_weight_may_share_a_conversion() -> None:
    alone, joined = cost_of(), cost_of("chip.read.weight_bits_per_conversion=8")
    assert float(joined.times_s["array"]) == near(float(alone.times_s["array"]) / 4)
    assert float(bank_macro(design=silicon()).weight_bits) == 2
    assert float(joined.energies_J["array"]) == near(
        float(alone.energies_J["array"])
        / 4
        * (8 / 2) ** float(default_constants().dc_weight_exponent)
    )


def test_known_numbers_replace_formulas() -> None:
    cost = cost_of(
        "chip.adc.energy={value: 50, unit: fJ, source: test}",
        "chip.timing.read_cycle={value: 20, unit: ns, source: test}",
        "chip.timing.clock={value: 3, unit: ns, source: test}",
    )
    assert float(cost.energies_J["adc"]) == near(16 * 8 * 8 * 50e-15)
    assert float(cost.clock_s) == near(3e-9)
    assert float(cost.times_s["array"]) == near(64 * 7 * 3e-9)  # seven clocks of 3 ns hold 20 ns


def test_a_ramp_compares_once_per_level() -> None:
    sar, ramp = (cost_of(f"chip.adc.kind={kind}") for kind in ("sar", "ramp"))
    assert float(ramp.energies_J["adc"] / sar.energies_J["adc"]) == near(31 / 5)
    assert float(ramp.clock_s / sar.clock_s) == near(31 / 5)


def test_a_flash_takes_a_comparator_per_level_and_an_oscillator_time_per_count() -> None:
    kinds = ("sar", "flash-voltage", "flash-current", "oscillator")
    sar, flash, other, counting = (cost_of(f"chip.adc.kind={kind}") for kind in kinds)
    assert float(flash.energies_J["adc"] / sar.energies_J["adc"]) == near(31 / 5)
    assert float(flash.areas_m2["adc"]) > float(sar.areas_m2["adc"])
    assert float(other.energies_J["adc"]) == float(flash.energies_J["adc"])
    gate_s = float(gate_delay_s(torch.tensor(22e-9), torch.tensor(0.85)))
    assert float(counting.clock_s - sar.clock_s) == pytest.approx(31 * 37 * gate_s, rel=1e-6, abs=0)


def test_corrections_scale_the_reads_alone() -> None:
    one = '{{value: {0}, unit: "1", source: test}}'
    cost = cost_of(
        f"chip.calibration.macro_energy={one.format(2)}",
        f"chip.calibration.macro_time={one.format(3)}",
        f"chip.calibration.macro_area={one.format(4)}",
    )
    assert read_J(cost) == near(2 * read_J(cost_of()))
    assert float(cost.clock_s) == near(3 * float(cost_of().clock_s))
    assert float(cost.areas_m2["array"]) == near(4 * float(cost_of().areas_m2["array"]))
    assert float(cost.energies_J["buffer"]) == near(float(cost_of().energies_J["buffer"]))


@pytest.mark.parametrize(
    "setting",
    [
        "chip.crossbar.mux_ratio=1",
        "chip.crossbar.mux_ratio=2",
        "chip.adc.bits=1",
        "chip.adc.bits=14",
        "chip.crossbar.rows=4096",
    ],
)
def test_wider_bounds_have_a_price(setting: str) -> None:
    cost = cost_of(setting)
    assert 0 < read_J(cost) < math.inf
    assert not any(bool(each.violated) for each in cost.constraints)


def test_one_column() -> None:
    bits = ("chip.precision.weight_bits=1", "chip.precision.bits_per_cell=1")
    cost = cost_of("chip.crossbar.cols=1", "chip.crossbar.mux_ratio=1", *bits)
    assert 0 < read_J(cost) < math.inf


@pytest.mark.parametrize(
    ("settings", "field", "allowed"),
    [
        (("chip.read.sensing=charge-sum",), "chip.read.sensing", "chip.cost_model=silicon"),
        (("chip.adc.kind=ramp",), "chip.adc.kind", "chip.cost_model=silicon"),
        (("chip.adc.bits=12",), "chip.adc.bits", "10"),
        (("chip.read.dac_bits=2",), "chip.read.dac_bits", "chip.cost_model=silicon"),
        ((SILICON, "chip.read.sensing=digital"), "chip.read.sensing", "current"),
        ((SILICON, "chip.read.sensing=charge-redistribution"), "chip.read.sensing", "charge-sum"),
        ((SILICON, "chip.adc.model=zigzag-imc"), "chip.adc.model", "circuit"),
        (
            (SILICON, "chip.calibration.adc_energy=2"),
            "chip.calibration.adc_energy",
            "chip.cost_model=neurosim",
        ),
        (
            (SILICON, "chip.read.cell_supply={value: 0.2, unit: V, source: test}"),
            "chip.read.cell_supply",
            "chip.read.sense_time",
        ),
        (
            (SILICON, "chip.read.dac_bits=8", "chip.precision.input_bits=4"),
            "chip.read.dac_bits",
            "4",
        ),
    ],
)
def test_what_does_not_go_together(settings: tuple[str, ...], field: str, allowed: str) -> None:
    value = look_up(unchecked(load_documents(chip="rram-22nm-neurosim", overrides=settings)), field)
    value = value.si if isinstance(value, Quantity) else value
    with refused(ConfigError, code="conflict", field=field, value=value, allowed=allowed):
        resolve(chip="rram-22nm-neurosim", overrides=settings)
