"""Cells without access device: 4 F^2, no series resistance, and what is said of them."""

from __future__ import annotations

import pytest

from archsim.api.map import map_network
from archsim.config.resolve import resolve
from archsim.cost.component.crossbar import crossbar
from archsim.cost.component.flip_flop import FlipFlop, flip_flop
from archsim.errors import ConfigError
from tests.designs import make_design, near, technology
from tests.refusals import refused

PASSIVE = "device.access=none"
F = 22e-9


def test_geometry_and_loads_by_hand() -> None:
    array = crossbar(design=make_design(PASSIVE))
    assert float(array.area_m2) == near(128 * 128 * 4 * F**2)
    assert float(array.r_series_ohm) == 0
    # 2 / (1 / 100k + 1 / 1.7M)
    assert float(array.r_mean_ohm) == near(2 / (1 / 1e5 + 1 / 1.7e6))
    # Wires of 0.2 fF/um alone; the line swings by the read voltage, at 8 turns of the mux.
    wire = 0.2e-9 * 128 * 2 * F
    assert float(array.c_wordline_F) == near(wire)
    assert float(array.row_energy_J) == near(8 * wire * 0.55**2)


@pytest.mark.parametrize("device", ["rram", "pcm", "stt-mram"])
def test_it_acts_and_says_so(device: str) -> None:
    one_bit = "chip.precision.bits_per_cell=1"
    plain = map_network("lenet3", device=device, overrides=[one_bit], chip="rram-22nm-neurosim")
    passive = map_network(
        "lenet3", device=device, overrides=[one_bit, PASSIVE], chip="rram-22nm-neurosim"
    )
    assert float(passive.cost.areas_m2["array"]) == near(float(plain.cost.areas_m2["array"]) / 12)
    (note,) = passive.to_dict()["notes"]
    assert "sneak" in note
    assert plain.to_dict()["notes"] == []


@pytest.mark.parametrize("device", ["sram", "fefet"])
def test_cells_that_are_transistors_have_no_other(device: str) -> None:
    overrides = ["chip.precision.bits_per_cell=1", "device.access=1t1r"]
    facts = {"code": "conflict", "field": "device.access", "value": "1t1r", "allowed": "none"}
    with refused(ConfigError, **facts):
        resolve(chip="rram-22nm-neurosim", device=device, overrides=overrides)


def test_incremental_write_verify_needs_its_steps() -> None:
    for key in ("step_gain", "step_sigma"):
        path = f"device.write_verify.{key}"
        with refused(ConfigError, code="conflict", field=path, value=None):
            resolve(chip="rram-22nm-neurosim", device="pcm", overrides=[f"{path}=null"])


def test_a_register_wider_than_its_place_keeps_its_area() -> None:
    """Seven bits in a place half as wide, or half as tall, as a bit: folded, none of it lost."""
    register: FlipFlop = flip_flop(technology("22nm-lstp"))
    bits = register.width_m * 0 + 7
    narrow, low = register.width_m / 2, register.height_m / 2
    area = 7 * float(register.area_m2)
    assert float(register.height_in_width(bits, narrow) * narrow) == near(area)
    assert float(register.width_in_height(bits, low) * low) == near(area)
    # One that just fits is not folded.
    assert float(register.height_in_width(bits, register.width_m)) == near(
        7 * float(register.height_m)
    )
