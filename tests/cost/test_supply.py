"""Laws of the supply voltage: delays, energies, leakage, and what is refused."""

from __future__ import annotations

import itertools
import math
from functools import cache

import pytest

from archsim.config.load import preset_names
from archsim.config.resolve import resolve
from archsim.cost.component.adc import supply_power
from archsim.errors import ConfigError
from archsim.results.cost import CostBreakdown
from tests.designs import Conv, make_design, make_table, near, price
from tests.refusals import refused

#: 22nm-lstp: tabulated supply, threshold, exponent, DIBL per volt, volts per decade.
V0, VTH, ALPHA, DIBL, SWING = 0.85, 0.40126, 1.3, 0.1, 0.1
SUPPLIES = (0.6, 0.7, 0.8, 0.9, 1.0)
LAYERS = (Conv(8, 3, 32, kernel=3, padding=1, pool=True), Conv(1, 512, 16))


@cache
def at(vdd: float, *settings: str) -> CostBreakdown:
    return price(make_design(f"technology.vdd={vdd}", *settings), make_table(*LAYERS))[1]


def slowness(vdd: float) -> float:
    """V / (V - Vth)^alpha over that at the tabulated supply (Sakurai and Newton 1990)."""
    return vdd / V0 * ((V0 - VTH) / (vdd - VTH)) ** ALPHA


@pytest.mark.parametrize("vdd", SUPPLIES)
def test_transistors_by_hand(vdd: float) -> None:
    technology = make_design(f"technology.vdd={vdd}").technology
    assert float(technology.slowness) == near(slowness(vdd))
    decades = DIBL * (vdd - V0) / SWING
    assert float(technology.leakage_n_A_per_m) == near(1e-4 * 10**decades)
    assert float(supply_power(technology)) == near((vdd / V0) ** 2 / slowness(vdd))


@pytest.mark.parametrize("kind", ["flash-current", "sar"])
def test_faster_at_a_higher_supply_for_more_energy_on_the_same_area(kind: str) -> None:
    found = [at(vdd, f"chip.adc.kind={kind}") for vdd in SUPPLIES]
    for low, high in itertools.pairwise(found):
        assert float(high.clock_s) < float(low.clock_s)
        assert float(high.latency_s) < float(low.latency_s)
        assert float(high.dynamic_energy_J) > float(low.dynamic_energy_J)
        assert float(high.leakage_power_W) > float(low.leakage_power_W)
        assert float(high.area_m2) == float(low.area_m2)


@pytest.mark.parametrize("component", ["array", "shift_add", "adder_tree", "buffer", "digital"])
@pytest.mark.parametrize("vdd", SUPPLIES)
def test_logic_goes_with_the_square(component: str, vdd: float) -> None:
    found = float(at(vdd).energies_J[component] / at(V0).energies_J[component])
    assert found == near((vdd / V0) ** 2)


def test_converters_of_a_sar_go_with_the_square() -> None:
    sar = "chip.adc.kind=sar"
    for vdd in SUPPLIES:
        found = float(at(vdd, sar).energies_J["adc"] / at(V0, sar).energies_J["adc"])
        assert found == near((vdd / V0) ** 2)


def test_leakage_is_supply_times_current() -> None:
    for vdd in SUPPLIES:
        found = float(at(vdd).leakage_power_W / at(V0).leakage_power_W)
        assert found == near(vdd / V0 * 10 ** (DIBL * (vdd - V0) / SWING))


def test_the_clock_is_that_of_its_parts() -> None:
    """A SAR conversion is all of the clock but a hundredth, and slows down like a gate."""
    sar = "chip.adc.kind=sar"
    assert float(at(0.6, sar).clock_s / at(V0, sar).clock_s) == near(slowness(0.6), rel=2e-2)


@pytest.mark.parametrize("name", preset_names("technology"))
def test_the_tabulated_supply_is_that_of_the_preset(name: str) -> None:
    file = resolve(chip="rram-22nm-neurosim", technology=name).technology
    assert file.vdd.si == file.tabulated_vdd.si
    assert file.node.si == file.tabulated_node.si
    technology = make_design(node=name).technology
    assert (float(technology.slowness), float(technology.drive)) == (1.0, 1.0)
    assert float(technology.leakage_p_A_per_m) == float(technology.i_off_p_A_per_m)
    assert math.isclose(file.vdd_min.si / file.vdd.si, 0.7, abs_tol=0.06)


@pytest.mark.parametrize("vdd", [0.4, 0.59, 1.01, 1.2])
def test_a_supply_out_of_range(vdd: float) -> None:
    facts = {"code": "conflict", "field": "technology.vdd", "value": vdd, "allowed": "0.6 to 1 V"}
    with refused(ConfigError, **facts):
        resolve(chip="rram-22nm-neurosim", overrides=[f"technology.vdd={vdd}"])


def test_a_published_converter_knows_no_supply() -> None:
    facts = {"code": "conflict", "field": "technology.vdd", "value": 0.8}
    with refused(ConfigError, **facts):
        resolve(
            chip="rram-22nm-neurosim",
            overrides=["technology.vdd=0.8", "chip.adc.model=andrulis2024"],
        )


@pytest.mark.parametrize("node", [5, 20, 45])
def test_a_node_is_not_torn_from_its_transistors(node: int) -> None:
    with refused(ConfigError, code="conflict", field="technology.node", value=near(node * 1e-9)):
        resolve(chip="rram-22nm-neurosim", overrides=[f"technology.node={node}"])


def test_a_kind_of_transistor_needs_its_numbers() -> None:
    with refused(ConfigError, code="conflict", field="technology.c_fin", value=0.0):
        resolve(chip="rram-22nm-neurosim", overrides=["technology.transistor=finfet"])
    with refused(ConfigError, code="conflict", field="technology.c_gate", value=0.0):
        resolve(
            chip="rram-22nm-neurosim",
            technology="14nm-lstp",
            overrides=["technology.transistor=planar"],
        )
