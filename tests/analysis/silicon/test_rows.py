"""Tables of published macros: the rule from a row to a design, and rows that have no price."""

from __future__ import annotations

import math

import pytest

from archsim.analysis.silicon.compare import calibration_table
from archsim.analysis.silicon.rows import read_macros, read_row
from archsim.arch.macro import CONVERTER_KINDS, MACRO_MEMORIES, MACRO_SENSINGS
from archsim.errors import Code, DataError

ROW = {
    "macro": "a chip", "node_nm": "28", "memory": "sram", "cell": "SRAM 9T1C QR", "sensing": "QR",
    "array_rows": "128", "array_cols": "128", "dot_product_length": "128", "adcs": "32",
    "adc_bits": "6", "input_bits": "2", "weight_bits": "4", "invocations_per_mvm": "2",
    "vdd_V": "0.8", "energy_per_invocation_pJ": "23.141", "invocation_latency_ns": "72.8",
    "bank_area_mm2": "0.030992", "cols_per_adc": "4", "rows_per_bitline": "128", "scope": "macro",
}  # fmt: skip


def test_a_row_becomes_a_design():
    row = read_row(ROW)
    assert row.reason == ""
    assert row.klass == "sram"
    design = row.design
    assert (float(design.adcs), float(design.terms), float(design.phases)) == (32, 128, 2)
    assert float(design.cell_transistors) == 9
    assert MACRO_SENSINGS[int(design.sensing)] == "charge-redistribution"
    assert row.energy_J == pytest.approx(23.141e-12, abs=0)
    assert row.area_m2 == pytest.approx(0.030992e-6, abs=0)


def test_nothing_that_was_measured_enters_the_design():
    measured = ("energy_per_invocation_pJ", "invocation_latency_ns", "bank_area_mm2")
    bare = read_row({**ROW, **dict.fromkeys(measured, "")})
    assert (bare.energy_J, bare.latency_s, bare.area_m2) == (None, None, None)
    full = read_row(ROW)
    for name, value in vars(full.design).items():
        other = vars(bare.design)[name]
        assert value.isnan().all() == other.isnan().all()
        assert bool((value == other).all()) or bool(value.isnan().all()), name


def test_missing_optional_columns_have_defaults():
    few = ("macro", "node_nm", "memory", "sensing", "adcs", "adc_bits", "dot_product_length")
    row = read_row({key: ROW[key] for key in few})
    assert row.reason == ""
    assert float(row.design.cols) == 64
    assert math.isnan(float(row.design.vdd_V))
    assert "vdd_V is not known" in row.notes


def test_energy_follows_from_the_efficiency():
    row = read_row({**ROW, "energy_per_invocation_pJ": "", "tops_per_W_1b": "2832"})
    assert row.energy_J == pytest.approx(2 * 128 * 32 * 8 / 2832e12, rel=1e-6, abs=0)


def test_areas_that_rounding_spoils_are_not_compared():
    row = read_row({**ROW, "flags": "area known to +-181 % (rounded source)"})
    assert row.area_m2 is None
    assert row.energy_J is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows_read": "256"}, "rows_read = 256 is more than array_rows = 128"),
        ({"cols_per_adc": "100"}, "25 times the cells"),
        ({"adc_bits": "8b"}, "adc_bits = '8b' is no number"),
        ({"adc_bits": ""}, "adc_bits is not known"),
        ({"vdd_V": "800"}, "vdd_V = 800"),
        ({"node_nm": ""}, "node_nm is not known"),
        ({"adcs": "", "cols_per_adc": ""}, "adcs is not known"),
        ({"adcs": "-3"}, "adcs = -3"),
        ({"adcs": "0"}, "adcs = 0"),
        ({"memory": "photonic"}, "memory = 'photonic'"),
        ({"sensing": "XX"}, "sensing = 'XX'"),
        ({"sensing": "", "cell": "Digital 8T"}, "not an in-memory macro"),
        (
            {"dot_product_length": "", "rows_read": "", "array_rows": "", "rows_per_bitline": ""},
            "neither dot_product_length",
        ),
    ],
)
def test_rows_without_a_price_say_why(change, said):
    row = read_row({**ROW, **change})
    assert row.design is None
    assert said in row.reason


@pytest.mark.parametrize(
    ("said", "kind"),
    [("", "binary-search"), ("SAR", "binary-search"), ("flash", "flash"), ("CCO", "oscillator")],
)
def test_words_for_converters(said, kind):
    design = read_row({**ROW, "adc_kind": said}).design
    assert CONVERTER_KINDS[int(design.adc_kind)] == kind
    assert "adc_kind = 'odd'" in read_row({**ROW, "adc_kind": "odd"}).reason


def test_odd_combinations_are_priced_and_noted():
    row = read_row({**ROW, "memory": "rram", "cell": "", "scope": "SoC"})
    assert (row.reason, row.klass) == ("", "nvm")
    assert any("rram with sensing charge-redistribution" in note for note in row.notes)
    assert any("'SoC'" in note for note in row.notes)


@pytest.mark.parametrize(
    ("column", "value"),
    [("input_bits", "2000"), ("weight_bits", "64"), ("dot_product_length", "1e9"), ("adcs", "1e7")],
)
def test_slips_of_digits_are_refused(column, value):
    said = read_row({**ROW, column: value}).reason
    assert column in said
    assert "allowed" in said


@pytest.mark.parametrize(
    ("memory", "cell", "found"),
    [("ReRAM", "", "rram"), ("", "eNVM ReRAM+Par IS", "rram"), ("STT-MRAM", "", "mram"),
     ("eFlash", "", "flash"), ("", "eDRAM 3T QS", "edram")],
)  # fmt: skip
def test_words_for_memories(memory, cell, found):
    row = read_row({**ROW, "memory": memory, "cell": cell})
    assert MACRO_MEMORIES[int(row.design.memory)] == found


def test_the_shipped_table_is_read_whole():
    rows = read_macros(calibration_table())
    assert len(rows) == 59
    priced = {(row.klass, row.macro) for row in rows if row.design is not None}
    counts = {klass: sum(k == klass for k, _ in priced) for klass in ("nvm", "sram", "digital")}
    assert counts == {"nvm": 9, "sram": 25, "digital": 7}
    assert all(row.reason for row in rows if row.design is None)


def test_files_that_are_no_table_of_macros_are_refused(tmp_path):
    file = tmp_path / "t.csv"
    with pytest.raises(DataError) as caught:
        read_macros(file)
    assert caught.value.code == Code.CANNOT_READ
    file.write_text("a,b\n1,2\n")
    with pytest.raises(DataError) as caught:
        read_macros(file)
    assert caught.value.value == ["macro", "node_nm"]
    file.write_text("macro,node_nm\n")
    with pytest.raises(DataError) as caught:
        read_macros(file)
    assert caught.value.code == Code.EMPTY
