"""Every device preset: complete, sourced, valid, and calibrated to what it says."""

from __future__ import annotations

import math

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.config.load import load_preset, preset_names
from archsim.config.resolve import resolve
from archsim.config.schema.device import DeviceFile
from archsim.config.write_laws import PULSE_KEYS
from archsim.device import WeightFormat, pulse_distribution, write_verify_closed_form
from archsim.device.cell_programmer import CellProgrammer, ChipStreams
from archsim.errors import ConfigError
from archsim.units import TO_SI
from tests.cell_models import cell_model
from tests.device.monte_carlo import seeded
from tests.refusals import refused, tells

DEVICES = ("fefet", "pcm", "rram", "rram-neurosim", "sram", "stt-mram")
#: The devices of NeFT (arXiv 2305.14561): preset -> what it extends and its factor s.
NEFT = {"rram1": ("rram", 1), "fefet2": ("fefet", 2), "rram4": ("rram", 4), "fefet6": ("fefet", 6)}
ALL = (*DEVICES, *NEFT)
KEYS = {
    *("name", "memory", "description", "max_bits_per_cell", "r_on", "r_off", "access"),
    *("write_law", *(key for key in PULSE_KEYS if key != "r_on")),
    *("verify_read_time", "verify_read_energy"),
    *("sigma", "sigma_profile", "write_verify", "stuck_on_rate", "stuck_off_rate"),
    *("device_to_device_share", "drift_start", "drift_nu", "drift_nu_sigma"),
    *(
        "read_noise_sigma",
        "read_noise_law",
        "verify_noise_sigma",
        "retention_time",
        "endurance_cycles",
    ),
    "spread_reference",
}
STEP_KEYS = {"model", "tolerance", "max_pulses", "step_gain", "step_sigma"}
#: Words and the profile: everything else that is a number must be a sourced constant.
PLAIN = {
    *("name", "memory", "description", "access", "sigma_profile", "model", "spread_reference"),
    "write_law",
}


def constants(name):
    document = load_preset("device", name)
    pairs = [*document.items(), *(document["write_verify"] or {}).items()]
    pairs += (document["read_noise_law"] or {}).items()
    pairs.append(("factor", document["sigma_profile"]["factor"]))
    return {
        key: value
        for key, value in pairs
        if key not in PLAIN | {"write_verify", "read_noise_law"} and value is not None
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
        ("device.sigma_profile.factor", "4", ["factor = 4", "uniform;"]),
        ("device.device_to_device_share", "1.5", ["device_to_device_share", "1.5", "0 to 1"]),
        ("device.stuck_on_rate", "1.5", ["stuck_on_rate", "1.5", "0 to 1"]),
    ],
)
def test_impossible_spreads_are_refused(key, value, says):
    with pytest.raises(ConfigError) as caught:
        resolve(device="rram", overrides=[f"{key}={value}"])
    tells(str(caught.value), "device", *says)


def test_an_unknown_profile_is_refused():
    facts = {"code": "unknown-name", "field": "device.sigma_profile.kind", "value": "middle"}
    with refused(ConfigError, **facts, allowed=["'uniform'", "'weight'", "'level'"]):
        resolve(device="rram", overrides=["device.sigma_profile.kind=middle"])


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
    cell = cell_model(resolve_device(name), bits_per_cell=1)
    return {
        "model": cell.write_model,
        "sigma": cell.sigma,
        "tolerance": cell.tolerance,
        "max_pulses": cell.max_pulses,
        "step_gain": cell.step_gain,
        "step_sigma": cell.step_sigma,
        "device_share": cell.device_share,
        "read_noise": cell.verify_noise_sigma,
    }


def resolve_device(name):
    return DeviceFile.model_validate(load_preset("device", name))


@pytest.mark.parametrize("name", ["rram", "fefet"])
def test_write_verify_meets_its_calibration_targets(name):
    """About 10 pulses and a residual sigma of 0.03: the assumed targets named in rram.yaml."""
    stats = write_verify_closed_form(**write_verify(name))
    assert float(stats.write_pulses) == pytest.approx(9.93, abs=0.01)
    assert float(stats.residual_sigma) == pytest.approx(0.0299, abs=1e-4)
    assert float(stats.unconverged_fraction) == pytest.approx(2.3e-4, abs=1e-5)
    slowest = pulse_distribution(**write_verify(name)).slowest_of(128)
    assert float(slowest) == pytest.approx(64.3, abs=0.1)


def test_pcm_leaves_what_was_measured_after_iterative_programming():
    """The polynomial of aihwkit, mean square over four levels, within 5 %."""
    level = torch.tensor([0, 1, 2, 3], dtype=torch.float64) / 3
    measured = ((0.26348 + 1.9650 * level - 1.1731 * level**2) / 25).square().mean().sqrt()
    device = resolve_device("pcm")
    stats = write_verify_closed_form(**write_verify("pcm"))
    left = float(stats.residual_sigma) / device.range_factor
    assert left == pytest.approx(float(measured), rel=0.05)
    assert float(stats.write_pulses) == pytest.approx(9.49, abs=0.01)


def test_mram_is_verified_for_switching_only():
    """Of cells 0.2 of the range about their state, 1.2 % lie beyond the middle, at every pulse."""
    stats = write_verify_closed_form(**write_verify("stt-mram"))
    beyond = math.erfc(0.5 / 0.2 / math.sqrt(2))
    assert float(stats.unconverged_fraction) == pytest.approx(beyond, rel=1e-6)
    assert float(stats.write_pulses) == pytest.approx(1 + 3 * beyond, rel=1e-6)
    assert float(stats.residual_sigma) == pytest.approx(0.2, rel=1e-4)


def test_spreads_of_the_maximum_are_in_siemens():
    """STT-MRAM: sigma 0.1 of 1 / 6 kohm, programmed cell by cell."""
    device = resolve_device("stt-mram")
    form = WeightFormat(weight_bits=1, bits_per_cell=1, encoding="magnitude")
    programmer = CellProgrammer(device=device, weight_format=form)
    codes = torch.ones(200_000, dtype=torch.int64)
    block = programmer.program(
        codes,
        verified=None,
        generator=seeded(1),
        chip=ChipStreams(device=seeded(2), defects=seeded(3)),
    )
    low_S, high_S = 1 / device.r_off.si, 1 / device.r_on.si
    conductances_S = low_S + block.levels.double().flatten() * (high_S - low_S)
    assert float(conductances_S.std()) == pytest.approx(0.1 * high_S, rel=5 / math.sqrt(4e5))
    assert float(conductances_S.mean()) == pytest.approx(high_S, rel=1e-3)
    assert cell_model(device, bits_per_cell=1).sigma == pytest.approx(0.2)


def test_the_engine_has_the_same_spreads():
    """Spreads of a design's cell distribution against the cell model of the trainer."""
    for name in ("pcm", "stt-mram", "rram4"):
        resolved = resolve(device=name, overrides=["chip.precision.bits_per_cell=1"])
        design = DesignBatch.from_resolved(resolved)
        cell = cell_model(resolved.device, bits_per_cell=1)
        factor = design.range_factor
        assert float(design.sigma * factor) == pytest.approx(cell.sigma, rel=1e-12)
        assert float(design.write_tolerance * factor) == pytest.approx(cell.tolerance, rel=1e-12)
        noise = float(design.verify_noise * factor)
        assert noise == pytest.approx(cell.verify_noise_sigma, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("device.sigma", 1.5, "0 to 1"),
        ("device.read_noise_sigma", 5.0, "0 to 1"),
        ("device.verify_noise_sigma", -1.0, ">= 0"),
        ("device.write_verify.step_gain", 3.0, "0 to 2"),
        ("device.write_verify.step_sigma", 2.0, "0 to 1"),
    ],
)
def test_impossible_steps_and_noises_are_refused(key, value, allowed):
    text = f"{{value: {value}, unit: 1, source: my own}}"
    with refused(ConfigError, code="out-of-range", field=key, value=value, allowed=allowed):
        resolve(device="rram", overrides=[f"{key}={text}"])


def test_a_spread_beyond_the_range_is_refused():
    with pytest.raises(ConfigError) as caught:
        resolve(device="stt-mram", overrides=["chip.precision.bits_per_cell=1", "device.sigma=0.6"])
    tells(str(caught.value), "device", "sigma = 0.6", "1.2", "0 to 0.5")


def test_reference_resistances():
    for name in ("rram", "fefet"):
        device = DeviceFile.model_validate(load_preset("device", name))
        assert (device.r_on.si, device.r_off.si) == (100e3, 1.7e6)
    assert DeviceFile.model_validate(load_preset("device", "rram")).v_write.si == 2


@pytest.mark.parametrize(
    ("name", "set_J", "reset_J", "published_J"),
    [
        ("rram", 2.0**2 / 100e3 * 100e-9, 1.6**2 / 100e3 * 100e-9, (1e-12, 1000e-12)),
        ("pcm", 1.2 * 150e-6 * 150e-9, 1.6 * 300e-6 * 40e-9, (5e-12, 100e-12)),
        ("stt-mram", 1.1**2 / 6e3 * 12e-9, 1.1**2 / 6e3 * 12e-9, (1e-12, 4e-12)),
        ("fefet", 100e-15 * 2.85**2, 100e-15 * 2.85**2, (0.0, 1.6e-12)),
        ("rram-neurosim", 0.6e-12, 0.6e-12, (0.1e-12, 1000e-12)),
    ],
)
def test_energy_of_a_pulse_by_hand_and_within_what_is_published(name, set_J, reset_J, published_J):
    """Published: COMPONENT_FACTS, after NVMExplorer; docs/write-verify.md has the table."""
    device = resolve_device(name)
    pulse = device.cell_pulse
    assert pulse.energy_J == pytest.approx((set_J + reset_J) / 2, rel=1e-12, abs=0)
    least, most = published_J
    assert all(least <= energy_J <= most for energy_J in (set_J, reset_J))


def test_pulse_of_pcm_takes_the_mean_time_and_the_power_of_reset():
    pulse = resolve_device("pcm").cell_pulse
    assert pulse.time_s == pytest.approx((150e-9 + 40e-9) / 2 + 50e-9, rel=1e-12)
    assert pulse.power_W == pytest.approx(1.6 * 300e-6, rel=1e-12)
