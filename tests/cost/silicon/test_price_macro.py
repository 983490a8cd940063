"""The silicon model of a macro: the specification's hand-computed table, and its laws."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.arch.macro import (
    CONVERTER_KINDS,
    MACRO_MEMORIES,
    MACRO_SCOPES,
    MACRO_SENSINGS,
    MacroBatch,
)
from archsim.arch.silicon import load_constants
from archsim.cost.silicon.converter.registry import CONVERTERS
from archsim.cost.silicon.price import price_macro

#: Constants as the specification prints them: hand-computed values stay when others are fitted.
PRINTED = load_constants("specification")

CAPACITORS = {
    "memory": "sram", "sensing": "charge-redistribution", "node_m": 28e-9, "rows": 128,
    "cols": 128, "adcs": 32, "adc_bits": 6, "input_bits": 2, "weight_bits": 4, "phases": 2,
    "cell_transistors": 9, "vdd_V": 0.8,
}  # fmt: skip
RRAM = {
    "memory": "rram", "sensing": "current", "node_m": 22e-9, "vdd_V": 0.8, "rows": 1024,
    "cols": 512, "rows_read": 4, "adcs": 64, "adc_bits": 4, "input_bits": 4, "weight_bits": 1,
}  # fmt: skip
BIT_LINES = {
    "memory": "sram", "sensing": "charge-sum", "node_m": 180e-9, "vdd_V": 1.8, "rows": 320,
    "cols": 64, "rows_read": 10, "dot_product_length": 4, "adcs": 32, "adc_bits": 5,
    "input_bits": 5, "weight_bits": 5,
}  # fmt: skip
TREE = {
    "memory": "sram", "sensing": "digital", "node_m": 28e-9, "vdd_V": 0.6, "rows": 128,
    "cols": 128, "adcs": 32, "input_bits": 2, "weight_bits": 2,
}  # fmt: skip


def price(**inputs):
    return price_macro(macro=MacroBatch.of(**inputs), constants=PRINTED)


def energy_pJ(**inputs):
    return float(price(**inputs).energy.total_J) * 1e12


@pytest.mark.parametrize(
    ("inputs", "terms_pJ", "total_pJ"),
    [  # adc, array, dc, rows, fixed: section 6 of the specification
        (CAPACITORS, (1.215, 8.377, 0, 1.998, 0.079), 11.67),
        (RRAM, (1.410, 0, 4.207, 0.373, 0.118), 6.11),
        (BIT_LINES, (37.53, 251.1, 0, 4.268, 4.335), 297.2),
        (TREE, (0, 0, 0, 0, 0), 12.98),
    ],
)
def test_energy_by_hand(inputs, terms_pJ, total_pJ):
    found = price(**inputs).energy
    terms = (found.converters_J, found.array_J, found.dc_J, found.word_lines_J, found.fixed_J)
    assert [float(term) * 1e12 for term in terms] == pytest.approx(terms_pJ, rel=0.01)
    assert float(found.total_J) * 1e12 == pytest.approx(total_pJ, rel=0.01)


def test_latency_and_area_by_hand():
    assert float(price(**TREE).latency_s) * 1e9 == pytest.approx(7.6, rel=0.01)
    at_1_V = price(**{**CAPACITORS, "vdd_V": 1.0})
    assert float(at_1_V.latency_s) * 1e9 == pytest.approx(25.6, rel=0.01)
    assert float(at_1_V.area.total_m2) * 1e6 == pytest.approx(0.0249, rel=0.01)


def test_neurram_is_sensed_by_charge():
    # Specification, section 7: 4.2 nJ for 3-bit outputs, 6.0 nJ for 8 bits.
    neurram = {
        "memory": "rram", "sensing": "charge-sum", "node_m": 130e-9, "vdd_V": 1.8, "rows": 256,
        "cols": 256, "adcs": 256, "dot_product_length": 128, "weight_bits": 4, "input_bits": 1,
    }  # fmt: skip
    assert energy_pJ(**neurram, adc_bits=3) == pytest.approx(4200, rel=0.02)
    assert energy_pJ(**neurram, adc_bits=8) == pytest.approx(6000, rel=0.02)
    assert float(price(**neurram, adc_bits=8).energy.dc_J) == 0


def test_energy_rises_linearly_with_the_rows_driven_and_falls_with_the_supply():
    rows = torch.tensor([0.0, 4.0, 8.0, 16.0, 64.0], dtype=torch.float64)
    batch = {**RRAM, "rows_read": rows, "dot_product_length": 64}
    found = price(**batch).energy.total_J
    slopes = found.diff() / rows.diff()
    torch.testing.assert_close(slopes, slopes[:1].expand(4), rtol=1e-9, atol=0)
    at_zero = price(**{**batch, "rows_read": 0.0}).energy
    torch.testing.assert_close(at_zero.total_J, at_zero.converters_J + at_zero.fixed_J)
    volts = torch.tensor([0.5, 0.7, 0.9, 1.1], dtype=torch.float64)
    assert bool((price(**{**RRAM, "vdd_V": volts}).energy.total_J.diff() > 0).all())


def test_columns_that_nobody_reads_cost_their_word_lines():
    assert energy_pJ(**{**RRAM, "cols": 1024}) > energy_pJ(**RRAM)


def test_a_known_current_and_time_give_ohms_law_exactly():
    # 64 converters x 4 rows x half of the inputs x 3 uA x 5 ns x 0.2 V
    known = {"cell_current_A": 3e-6, "sense_time_s": 5e-9, "cell_supply_V": 0.2}
    found = float(price(**RRAM, **known).energy.dc_J)
    assert found == pytest.approx(64 * 4 * 0.5 * 3e-6 * 5e-9 * 0.2, rel=1e-12, abs=0)
    from_supply = float(price(**RRAM, cell_current_A=3e-6, sense_time_s=5e-9).energy.dc_J)
    assert from_supply == pytest.approx(found * 0.8 / 0.2, rel=1e-12, abs=0)


def test_a_ramp_compares_once_per_level():
    plain, ramp = price(**RRAM), price(**RRAM, adc_kind="ramp")
    bits = float(torch.log2(torch.tensor(4.0 * 15 + 1)))
    bits = min(bits, 4.0)
    ratio = (2**bits - 1) / bits
    assert float(ramp.energy.converters_J / plain.energy.converters_J) == pytest.approx(ratio)
    assert float(ramp.latency_s / plain.latency_s) == pytest.approx(ratio)


def test_every_kind_of_converter_is_declared_once():
    assert set(CONVERTERS) == set(CONVERTER_KINDS)
    for name, law in CONVERTERS.items():
        assert law.name == name
        assert min(len(law.description), len(law.source)) > 20


def test_a_flash_has_a_comparator_per_level():
    plain, flash = price(**RRAM), price(**RRAM, adc_kind="flash")
    assert float(flash.energy.converters_J / plain.energy.converters_J) == pytest.approx(15 / 4)
    assert float(flash.area.converters_m2 / plain.area.converters_m2) == pytest.approx(15 / 4)
    assert float(flash.latency_s) == float(plain.latency_s)


def test_an_oscillator_counts_all_levels():
    """By hand: 22 nm at 0.8 V, X = 4^0.33; 5.6 fF x 4 bits, and half of 15 counts of 14 fF."""
    plain, counting = price(**RRAM), price(**RRAM, adc_kind="oscillator")
    each_fJ = (5.6 * 4 + 0.5 * 15 * 14) * (0.103 / 0.127) ** 0.5 * 0.8**2 * 4**0.33
    assert float(counting.energy.converters_J) * 1e15 == pytest.approx(64 * each_fJ, rel=1e-3)
    assert float(counting.latency_s - plain.latency_s) == pytest.approx(15 * 37 * 10e-12, rel=1e-6)


def test_hermes_counts_300_ps_a_level():
    """The chip that the constant is from: 255 counts at 14 nm."""
    inputs = {
        "memory": "pcm", "sensing": "current", "node_m": 14e-9, "rows": 256, "cols": 256,
        "adcs": 256, "adc_bits": 8, "input_bits": 8, "weight_bits": 4,
    }  # fmt: skip
    longer = price(**inputs, adc_kind="oscillator").latency_s - price(**inputs).latency_s
    assert float(longer) / 255 == pytest.approx(300e-12, rel=0.03)


@pytest.mark.parametrize("kind", CONVERTER_KINDS)
def test_more_bits_never_take_less(kind):
    bits = torch.linspace(1, 14, 27, dtype=torch.float64)
    many = {**RRAM, "rows_read": 256, "weight_bits": 8, "adc_bits": bits, "adc_kind": kind}
    found = price(**many)
    for each in (found.energy.converters_J, found.latency_s, found.area.converters_m2):
        assert (each.diff() >= 0).all()
        assert (each > 0).all()


def test_what_the_designer_knows_replaces_the_formula():
    known = price(**RRAM, adc_energy_J=1e-13, cycle_s=4e-9)
    assert float(known.energy.converters_J) == pytest.approx(64e-13, abs=0)
    assert float(known.latency_s) == 4e-9
    assert float(known.formula_latency_s) == pytest.approx(float(price(**RRAM).latency_s), abs=0)


def test_a_converter_tells_no_more_than_the_sum_has():
    # Nine terms of one bit by one bit have ten levels.
    macro = MacroBatch.of(**{**RRAM, "rows_read": 9, "input_bits": 1, "adc_bits": 8})
    assert float(macro.resolution_bit) == pytest.approx(3.3219, abs=1e-4)


def test_array_supply_of_old_parts_is_not_that_of_the_core():
    assert energy_pJ(**{**RRAM, "vdd_V": 4.2}) == pytest.approx(energy_pJ(**{**RRAM, "vdd_V": 1.8}))


def test_unknown_inputs_are_refused_by_name():
    with pytest.raises(ValueError, match="adc_bit"):
        MacroBatch.of(memory="sram", sensing="digital", adc_bit=3)


@st.composite
def macros(draw):
    def number(low, high):
        return draw(st.floats(low, high))

    def maybe(low, high):
        return draw(st.none() | st.floats(low, high))

    return {
        "memory": draw(st.sampled_from(MACRO_MEMORIES)),
        "sensing": draw(st.sampled_from(MACRO_SENSINGS)),
        "adc_kind": draw(st.sampled_from(CONVERTER_KINDS)),
        "scope": draw(st.sampled_from(MACRO_SCOPES)),
        "node_m": number(3e-9, 180e-9), "vdd_V": maybe(0.4, 5.0),
        "rows": number(1, 4096), "cols": number(1, 4096), "rows_read": maybe(1, 4096),
        "rows_per_bitline": maybe(1, 4096), "adcs": number(1, 512), "adc_bits": number(1, 14),
        "input_bits": number(1, 8), "weight_bits": number(1, 8), "phases": number(1, 8),
        "activity": maybe(0, 1), "cell_current_A": maybe(0, 1e-4), "sense_time_s": maybe(0, 1e-6),
        "adc_energy_J": maybe(0, 1e-12), "cycle_s": maybe(1e-10, 1e-6),
    }  # fmt: skip


def numbers(cost, name=""):
    for entry in dataclasses.fields(cost):
        value = getattr(cost, entry.name)
        yield from numbers(value) if dataclasses.is_dataclass(value) else [(entry.name, value)]


@settings(max_examples=25, deadline=None)
@given(st.lists(macros(), min_size=2, max_size=5))
def test_every_row_of_a_batch_equals_the_scalar_call(members):
    batch = MacroBatch.stack([MacroBatch.of(**member) for member in members])
    found = dict(numbers(price_macro(macro=batch)))
    for row, member in enumerate(members):
        for name, value in numbers(price_macro(macro=MacroBatch.of(**member))):
            assert torch.isfinite(value).all()
            assert float(value) >= 0
            torch.testing.assert_close(found[name][row], value, rtol=1e-12, atol=0, msg=name)


def test_gradients_are_finite_where_inputs_are_unknown():
    volts = torch.tensor([0.6, 0.8], dtype=torch.float64, requires_grad=True)
    found = price(**{**RRAM, "vdd_V": volts})
    (gradient,) = torch.autograd.grad(found.energy.total_J.sum() * 1e12, volts)
    assert bool(torch.isfinite(gradient).all())
    assert bool((gradient > 0).all())
