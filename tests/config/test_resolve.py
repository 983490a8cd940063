"""Unit: whole configurations: presets that hold, messages that help, hashes that tell apart."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.config.checked import validate_model
from archsim.config.load import load_preset, preset_names
from archsim.config.resolve import DEFAULT_CHIP, Resolved, resolve, tsb_preset_for
from archsim.config.schema.adc import AndrulisAdc, IsaacAdc, ZigzagAdc
from archsim.config.schema.chip import Chip
from archsim.config.schema.device import DeviceFile
from archsim.config.schema.technology import TechnologyFile
from archsim.config.schema.tsb import Tsb
from archsim.errors import NOT_GIVEN, ConfigError
from tests.refusals import holds, refused, tells

ONE_BIT = {"sram", "stt-mram"}


# --- presets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", preset_names("chip"))
def test_every_chip_resolves(name: str) -> None:
    found = resolve(chip=name)
    assert found.chip.name == name
    assert found.technology.name == found.chip.technology
    assert found.device.name == found.chip.device


@pytest.mark.parametrize(
    ("technology", "device"),
    list(itertools.product(preset_names("technology"), ("rram", "sram")))
    + [("22nm-lstp", device) for device in preset_names("device")],
)
def test_every_technology_and_device_resolves(technology: str, device: str) -> None:
    bits = ["chip.precision.bits_per_cell=1"] if device in ONE_BIT else []
    found = resolve(technology=technology, device=device, overrides=bits)
    assert (found.technology.name, found.device.name) == (technology, device)
    assert (found.chip.technology, found.chip.device) == (technology, device)


@pytest.mark.parametrize("name", preset_names("tsb"))
def test_every_shared_block_resolves(name: str) -> None:
    assert resolve(tsb=name).tsb.name == name


@pytest.mark.parametrize("name", preset_names("adc"))
def test_every_adc_model_is_valid(name: str) -> None:
    models: dict[str, type[AndrulisAdc | ZigzagAdc | IsaacAdc]] = {
        "andrulis2024": AndrulisAdc,
        "zigzag-imc": ZigzagAdc,
        "isaac": IsaacAdc,
    }
    assert validate_model(models[name], load_preset("adc", name), "adc").name == name


def test_presets_are_named_like_their_files() -> None:
    models: dict[str, type[Chip | DeviceFile | TechnologyFile | Tsb]] = {
        "chip": Chip,
        "device": DeviceFile,
        "technology": TechnologyFile,
        "tsb": Tsb,
    }
    for kind, model in models.items():
        for name in preset_names(kind):
            assert validate_model(model, load_preset(kind, name), kind).name == name


def test_shared_block_of_a_network() -> None:
    assert tsb_preset_for("lenet3") == "paper-lenet3"
    assert tsb_preset_for("resnet18-cifar-nodown") == "paper"


def test_technology_and_device_by_override_equal_those_by_name() -> None:
    by_name = resolve(technology="45nm-lstp", device="fefet")
    by_path = resolve(overrides=["chip.technology=45nm-lstp", "chip.device=fefet"])
    assert by_name == by_path


def test_a_device_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: rram\nname: mine\nr_on: {value: 50, unit: kohm, source: lab}\n")
    found = resolve(device=str(path))
    assert found.device.name == "mine"
    assert found.device.r_on is not None
    assert found.device.r_on.si == 50e3


# --- messages: path, value, what is allowed -------------------------------------------------------

#: Override: code, field, value, what is allowed.
BAD: dict[str, tuple[str, str, object, str | tuple[str, ...]]] = {
    "chip.crossbar.rows=0": ("out-of-range", "chip.crossbar.rows", 0, ">= 1"),
    "chip.crossbar.cols=-128": ("out-of-range", "chip.crossbar.cols", -128, ">= 1"),
    "chip.crossbar.rows=4097": ("out-of-range", "chip.crossbar.rows", 4097, "<= 4096"),
    "chip.crossbar.rows=128.5": ("wrong-type", "chip.crossbar.rows", 128.5, ()),
    "chip.crossbar.rows=many": ("wrong-type", "chip.crossbar.rows", "many", ()),
    "chip.crossbar.rows=true": ("wrong-type", "chip.crossbar.rows", True, ()),
    "chip.crossbar.rows=null": ("wrong-type", "chip.crossbar.rows", None, ()),
    "chip.crossbar.mux_ratio=5": ("out-of-range", "chip.crossbar.mux_ratio", 5, "4, 8, 16, 32"),
    "chip.adc.bits=15": ("out-of-range", "chip.adc.bits", 15, "<= 14"),
    "chip.adc.bits=2.58": ("wrong-type", "chip.adc.bits", 2.58, "3"),
    "chip.adc.kind=flash": ("unknown-name", "chip.adc.kind", "flash", ("'sar'",)),
    "tsb.channels=0": ("out-of-range", "tsb.channels", 0, ">= 1"),
    "chip.hierarchy.max_tiles=0": ("out-of-range", "chip.hierarchy.max_tiles", 0, ">= 1"),
    "device.r_on={value: 5, unit: nm, source: lab}": (
        "unknown-name",
        "device.r_on.unit",
        "nm",
        ("ohm", "kohm"),
    ),
    "device.r_on={value: 5, unit: parsec, source: lab}": (
        "unknown-name",
        "device.r_on.unit",
        "parsec",
        ("ohm", "kohm"),
    ),
    "chip.read.access_voltage=-1": ("out-of-range", "chip.read.access_voltage", -1.0, ">= 0.01"),
    "device.r_on={value: [1, 2], unit: kohm, source: lab}": (
        "shape-mismatch",
        "device.r_on",
        (1, 2),
        "exactly 1",
    ),
    "device.r_on={value: 5, unit: kohm}": ("missing-key", "device.r_on.source", NOT_GIVEN, ()),
    "device.r_on=.inf": ("not-finite", "device.r_on.value", math.inf, "finite number"),
    "device.r_on=.nan": ("not-finite", "device.r_on.value", math.nan, "finite number"),
    "chip.device=[a]": ("wrong-type", "chip.device", ["a"], ("preset name", "YAML path")),
    "chip.adc=6": ("wrong-type", "chip.adc", 6, ()),
}

#: Override: the key, the nearest one.
UNKNOWN = {
    "chip.adc.bit=6": ("chip.adc.bit", "bits"),
    "device.ron=50": ("device.ron", "r_on"),
    "tsb.chanels=8": ("tsb.chanels", "channels"),
}

#: Settings that do not go together: facts of the message.
TOGETHER = {
    "chip.crossbar.cols=100": ("chip.crossbar", "cols = 100", "mux_ratio = 8"),
    "chip.precision.bits_per_cell=3": (
        "chip.precision",
        "bits_per_cell = 3",
        "weight_bits = 8",
        "precision.pad_top_slice=true",
    ),
    "chip.precision.bits_per_cell=8": ("chip.precision.bits_per_cell = 8", "'rram'", "1 to 4"),
    "device.r_on=1700": ("device", "r_on = 1.7e+06", "r_off = 1.7e+06"),
    "device.r_on=2000": ("device", "r_on = 2e+06", "r_off = 1.7e+06"),
    "device.r_on=null": ("device", "r_on", "r_off", "memory = rram"),
    "chip={crossbar: {cols: 8}, precision: {encoding: differential, bits_per_cell: 1}}": (
        "chip",
        "crossbar.cols = 8",
        "16",
        ">=",
    ),
}


@pytest.mark.parametrize("override", BAD)
def test_an_error_tells_path_value_and_what_is_allowed(override: str) -> None:
    code, field, value, allowed = BAD[override]
    facts: dict[str, Any] = {"code": code, "field": field, "value": value, "allowed": allowed}
    with refused(ConfigError, **facts, says=[field.removesuffix(".unit")]) as caught:
        resolve(overrides=[override])
    assert "Traceback" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("override", UNKNOWN)
def test_unknown_keys(override: str) -> None:
    path, nearest = UNKNOWN[override]
    key = path.rpartition(".")[2]
    facts: dict[str, Any] = {"code": "unknown-key", "field": path, "value": key}
    with refused(ConfigError, **facts, nearest=nearest, says=[path, f"'{key}'"]):
        resolve(overrides=[override])


@pytest.mark.parametrize("override", TOGETHER)
def test_settings_that_do_not_go_together(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(overrides=[override])
    assert "\n" not in str(caught.value)
    tells(str(caught.value), *TOGETHER[override])


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(overrides=["chip.crossbar.rows=0", "chip.adc.bits=99", "chip.adc.kind=none"])
    rows, kind, bits = caught.value.problems
    holds(rows, code="out-of-range", field="chip.crossbar.rows", value=0)
    holds(kind, code="unknown-name", field="chip.adc.kind", value="none")
    holds(bits, code="out-of-range", field="chip.adc.bits", value=99)
    assert str(caught.value).splitlines() == [rows.text, kind.text, bits.text]


def test_missing_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text("name: x\ntechnology: 22nm-lstp\ndevice: rram\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        resolve(chip=str(path))
    holds(caught.value.problems[0], code="missing-key", field="chip.precision")
    assert {problem.code for problem in caught.value.problems} == {"missing-key"}
    assert "chip.crossbar" in {problem.field for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("device", "rrem", "rram"),
        ("technology", "22nm-lst", "22nm-lstp"),
        ("chip", "x", None),
        ("tsb", "x", None),
    ],
)
def test_unknown_names(kind: str, name: str, nearest: str | None) -> None:
    facts: dict[str, Any] = {"code": "unknown-name", "field": kind, "value": name}
    with refused(ConfigError, **facts, nearest=nearest):
        resolve(**{kind: name})


# --- hash, dump, citations ------------------------------------------------------------------------


def test_hash_is_stable() -> None:
    """The same twice, and independent of the order of keys and overrides."""
    one = resolve(overrides=["chip.adc.bits=6", "tsb.channels=8"])
    two = resolve(overrides=["tsb.channels=8", "chip.adc.bits=6"])
    assert one.config_hash == two.config_hash
    assert len(one.config_hash) == 16
    assert int(one.config_hash, 16) >= 0


def test_hash_changes_with_any_override() -> None:
    settings: list[list[str]] = [
        [],
        ["chip.adc.bits=6"],
        ["chip.adc.kind=flash-current"],
        ["chip.timing.pipeline=false"],
        ["chip.hierarchy.max_tiles=100"],
        ["chip.read.voltage={value: 0.3, unit: V, source: lab}"],
        ["device.r_on=50"],
        ["device.sigma=0.2"],
        ["device.write_verify.max_pulses=50"],
        ["technology.vdd=0.8"],
        ["tsb.channels=8"],
        ["tsb.insertion=convolution"],
    ]
    hashes = [resolve(overrides=setting).config_hash for setting in settings]
    hashes += [
        resolve(technology="32nm-lstp").config_hash,
        resolve(device="fefet").config_hash,
        resolve(chip="neurosim-v1.4").config_hash,
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"chip": "neurosim-v1.4", "technology": "7nm-lstp", "device": "fefet"},
        {"device": "pcm", "tsb": "paper-lenet3"},
    ],
)
def test_dump_round_trips(names: dict[str, str]) -> None:
    found = resolve(**names, overrides=["chip.adc.bits=6", "device.sigma=0.05"])
    again = Resolved.model_validate(yaml.safe_load(found.dump()))
    assert again == found
    assert again.config_hash == found.config_hash
    assert again.dump() == found.dump()


def test_dumped_parts_can_be_used_as_files(tmp_path: Path) -> None:
    found = resolve(overrides=["chip.adc.bits=7", "device.r_on=60", "tsb.channels=24"])
    parts = yaml.safe_load(found.dump())
    for kind, part in parts.items():
        (tmp_path / f"{kind}.yaml").write_text(yaml.safe_dump(part), encoding="utf-8")
    again = resolve(
        chip=str(tmp_path / "chip.yaml"),
        technology=str(tmp_path / "technology.yaml"),
        device=str(tmp_path / "device.yaml"),
        tsb=str(tmp_path / "tsb.yaml"),
    )
    assert again.device == found.device
    assert again.technology == found.technology
    assert again.tsb == found.tsb
    assert again.chip.adc == found.chip.adc


def test_citations_are_publications_and_tools_alone() -> None:
    found = resolve(overrides=["device.r_on=50"]).citations()
    assert list(found) == sorted(set(found))
    assert any("NeuroSim" in source for source in found)
    assert len(found) > 5
    for source in found:
        assert not source.startswith(("assumed", "user override", "physics:"))


def test_constants_say_whether_they_are_cited_assumed_or_overridden() -> None:
    own = resolve(overrides=["device.r_on=50"])
    found = {each.path: each for each in own.constants()}
    assert (found["device.r_on"].kind, found["device.r_on"].value) == ("override", "50 kohm")
    assert {each.kind for each in found.values()} == {"cited", "assumed", "override", "definition"}
    assumed = found["chip.activity.input_std"]
    assert (assumed.kind, assumed.range) == ("assumed", "0.15 to 0.35")
    assert "rectified Gaussian" in assumed.note


def test_parts_that_nothing_rests_on_are_left_out() -> None:
    own = resolve()
    assert any("LPDDR4" in source for source in own.citations())
    assert not any("LPDDR4" in source for source in own.citations(leave_out=("memory", "link")))


def test_models_are_frozen() -> None:
    found = resolve()
    with pytest.raises(ValueError, match="frozen"):
        found.chip.adc.bits = 9


def test_default_chip_is_free_of_artefacts() -> None:
    reference = resolve(chip="neurosim-v1.4").chip
    for name in (DEFAULT_CHIP, "rram-22nm-neurosim"):
        chip = resolve(chip=name).chip
        assert not chip.hierarchy.size_check
        assert chip.timing.count_padding
        assert chip.area.white_space == "none"
        assert not chip.read.idle_sign_plane
    assert reference.hierarchy.size_check
    assert not reference.timing.count_padding
    # What the last two share is one set of numbers: technology, device, read-out and calibration.
    for part in ("precision", "crossbar", "adc", "calibration", "activity"):
        assert getattr(chip, part) == getattr(reference, part), part
    inputs = {"signed_inputs", "idle_sign_plane"}
    assert chip.read.model_dump(exclude=inputs) == reference.read.model_dump(exclude=inputs)


def test_the_default_chip_is_one_of_published_macros() -> None:
    """What the chip of circuits has otherwise: these settings, and constants of these names."""
    before, now = (_flat(resolve(chip=name)) for name in ("rram-22nm-neurosim", DEFAULT_CHIP))
    moved = {path: value for path, value in now.items() if value != before.get(path)}
    blocks = {".".join(path.split(".")[:2]) for path in moved if path.count(".") == 2}
    assert blocks == {
        "buffers.global_core", "buffers.tile_core", "buffers.tile_line",
        "calibration.memory_energy", "calibration.macro_energy", "calibration.macro_time",
        "calibration.macro_area", "programming.max_power",
    }  # fmt: skip
    words = {"name", "description"}
    settings = {path: value for path, value in moved.items() if path.count(".") < 2}
    assert {path: value for path, value in settings.items() if path not in words} == {
        "cost_model": "silicon",
        "device": "rram",
        "precision.encoding": "separate-sign",
        "crossbar.rows": 256,
        "crossbar.cols": 256,
        "adc.kind": "sar",
        "read.rows_at_once": 16,
        "read.pair": "analog",
        "read.signed_inputs": "by-layer",
        "read.gating": "used",
        "timing.overlap": "rows",
        "buffers.kind": "sram-macro",
        "off_chip.border": "memory",
    }


def _flat(resolved: Resolved) -> dict[str, object]:
    found: dict[str, object] = {}

    def walk(node: object, path: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                walk(value, f"{path}.{key}")
        elif not path.endswith((".source", ".note")):
            found[path.removeprefix(".")] = node

    walk(resolved.chip.model_dump(), "")
    return found


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("chip.bits_per_cell=3", "There is chip.precision.bits_per_cell."),
        ("chip.adcs=3", "Did you mean 'adc'?"),
        ("chip.value=3", ""),  # every quantity has one
    ],
)
def test_a_key_in_the_wrong_place_is_told_the_right_one(setting: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        resolve(overrides=[setting])
    assert str(told.value).endswith(said or "correction, digital.")


def test_a_text_is_no_mapping() -> None:
    facts: dict[str, Any] = {"code": "wrong-type", "field": "chip.adc", "value": "sar"}
    with refused(ConfigError, **facts, allowed=["kind", "bits"]):
        resolve(overrides=["chip.adc=sar"])
