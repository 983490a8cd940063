"""Published ADC models against the values in their papers."""

import pytest

from archsim.arch.design import DesignBatch
from archsim.config.resolve import resolve
from archsim.cost.component.adc_models import published
from archsim.errors import ConfigError
from tests.refusals import tells


def conversion(model, bits, technology="32nm-lstp"):
    overrides = [f"chip.adc.model={model}", f"chip.adc.bits={bits}"]
    design = DesignBatch.from_resolved(
        resolve(chip="rram-22nm-neurosim", technology=technology, overrides=overrides)
    )
    return published(design=design)


@pytest.mark.parametrize(
    ("bits", "energy_pJ"), [(4, 0.92), (5, 0.94), (7, 1.31), (8, 1.71), (10, 3.31)]
)
def test_andrulis_energy_at_32_nm(bits, energy_pJ):
    # Table of values at 32 nm up to 100 MHz recomputed from arXiv 2404.06553; printed to 0.01 pJ.
    assert float(conversion("andrulis2024", bits).energy_J) * 1e12 == pytest.approx(
        energy_pJ, abs=0.01
    )


@pytest.mark.parametrize(("bits", "area_um2"), [(4, 3274), (10, 4796)])
def test_andrulis_area_at_32_nm(bits, area_um2):
    assert float(conversion("andrulis2024", bits).area_m2) * 1e12 == pytest.approx(
        area_um2, rel=1e-3
    )


def test_zigzag_by_hand():
    # 8 bits, 128 rows, Vdd 0.9 V: E = (100*8 + 0.001*4^8) fF * 0.81 = 865.536 fF * 0.81 V^2;
    # t = 8 (0.00653*128 + 0.640) ns; A = 10^(1.206 - 0.0369*8) 2^8 um2.
    found = conversion("zigzag-imc", 8)
    assert float(found.energy_J) == pytest.approx(865.536e-15 * 0.81, rel=1e-12, abs=0)
    assert float(found.time_s) == pytest.approx(
        8 * (0.00653 * 128 + 0.640) * 1e-9, rel=1e-12, abs=0
    )
    assert float(found.area_m2) == pytest.approx(10**0.9108 * 256e-12, rel=1e-12, abs=0)


def test_isaac_is_one_converter():
    found = conversion("isaac", 8)
    assert float(found.energy_J) == pytest.approx(1.67e-12, abs=0)
    with pytest.raises(ConfigError) as caught:
        conversion("isaac", 5)
    tells(str(caught.value), "chip.adc.bits = 5", "chip.adc.model = isaac", "8")


def test_circuit_model_is_not_replaced():
    assert conversion("circuit", 8) is None
