"""`archsim.macro`: one bank as published, intervals, warnings, and macros that cannot be."""

from __future__ import annotations

import math

import pytest

import archsim
from archsim.config.load import load_preset, preset_names
from archsim.config.macro import load_macro
from archsim.errors import ArchsimError, Code, ConfigError


@pytest.mark.parametrize("name", preset_names("macro"))
def test_every_shipped_macro_is_priced_beside_what_was_published(name):
    found = archsim.macro(name)
    assert found.measured
    energy = [entry for entry in found.measured if entry.metric == "energy"]
    assert energy
    # Nothing is fitted chip by chip, so this is wide; a slip of a unit is wider.
    assert all(1 / 40 < entry.factor < 40 for entry in energy)
    figures = found.figures
    assert sum(found.energy_pJ.values()) == pytest.approx(figures["energy_pJ"].value)
    assert sum(found.area_mm2.values()) == pytest.approx(figures["bank_area_mm2"].value)


@pytest.mark.parametrize("name", preset_names("macro"))
def test_every_input_of_a_shipped_macro_has_a_source(name):
    document = load_preset("macro", name)
    assert len(document["input_sources"]["default"]) > 20
    assert set(document["input_sources"]) - {"default"} <= {
        *document["macro"], "adc_kind",
    }  # fmt: skip


def test_there_are_the_chips_that_were_asked_for():
    memories = [load_macro(name).macro.memory for name in preset_names("macro")]
    assert len(memories) >= 10
    assert {"rram", "mram", "pcm", "flash"} <= set(memories)
    assert memories.count("sram") >= 3


def test_figures_go_together():
    found = archsim.macro("tsmc-rram-22nm").figures
    operations, seconds = found["operations_1b"].value, found["latency_ns"].value * 1e-9
    assert operations == 2 * 4 * 64
    assert found["tops_1b"].value == pytest.approx(operations / seconds / 1e12)
    joules = found["energy_pJ"].value * 1e-12
    assert found["tops_per_W_1b"].value == pytest.approx(operations / joules / 1e12)
    low, high = found["energy_pJ"].interval90
    assert math.sqrt(low * high) == pytest.approx(found["energy_pJ"].value)
    inner = found["energy_pJ"].interval80
    assert low < inner[0] < inner[1] < high


def test_a_given_cycle_is_used_and_the_formula_stands_beside_it():
    found = archsim.macro("hermes", overrides=["macro.cycle_ns=132.9"])
    assert found.figures["latency_ns"].value == pytest.approx(132.9)
    assert found.figures["latency_ns"].interval90 is None
    assert found.formula_latency_ns == pytest.approx(archsim.macro("hermes").formula_latency_ns)
    assert any("cycle_ns" in line for line in found.warnings)
    assert found.measured == ()


def test_outside_of_the_calibration_is_said():
    found = archsim.macro("hermes", overrides=["macro.adc_bits=12", "macro.node_nm=3"])
    assert any("macro.adc_bits = 12" in line for line in found.warnings)
    assert any("macro.node_nm = 3" in line for line in found.warnings)
    assert any("flash" in line for line in archsim.macro("eflash-55nm").warnings)


@pytest.mark.parametrize(
    ("settings", "field", "allowed"),
    [
        (["macro.sensing=digital", "macro.adc_bits=null"], "macro.sensing", "current"),
        (["macro.sensing=charge-redistribution"], "macro.sensing", "time-domain"),
        (["macro.rows_read=2000"], "macro.rows_read", "1024"),
        (["macro.adc_bits=null"], "macro.adc_bits", "16"),
        (["macro.cols_per_adc=100"], "macro.cols_per_adc", "512"),
        (["macro.cols_per_adc=null", "macro.cols=1"], "macro.adcs", "at most"),
        (["macro.cell_current_uA=3"], "macro.cell_current_uA", "sense_time_ns"),
        (["macro.cell_supply_V=0.2"], "macro.cell_supply_V", "sense_time_ns"),
        (
            ["macro.memory=sram", "macro.cell_current_uA=3", "macro.sense_time_ns=3"],
            "macro.cell_current_uA",
            "non-volatile",
        ),
    ],
)
def test_parts_that_cannot_go_together_are_refused_with_what_fits(settings, field, allowed):
    with pytest.raises(ConfigError) as caught:
        archsim.macro("tsmc-rram-22nm", overrides=settings)
    problem = next(entry for entry in caught.value.problems if entry.field == field)
    assert problem.code == Code.CONFLICT
    assert allowed in problem.allowed


@pytest.mark.parametrize("setting", ["adc_bits=4", "adc_kind=ramp"])
def test_a_digital_macro_has_no_converters(setting):
    with pytest.raises(ConfigError) as caught:
        archsim.macro("digital-28nm", overrides=[f"macro.{setting}"])
    assert caught.value.field == f"macro.{setting.partition('=')[0]}"


@pytest.mark.parametrize(
    "setting", ["macro.rows=0", "macro.adc_bits=99", "macro.memory=glue", "macro.nothing=1"]
)
def test_values_out_of_the_schema_are_refused(setting):
    with pytest.raises(ArchsimError) as caught:
        archsim.macro("tsmc-rram-22nm", overrides=[setting])
    assert "macro." + setting.split("=")[0].split(".")[1] in str(caught.value) or "unknown" in str(
        caught.value
    )


def test_curves_show_ohms_law():
    from archsim.api.macro_curves import macro_curves

    cells, rows, supply = macro_curves("tsmc-rram-22nm").curves
    # The cells' part falls with their resistance: V^2 t / R.
    product = [ohm * pJ for ohm, pJ in zip(cells.x, cells.current_pJ, strict=True)]
    assert product == pytest.approx([product[0]] * len(product))
    per_row = [pJ / row for row, pJ in zip(rows.x, rows.current_pJ, strict=True)]
    assert per_row == pytest.approx([per_row[0]] * len(per_row))
    assert list(supply.energy_pJ) == sorted(supply.energy_pJ)
