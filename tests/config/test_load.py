"""Unit: YAML files, presets, inheritance and overrides, and what is said when they are wrong."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from archsim.config import load
from archsim.config.load import (
    apply_overrides,
    find_preset,
    load_preset,
    parse_override,
    preset_names,
    read_yaml,
)
from archsim.errors import ArchsimError, ConfigError


def message(call: Any, *arguments: Any) -> str:
    """The message of the ConfigError that a call raises; the command line exits with 2."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    assert isinstance(caught.value, ArchsimError)
    assert caught.value.exit_code == 2
    return str(caught.value)


def written(tmp_path: Path, text: str, name: str = "file.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# --- files ----------------------------------------------------------------------------------------


def test_reads_a_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb: {c: [1, 2]}\n")
    assert read_yaml(path) == {"a": 1, "b": {"c": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1\n- 2\n", "top level is list; allowed: a mapping"),
        ("42\n", "top level is int; allowed: a mapping"),
        ("", "top level is NoneType; allowed: a mapping"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", "key 'a' is given twice"),
        ("x: {a: 1, a: 2}\n", "key 'a' is given twice"),
        ("1: a\n", "key 1 is not text"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases are not allowed; use `extends:`"),
        ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
        ("a: !!python/name:os.system\n", "not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
    ],
)
def test_unusable_text_names_the_file(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    found = message(read_yaml, path)
    assert found.startswith(str(path))
    assert words in found


def test_a_billion_laughs_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "aliases are not allowed" in message(read_yaml, written(tmp_path, "\n".join(lines)))


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    assert "not valid YAML" in message(read_yaml, written(tmp_path, "a: " + "[" * 100_000))


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1 #" + "x" * load.MAX_YAML_BYTES)
    found = message(read_yaml, path)
    assert f"{path}: {path.stat().st_size} bytes" in found
    assert "allowed: at most 1000000" in found


def test_unreadable_files(tmp_path: Path) -> None:
    assert "cannot be read" in message(read_yaml, tmp_path / "missing.yaml")
    assert "cannot be read" in message(read_yaml, tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff\xfe\n")
    assert f"{binary}: cannot be read" in message(read_yaml, binary)


# --- presets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "wrong", "close"),
    [
        ("chip", "rram-22", "rram-22nm"),
        ("technology", "22nm-lstpp", "22nm-lstp"),
        ("device", "rramm", "rram"),
        ("tsb", "papers", "paper"),
    ],
)
def test_unknown_preset_names_the_known_and_the_nearest(kind: str, wrong: str, close: str) -> None:
    found = message(load_preset, kind, wrong)
    assert f"unknown {kind} '{wrong}'" in found
    assert "or a path to a .yaml file" in found
    assert all(name in found for name in preset_names(kind))
    assert f"Did you mean '{close}'" in found


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    assert "Did you mean" not in message(load_preset, "chip", "zzzzzz")


def test_missing_preset_file() -> None:
    assert message(find_preset, "chip", "my.yaml") == "chip file 'my.yaml' does not exist"


def test_presets_cannot_be_reached_by_a_relative_name() -> None:
    assert "unknown chip '../device/rram'" in message(load_preset, "chip", "../device/rram")


def test_extends_merges_deeply_and_the_child_wins(tmp_path: Path) -> None:
    written(tmp_path, "a: 1\nb: {x: 1, y: 2}\nq: {value: 1, unit: V, source: s}\n", "base.yaml")
    child = written(tmp_path, "extends: base.yaml\nb: {y: 3}\nq: {value: 2, unit: V, source: t}\n")
    assert load_preset("chip", str(child)) == {
        "a": 1,
        "b": {"x": 1, "y": 3},
        "q": {"value": 2, "unit": "V", "source": "t"},
    }


def test_a_file_may_extend_a_shipped_preset(tmp_path: Path) -> None:
    child = written(tmp_path, "extends: rram-22nm\nname: mine\nadc: {bits: 7}\n")
    found = load_preset("chip", str(child))
    assert found["name"] == "mine"
    assert found["adc"] == {"kind": "flash-current", "bits": 7, "model": "circuit"}
    assert found["crossbar"] == load_preset("chip", "rram-22nm")["crossbar"]


@pytest.mark.parametrize("links", [("a", "a"), ("a", "b", "a")], ids=["self", "pair"])
def test_circular_extends(tmp_path: Path, links: tuple[str, ...]) -> None:
    for name, parent in itertools.pairwise(links):
        written(tmp_path, f"extends: {parent}.yaml\n", f"{name}.yaml")
    found = message(load_preset, "chip", str(tmp_path / "a.yaml"))
    assert "goes round in a circle" in found
    assert str(tmp_path) in found


def test_extends_of_the_wrong_kind(tmp_path: Path) -> None:
    path = written(tmp_path, "extends: [a, b]\n")
    found = message(load_preset, "chip", str(path))
    assert f"{path}: extends = ['a', 'b']; allowed: one preset name or path" in found


def test_sources_are_spelled_out(tmp_path: Path) -> None:
    text = "sources: {k: The book}\nq: {value: 1, unit: V, source: k}\nr: {value: 2, source: own}\n"
    found = load_preset("chip", str(written(tmp_path, text)))
    assert found["q"]["source"] == "The book"
    assert found["r"]["source"] == "own"
    assert "sources" not in found


def test_sources_must_be_a_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "sources: [a]\n")
    assert "sources is not a mapping" in message(load_preset, "chip", str(path))


# --- overrides ------------------------------------------------------------------------------------


def test_override_values_are_yaml() -> None:
    assert parse_override("chip.adc.bits=6") == (("chip", "adc", "bits"), 6)
    assert parse_override(" a.b = true") == (("a", "b"), True)
    assert parse_override("a.b=null") == (("a", "b"), None)
    assert parse_override("a.b={value: 2, unit: V}") == (("a", "b"), {"value": 2, "unit": "V"})
    assert parse_override("a.b=x=y") == (("a", "b"), "x=y")


@pytest.mark.parametrize("text", ["chip.adc.bits", "=6", "chip..bits=6", "chip.adc.bits=", "", "."])
def test_override_without_path_or_value(text: str) -> None:
    found = message(parse_override, text)
    assert f"override '{text}' is not path=value" in found
    assert "chip.adc.bits=6" in found


def test_override_value_that_is_no_yaml() -> None:
    found = message(parse_override, "chip.adc.bits=[6")
    assert "override 'chip.adc.bits=[6': '[6' is not a YAML value" in found


def test_overrides_leave_the_original_alone() -> None:
    original = {"chip": {"adc": {"bits": 5}}}
    assert apply_overrides(original, ["chip.adc.bits=6"]) == {"chip": {"adc": {"bits": 6}}}
    assert original == {"chip": {"adc": {"bits": 5}}}


def test_a_number_for_a_constant_keeps_the_unit_and_says_where_it_came_from() -> None:
    document = {"device": {"r_on": {"value": 1, "unit": "kohm", "source": "book", "range": [0, 2]}}}
    found = apply_overrides(document, ["device.r_on=50"])["device"]["r_on"]
    assert found == {"value": 50, "unit": "kohm", "source": "user override device.r_on=50"}


def test_the_last_override_of_a_key_wins() -> None:
    document = {"chip": {"adc": {"bits": 5}}}
    found = apply_overrides(document, ["chip.adc.bits=6", "chip.adc.bits=7"])
    assert found == {"chip": {"adc": {"bits": 7}}}


def test_a_mapping_override_is_merged() -> None:
    document = {"chip": {"adc": {"bits": 5, "kind": "sar"}}}
    found = apply_overrides(document, ["chip.adc={bits: 6}"])
    assert found == {"chip": {"adc": {"bits": 6, "kind": "sar"}}}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("chips.adc.bits=6", ("unknown key 'chips'", "the configuration", "Did you mean 'chip'")),
        ("chip.adcs.bits=6", ("unknown key 'adcs'", "in chip", "Did you mean 'adc'")),
        ("chip.adc.bits.more=6", ("chip.adc.bits holds a value and has no keys",)),
    ],
)
def test_override_that_leads_nowhere(override: str, words: tuple[str, ...]) -> None:
    found = message(apply_overrides, {"chip": {"adc": {"bits": 5}}}, [override])
    assert f"override '{override}'" in found
    for word in words:
        assert word in found


@pytest.mark.parametrize("value", [0.1, 1e-05, 1 / 3, 2.0, 7, True, None, "balance", [1, 2]])
def test_a_setting_reads_as_the_value_that_it_has(value: Any) -> None:
    setting = load.Setting("chip.adc.bits", value)
    path, read = load.parse_override(str(setting))
    assert path == ("chip", "adc", "bits")
    assert read == value
    assert type(read) is type(value)


def test_a_setting_and_its_text_give_the_same_document() -> None:
    document = {"device": {"r_on": {"value": 6, "unit": "kohm", "source": "a"}, "name": "x"}}
    setting = load.Setting("device.r_on", 1 / 3)
    assert load.apply_overrides(document, [setting]) == load.apply_overrides(
        document, [str(setting)]
    )
    assert load.override_path(setting) == load.override_path(" device.r_on =3") == "device.r_on"
