"""Every device preset: complete, sourced, valid, and calibrated to what it says."""

from __future__ import annotations

import pytest

from archsim.config.load import load_preset, preset_names
from archsim.config.resolve import resolve
from archsim.config.schema import DeviceFile
from archsim.device import pulse_law, write_verify_closed_form
from archsim.errors import ConfigError
from archsim.units import TO_SI

DEVICES = ("fefet", "pcm", "rram", "sram", "stt-mram")
#: The devices of NeFT (arXiv 2305.14561): preset -> what it extends and its factor s.
NEFT = {"rram1": ("rram", 1), "fefet2": ("fefet", 2), "rram4": ("rram", 4), "fefet6": ("fefet", 6)}
ALL = (*DEVICES, *NEFT)
KEYS = {
    *("name", "memory", "description", "max_bits_per_cell", "r_on", "r_off", "access"),
    *("v_write", "pulse_width", "write_energy", "verify_read_time", "verify_read_energy"),
    *("sigma", "sigma_profile", "write_verify", "stuck_on_rate", "stuck_off_rate"),
    *("device_to_device_share", "drift_start", "drift_nu", "drift_nu_sigma"),
    *("read_noise_sigma", "retention_time", "endurance_cycles"),
}
STEP_KEYS = {"model", "tolerance", "max_pulses", "step_gain", "step_sigma"}
#: Words and the profile: everything else that is a number must be a sourced constant.
PLAIN = {"name", "memory", "description", "access", "sigma_profile", "model"}


def constants(name):
    document = load_preset("device", name)
    pairs = [*document.items(), *(document["write_verify"] or {}).items()]
    pairs.append(("factor", document["sigma_profile"]["factor"]))
    return {
        key: value
        for key, value in pairs
        if key not in PLAIN | {"write_verify"} and value is not None
    }


def test_all_devices_are_there():
    assert preset_names("device") == tuple(sorted(ALL))


@pytest.mark.parametrize("name", NEFT)
def test_devices_of_neft_differ_from_their_base_in_the_profile_only(name):
    base, factor = NEFT[name]
    own, parent = load_preset("device", name), load_preset("device", base)
    changed = {key for key in own if own[key] != parent[key]}
    assert changed == {"name", "description", "sigma_profile"}
    profile = DeviceFile.model_validate(own).sigma_profile
    assert (profile.kind, profile.factor.si) == ("weight", factor)
    assert "2305.14561" in profile.factor.source


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("device.sigma_profile.factor", "4", "kind = uniform"),
        ("device.sigma_profile.kind", "middle", "'uniform', 'weight' or 'level'"),
        ("device.device_to_device_share", "1.5", "allowed: 0 to 1"),
        ("device.stuck_on_rate", "1.5", "allowed: at most 1"),
    ],
)
def test_impossible_spreads_are_refused(key, value, says):
    with pytest.raises(ConfigError, match=says):
        resolve(device="rram", overrides=[f"{key}={value}"])


def test_a_profile_can_be_chosen_by_overrides():
    overrides = ["device.sigma_profile.kind=level", "device.sigma_profile.factor=4"]
    profile = resolve(device="rram", overrides=overrides).device.sigma_profile
    assert (profile.kind, profile.factor.si) == ("level", 4)


@pytest.mark.parametrize("name", ALL)
def test_keys_are_complete_and_valid(name):
    document = load_preset("device", name)
    assert set(document) == KEYS
    if document["write_verify"] is not None:
        assert set(document["write_verify"]) == STEP_KEYS
    assert DeviceFile.model_validate(document).name == name


@pytest.mark.parametrize("name", ALL)
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
