"""Every device preset: complete, sourced, valid, and calibrated to what it says."""

from __future__ import annotations

import pytest

from archsim.config.load import load_preset, preset_names
from archsim.config.schema import DeviceFile
from archsim.device import pulse_law, write_verify_closed_form
from archsim.units import TO_SI

DEVICES = ("fefet", "pcm", "rram", "sram", "stt-mram")
KEYS = {
    *("name", "memory", "description", "max_bits_per_cell", "r_on", "r_off", "access"),
    *("v_write", "pulse_width", "write_energy", "verify_read_time", "verify_read_energy"),
    *("sigma", "sigma_profile", "write_verify", "stuck_on_rate", "stuck_off_rate"),
    *("drift_nu", "drift_nu_sigma", "read_noise_sigma", "endurance_cycles"),
}
STEP_KEYS = {"model", "tolerance", "max_pulses", "step_gain", "step_sigma"}
#: Words and the profile: everything else that is a number must be a sourced constant.
PLAIN = {"name", "memory", "description", "access", "sigma_profile", "model"}


def constants(name):
    document = load_preset("device", name)
    pairs = [*document.items(), *(document["write_verify"] or {}).items()]
    return {
        key: value
        for key, value in pairs
        if key not in PLAIN | {"write_verify"} and value is not None
    }


def test_all_five_devices_are_there():
    assert preset_names("device") == DEVICES


@pytest.mark.parametrize("name", DEVICES)
def test_keys_are_complete_and_valid(name):
    document = load_preset("device", name)
    assert set(document) == KEYS
    if document["write_verify"] is not None:
        assert set(document["write_verify"]) == STEP_KEYS
    assert DeviceFile.model_validate(document).name == name


@pytest.mark.parametrize("name", DEVICES)
def test_every_constant_has_a_unit_and_a_source(name):
    for key, constant in constants(name).items():
        assert isinstance(constant, dict), key
        assert constant["unit"] in TO_SI, key
        assert constant["source"] == "assumed" or len(constant["source"]) > 15, key
        if constant["source"] == "assumed":
            assert "range" in constant, key
        if "range" in constant:
            low, high = constant["range"]
            assert low <= constant["value"] <= high, key
            assert low < high, key


def write_verify(name):
    device = DeviceFile.model_validate(load_preset("device", name))
    loop = device.write_verify
    return {
        "model": loop.model,
        "sigma": device.sigma.si,
        "tolerance": loop.tolerance.si,
        "max_pulses": loop.max_pulses.si,
        "step_gain": None if loop.step_gain is None else loop.step_gain.si,
        "step_sigma": None if loop.step_sigma is None else loop.step_sigma.si,
    }


@pytest.mark.parametrize("name", ["rram", "fefet", "pcm"])
def test_write_verify_meets_its_calibration_targets(name):
    """About 10 pulses and a residual sigma of 0.03: the assumed targets named in rram.yaml."""
    stats = write_verify_closed_form(**write_verify(name))
    assert float(stats.write_pulses) == pytest.approx(9.93, abs=0.01)
    assert float(stats.residual_sigma) == pytest.approx(0.0299, abs=1e-4)
    assert float(stats.unconverged_fraction) == pytest.approx(2.3e-4, abs=1e-5)
    slowest = pulse_law(**write_verify(name)).slowest_of(128)
    assert float(slowest) == pytest.approx(64.3, abs=0.1)


def test_mram_is_verified_for_switching_only():
    stats = write_verify_closed_form(**write_verify("stt-mram"))
    assert float(stats.write_pulses) == pytest.approx(1, abs=1e-5)
    assert float(stats.residual_sigma) == pytest.approx(0.1, rel=1e-4)


def test_reference_resistances():
    for name in ("rram", "fefet"):
        device = DeviceFile.model_validate(load_preset("device", name))
        assert (device.r_on.si, device.r_off.si) == (100e3, 1.7e6)
    assert DeviceFile.model_validate(load_preset("device", "rram")).v_write.si == 2
