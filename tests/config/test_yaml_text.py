"""YAML: plain values only, and one error for everything else."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import ANY

import pytest

from archsim.config.load import parse_options, parse_override, read_yaml
from archsim.config.study import Study
from archsim.config.yaml_text import parse_yaml
from archsim.errors import ConfigError
from archsim.util.files import MAX_DEPTH
from tests.refusals import refused

ODD = (
    *("!!int ''", "!!bool maybe", "!!float x", "!!timestamp x", "!!binary '='", "!!set {a}"),
    *("!!python/object/apply:os.getpid []", "! x", "!mine 1", "!!null x", "!!omap [a]"),
    *("*a", "&a 1", "[", "{a: 1, a: 2}", "{1: 2}", "{[1]: 2}", "{<<: 3}", "=", "\x07", "9" * 5000),
    *("2" + 308 * "0", "-" + 309 * "9"),  # integers that no float can be
    "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
    "[" * 5000,
)


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_plain_value_is_refused(text: str, tmp_path: Path) -> None:
    with refused(ConfigError, code="wrong-form", field="chip.adc.bits", value=ANY):
        parse_override(f"chip.adc.bits={text}")
    with refused(ConfigError, code="wrong-form", field="widths", value=ANY):
        parse_options([f"widths={text}"])
    path = tmp_path / "file.yaml"
    path.write_text(f"key: {text}", encoding="utf-8")
    with refused(ConfigError, code="damaged-file", field=path):
        read_yaml(path)


@pytest.mark.parametrize("date", ["2020-02-28", "2020-02-30", "2020-02-28T10:00:00Z"])
def test_a_date_is_a_text(date: str) -> None:
    assert parse_yaml(date) == date


def test_plain_values_are_as_yaml_has_them() -> None:
    text = "{a: 1, b: 2.5, c: [true, null], d: text, e: 1.0e-9, f: '7', g: .inf}"
    values = {"a": 1, "b": 2.5, "c": [True, None], "d": "text", "e": 1e-9, "f": "7"}
    assert parse_yaml(text) == {**values, "g": float("inf")}
    assert parse_yaml("1" + 308 * "0") == 10**308


PATHS = (
    "../../escaped",
    "/tmp/x",
    "a/b",
    "a\\b",
    "..",
    ".",
    "x\0y",
    "a\nb",
    "a\u202eb",
    " ",
    "\ud800",
)


@pytest.mark.parametrize("name", [*PATHS, "a" * 101])
@pytest.mark.parametrize("place", ["study", "backbone", "method"])
def test_names_are_no_paths(name: str, place: str) -> None:
    names = {"study": "a", "backbone": "b", "method": "c (10 %), of 2"} | {place: name}
    document = {
        "name": names["study"],
        "network": "lenet3",
        "data": "mnist-part",
        "backbones": {names["backbone"]: {}},
        "methods": [{"name": names["method"]}],
    }
    with pytest.raises(ValueError, match=r"name|characters|string"):
        Study.model_validate(document)
    names[place] = "n" * 100
    assert Study.model_validate(
        document
        | {"name": names["study"], "methods": [{"name": names["method"]}]}
        | {"backbones": {names["backbone"]: {}}}
    )
