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
from archsim.errors import ConfigError
from tests.refusals import refused


def written(tmp_path: Path, text: str, name: str = "file.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# --- files ----------------------------------------------------------------------------------------


def test_reads_a_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1\nb: {c: [1, 2]}\n")
    assert read_yaml(path) == {"a": 1, "b": {"c": [1, 2]}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1, 2\n", []),
        ("a: 1\n\tb: 2\n", []),
        ("a: 1\nb: 2\na: 3\n", ["'a'", "twice"]),
        ("x: {a: 1, a: 2}\n", ["'a'", "twice"]),
        ("1: a\n", ["1", "text"]),
        ("a: &x [1]\nb: *x\n", ["aliases", "`extends:`"]),
        ("a: !!python/object/apply:os.system [ls]\n", ["os.system"]),
        ("a: !!python/name:os.system\n", ["os.system"]),
        ("a: 1\n---\nb: 2\n", []),
    ],
)
def test_unusable_text_names_the_file(tmp_path: Path, text: str, says: list[str]) -> None:
    path = written(tmp_path, text)
    with refused(ConfigError, code="damaged-file", field=path, says=[str(path), *says]):
        read_yaml(path)


@pytest.mark.parametrize(("text", "kind"), [("- 1\n- 2\n", "list"), ("42\n", "int"), ("", "None")])
def test_the_top_level_is_a_mapping(tmp_path: Path, text: str, kind: str) -> None:
    path = written(tmp_path, text)
    with refused(ConfigError, code="wrong-type", field=path, allowed="a mapping", says=[kind]):
        read_yaml(path)


def test_a_billion_laughs_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    path = written(tmp_path, "\n".join(lines))
    with refused(ConfigError, code="damaged-file", field=path, says=["aliases"]):
        read_yaml(path)


def test_deep_nesting_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = written(tmp_path, "a: " + "[" * 100_000)
    with refused(ConfigError, code="damaged-file", field=path):
        read_yaml(path)


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a: 1 #" + "x" * load.MAX_YAML_BYTES)
    size, most = path.stat().st_size, f"at most {load.MAX_YAML_BYTES}"
    with refused(ConfigError, code="out-of-range", field=path, value=size, allowed=most):
        read_yaml(path)


def test_unreadable_files(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: \xff\xfe\n")
    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with refused(ConfigError, code="cannot-read", field=path, says=[str(path)]):
            read_yaml(path)


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
    known = preset_names(kind)
    facts: dict[str, Any] = {"code": "unknown-name", "field": kind, "value": wrong}
    says = [f"'{wrong}'", ".yaml", *known]
    with refused(ConfigError, **facts, allowed=known, nearest=close, says=says):
        load_preset(kind, wrong)


def test_a_name_like_nothing_gets_no_suggestion() -> None:
    with refused(ConfigError, code="unknown-name", field="chip", value="zzzzzz") as caught:
        load_preset("chip", "zzzzzz")
    assert caught.value.problems[0].nearest == ()
    assert "Did you mean" not in str(caught.value)


def test_measured_cells_are_no_device_until_they_are_fitted() -> None:
    facts: dict[str, Any] = {"code": "wrong-form", "field": "device", "value": "cells.csv"}
    with refused(ConfigError, **facts, says=["--out", ".yaml"]):
        load_preset("device", "cells.csv")


def test_missing_preset_file() -> None:
    with refused(ConfigError, code="missing-file", field="my.yaml", says=["chip", "'my.yaml'"]):
        find_preset("chip", "my.yaml")


def test_presets_cannot_be_reached_by_a_relative_name() -> None:
    with refused(ConfigError, code="unknown-name", field="chip", value="../device/rram"):
        load_preset("chip", "../device/rram")


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
    assert found["adc"] == load_preset("chip", "rram-22nm")["adc"] | {"bits": 7}
    assert found["crossbar"] == load_preset("chip", "rram-22nm")["crossbar"]


@pytest.mark.parametrize("links", [("a", "a"), ("a", "b", "a")], ids=["self", "pair"])
def test_circular_extends(tmp_path: Path, links: tuple[str, ...]) -> None:
    for name, parent in itertools.pairwise(links):
        written(tmp_path, f"extends: {parent}.yaml\n", f"{name}.yaml")
    path = tmp_path / "a.yaml"
    with refused(ConfigError, code="conflict", field=f"{path}: extends", says=[str(path)]):
        load_preset("chip", str(path))


def test_extends_of_the_wrong_kind(tmp_path: Path) -> None:
    path = written(tmp_path, "extends: [a, b]\n")
    facts: dict[str, Any] = {"code": "wrong-type", "field": f"{path}: extends"}
    with refused(ConfigError, **facts, value=["a", "b"], allowed="preset name", says=[str(path)]):
        load_preset("chip", str(path))


def test_sources_are_spelled_out(tmp_path: Path) -> None:
    text = "sources: {k: The book}\nq: {value: 1, unit: V, source: k}\nr: {value: 2, source: own}\n"
    found = load_preset("chip", str(written(tmp_path, text)))
    assert found["q"]["source"] == "The book"
    assert found["r"]["source"] == "own"
    assert "sources" not in found


def test_sources_must_be_a_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "sources: [a]\n")
    with refused(ConfigError, code="wrong-type", field=f"{path}: sources", value=["a"]):
        load_preset("chip", str(path))


# --- overrides ------------------------------------------------------------------------------------


def test_override_values_are_yaml() -> None:
    assert parse_override("chip.adc.bits=6") == (("chip", "adc", "bits"), 6)
    assert parse_override(" a.b = true") == (("a", "b"), True)
    assert parse_override("a.b=null") == (("a", "b"), None)
    assert parse_override("a.b={value: 2, unit: V}") == (("a", "b"), {"value": 2, "unit": "V"})
    assert parse_override("a.b=x=y") == (("a", "b"), "x=y")


@pytest.mark.parametrize("text", ["chip.adc.bits", "=6", "chip..bits=6", "chip.adc.bits=", "", "."])
def test_override_without_path_or_value(text: str) -> None:
    facts: dict[str, Any] = {"code": "wrong-form", "field": "--set", "value": text}
    with refused(ConfigError, **facts, allowed="path=value", says=[f"'{text}'", "chip.adc.bits=6"]):
        parse_override(text)


def test_override_value_that_is_no_yaml() -> None:
    says = ["'chip.adc.bits=[6'", "'[6'"]
    with refused(ConfigError, code="wrong-form", field="chip.adc.bits", value="[6", says=says):
        parse_override("chip.adc.bits=[6")


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
    ("override", "field", "key", "nearest"),
    [
        ("chips.adc.bits=6", "chips", "chips", "chip"),
        ("chip.adcs.bits=6", "chip.adcs", "adcs", "adc"),
        ("chip.adc.bits.more=6", "chip.adc.bits.more", "more", None),
    ],
)
def test_override_that_leads_nowhere(
    override: str, field: str, key: str, nearest: str | None
) -> None:
    facts: dict[str, Any] = {"code": "unknown-key", "field": field, "value": key}
    with refused(ConfigError, **facts, nearest=nearest, says=[f"'{override}'"]):
        apply_overrides({"chip": {"adc": {"bits": 5}}}, [override])


def test_override_below_what_is_null() -> None:
    facts: dict[str, Any] = {"code": "unknown-key", "field": "device.write_verify.tolerance"}
    with refused(ConfigError, **facts, value="tolerance", says=["device.write_verify={value:"]):
        apply_overrides({"device": {"write_verify": None}}, ["device.write_verify.tolerance=1"])


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


def test_a_part_of_another_kind_is_named() -> None:
    with refused(ConfigError, code="unknown-name", field="chip", value="pcm", says=["device"]):
        find_preset("chip", "pcm")
