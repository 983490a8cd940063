"""`archsim list`, `archsim schema`, `archsim validate` and the help texts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim import __version__
from archsim.cli.list_command import ListKind as Listed
from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.config.load import preset_names
from archsim.network import zoo
from archsim.util.paths import configs_dir
from tests.cli.conftest import Run
from tsb.correction import CORRECTIONS
from tsb.shared_block import PAPER

_COMMANDS = ("map", "compare", "validate", "list", "schema")


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    assert done.exit_code == 0
    for command in _COMMANDS:
        assert f" {command} " in done.stdout
    assert "2 bad input" in done.stdout


@pytest.mark.parametrize("command", _COMMANDS)
def test_help_of_every_command(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    for option in ("--out", "--debug"):
        assert option in done.stdout


@pytest.mark.parametrize("command", ["map", "compare"])
def test_help_names_the_common_options(run: Run, command: str) -> None:
    text = run(command, "-h").stdout
    for option in ("--chip", "--device", "--technology", "--tsb", "--set", "--input-shape"):
        assert option in text
    assert "table|json|csv" in text


def test_nothing_at_all_shows_the_help(run: Run) -> None:
    done = run()
    assert done.exit_code == 2
    assert "Usage: archsim" in done.output


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"archsim {__version__}\n"


def test_networks_are_listed_with_their_source(run: Run) -> None:
    data = json.loads(run("list", "networks", "--format", "json").stdout)
    assert [item["name"] for item in data["items"]] == list(zoo.names())
    assert all(item["description"] and item["citation"] for item in data["items"])


def test_corrections_are_listed_with_their_price(run: Run) -> None:
    items = json.loads(run("list", "corrections", "--format", "json").stdout)["items"]
    assert [item["name"] for item in items] == list(CORRECTIONS)
    assert all(item["description"] and item["priced_as"] for item in items)
    tsb = next(item for item in items if item["name"] == "tsb")
    assert tsb["options"].startswith("channels=NUMBER (")
    assert (tsb["stored_in"], tsb["citation"]) == ("cells", PAPER)


def test_schema_of_a_study_knows_the_corrections() -> None:
    pattern = file_schema(SchemaKind.STUDY)["$defs"]["Method"]["properties"]["corrections"][
        "pattern"
    ]
    assert all(name in pattern for name in CORRECTIONS)
    for path in (configs_dir() / "study").glob("*.yaml"):
        for method in yaml.safe_load(path.read_text("utf-8"))["methods"]:
            assert re.search(pattern, method.get("corrections", ""))


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("chips", "chip"), ("devices", "device"), ("technologies", "technology"), ("tsb", "tsb")],
)
def test_presets_are_listed_in_every_format(run: Run, kind: str, folder: str) -> None:
    data = json.loads(run("list", kind, "--format", "json").stdout)
    names = [item["name"] for item in data["items"]]
    assert names == list(preset_names(folder))
    assert all(item["description"] for item in data["items"])
    rows = csv.DictReader(io.StringIO(run("list", kind, "--format", "csv").stdout))
    assert [row["name"] for row in rows] == names
    text = run("list", kind).stdout
    assert all(name in text for name in names)


def test_kinds_without_entries_say_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsim.config.load.preset_names", lambda kind: ())
    assert run("list", "studies").stdout == "There are no studies yet.\n"
    assert json.loads(run("list", "studies", "--format", "json").stdout)["items"] == []
    assert run("list", "studies", "--format", "csv").stdout == "name,description\n"


@pytest.mark.parametrize("kind", list(Listed))
def test_every_kind_can_be_listed(run: Run, kind: Listed) -> None:
    done = run("list", kind.value)
    assert done.exit_code == 0
    assert done.stdout


@pytest.mark.parametrize("kind", list(SchemaKind))
def test_schema_names_itself_and_allows_inheritance_and_sources(run: Run, kind: SchemaKind) -> None:
    done = run("schema", kind.value)
    assert done.exit_code == 0
    schema = json.loads(done.stdout)
    assert schema["$id"] == f"urn:archsim:schema:1:{kind.value}"
    assert schema["title"] == f"archsim {kind.value}"
    assert schema["additionalProperties"] is False
    assert {"extends", "sources", "name"} <= set(schema["properties"])
    assert {"required": ["extends"]} in schema["anyOf"]


def test_schema_documents_a_key_and_its_bounds() -> None:
    rows = file_schema(SchemaKind.CHIP)["$defs"]["Crossbar"]["properties"]["rows"]
    assert rows == {
        "description": "word lines per crossbar",
        "maximum": 4096,
        "minimum": 1,
        "title": "Rows",
        "type": "integer",
    }


def _unknown(schema: dict[str, Any], node: Any, whole: dict[str, Any]) -> Iterator[str]:
    """Keys of a YAML node that its schema does not have, or that it lacks."""
    if "$ref" in schema:
        yield from _unknown(whole["$defs"][schema["$ref"].rsplit("/", 1)[1]], node, whole)
        return
    if not isinstance(node, dict):
        return
    options = [o for o in schema.get("anyOf", ()) if "$ref" in o]
    if options:
        yield from _unknown(options[0], node, whole)
        return
    properties = schema.get("properties")
    if properties is None:
        return
    for key, child in node.items():
        if key not in properties:
            yield key
        else:
            yield from _unknown(properties[key], child, whole)
    yield from (f"no {key}" for key in schema.get("required", ()) if key not in node)


@pytest.mark.parametrize("kind", list(SchemaKind))
def test_every_preset_fits_its_schema(kind: SchemaKind) -> None:
    schema = file_schema(kind)
    for file in sorted((configs_dir() / kind.value).glob("*.yaml")):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert list(_unknown(schema, document, schema)) == [], file
        assert "extends" in document or set(schema["anyOf"][1]["required"]) <= set(document), file


def test_schema_to_a_file(run: Run, tmp_path: Path) -> None:
    run("schema", "chip", "--out", "chip.schema.json")
    assert json.loads((tmp_path / "chip.schema.json").read_text()) == file_schema(SchemaKind.CHIP)
