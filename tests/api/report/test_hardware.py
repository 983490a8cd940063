"""What methods of a study are to the cost engine."""

from __future__ import annotations

from typing import Any

import pytest

from archsim.api.report.hardware import hardware_of, map_command
from archsim.config.resolve import resolve
from archsim.config.study import Study
from tsb.correction import CORRECTIONS
from tsb.correction.options import options_of

STUDY: dict[str, Any] = {
    "name": "small",
    "network": "lenet3",
    "data": "mnist",
    "sigma": [0.2],
    "backbones": {"noise": {}},
    "methods": [{"name": "plain"}],
}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ({"corrections": "biases"}, ["chip.correction.kind=bias", "chip.correction.layers=all"]),
        (
            {"corrections": "output-match"},
            ["chip.correction.kind=scale-and-bias", "chip.correction.layers=linear"],
        ),
        (
            {"write": "swim", "fraction": 0.1},
            ["chip.programming.policy=fraction", "chip.programming.fraction=0.1"],
        ),
        ({"copies": {"fc.weight": 2}}, ["chip.hierarchy.linear_copies=2"]),
        ({"corrections": "tsb", "verify": False}, ["chip.programming.policy=none"]),
        (
            {"corrections": "last-layers"},
            [
                "chip.programming.policy=last-layers",
                "chip.programming.last_layers=1",
                "chip.programming.rewritten_layers=1",
            ],
        ),
        (
            {"corrections": "last-layers", "verify": False},
            ["chip.programming.policy=none", "chip.programming.rewritten_layers=1"],
        ),
        (
            {"write": "last-layers", "last_layers": 2},
            ["chip.programming.policy=last-layers", "chip.programming.last_layers=2"],
        ),
    ],
)
def test_settings_of_methods(method, expected):
    study = Study.model_validate({**STUDY, "methods": [{"name": "it", **method}]})
    found = hardware_of(study, study.methods[0], 0.2)
    assert set(expected) <= set(map(str, found.overrides or ()))


def hardware(method: dict[str, Any], **changes: Any):
    study = Study.model_validate({**STUDY, **changes, "methods": [{"name": "it", **method}]})
    return hardware_of(study, study.methods[0], study.sigma[0])


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("name", list(CORRECTIONS))
def test_every_correction_has_a_price_or_says_why_not(name, verify):
    """Settings that the chip takes, and none of them free: they differ, or a note says why."""
    options = options_of(CORRECTIONS[name]).values()
    given = ",".join(f"{each.name}={each.example}" for each in options if each.is_required)
    found = hardware({"corrections": f"{name}:{given}", "verify": verify})
    plain = hardware({})
    if found.overrides is None:
        assert found.notes[0].startswith(name)
        return
    assert resolve(device="rram", overrides=found.overrides)
    assert found.overrides != plain.overrides or found.notes


@pytest.mark.parametrize(
    ("corrections", "compensation", "kind"),
    [
        ("", "layer", "layer-scale"),
        ("", "column", "scale"),
        ("biases", "layer", "scale-and-bias"),
        ("output-match", "column", "scale-and-bias"),
    ],
)
def test_a_compensation_of_drift_is_a_digital_scale_of_all_layers(
    corrections: str, compensation: str, kind: str
) -> None:
    drift = {"device": "pcm", "read_after_s": 3600.0, "compensation": compensation}
    found = hardware({"corrections": corrections}, **drift)
    settings = dict(str(each).split("=") for each in found.overrides or ())
    assert settings["chip.correction.kind"] == kind
    assert settings["chip.correction.layers"] == "all"
    assert any("reference reads" in note for note in found.notes)


@pytest.mark.parametrize("corrections", ["own-blocks+tsb", "low-rank+biases", "last-layers:5"])
@pytest.mark.parametrize("verify", [True, False])
def test_what_cannot_be_priced_is_not_free(corrections, verify):
    found = hardware({"corrections": corrections, "verify": verify})
    assert found.overrides is None
    assert found.notes


def test_numbers_travel_as_they_are():
    """0.1 of the range of a device with another reference, to the last bit."""
    found = hardware({}, device="stt-mram", bits_per_cell=1, sigma=[0.1])
    sigma = next(each.value for each in found.overrides if each.path == "device.sigma")
    device = resolve(device="stt-mram", overrides=found.overrides).device
    assert sigma == 0.1 / device.range_factor
    assert device.sigma.si == sigma


def test_a_spread_of_the_maximum_is_converted():
    """stt-mram says its spread relative to the maximum; a study relative to the range."""
    study = Study.model_validate({**STUDY, "device": "stt-mram", "bits_per_cell": 1})
    overrides = hardware_of(study, study.methods[0], 0.2).overrides or ()
    sigma = next(each.value for each in overrides if each.path == "device.sigma")
    assert sigma < 0.19


def test_command_of_a_method_maps_it():
    study = Study.model_validate({**STUDY, "methods": [{"name": "it", "write": "all"}]})
    overrides = hardware_of(study, study.methods[0], 0.2).overrides
    assert overrides is not None
    said = map_command(study, "none", "rram-22nm", overrides)
    assert said.startswith("archsim map lenet3 --design none --chip rram-22nm --device rram")
    assert "--set chip.programming.policy=all" in said
    other = study.model_copy(update={"options": {"widths": [2, 4]}})
    assert map_command(other, "none", "rram-22nm", overrides) == ""
