"""``archsim schema``: JSON Schema of the YAML files, for completion in editors."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.output import check_writable, deliver, json_text


class SchemaKind(StrEnum):
    """Kinds of YAML files that have a schema."""

    CHIP = "chip"
    DEVICE = "device"
    MACRO = "macro"
    TECHNOLOGY = "technology"
    TSB = "tsb"
    STUDY = "study"
    SWEEP = "sweep"


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@guarded
def schema_command(
    kind: Annotated[SchemaKind, typer.Argument(help="Kind of YAML file.")],
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Print the JSON Schema of a YAML file, so that editors complete and check it.

    Put `# yaml-language-server: $schema=chip.schema.json` on the first line of the YAML.
    """
    check_writable(out)
    deliver(json_text(file_schema(kind)), out)


def file_schema(kind: SchemaKind) -> dict[str, Any]:
    """Return the schema of what a user may write, which is more than the resolved model.

    A file may inherit (``extends``) and then give only what it changes, at any depth; it may name
    its citations once (``sources``).
    """
    from pydantic import BaseModel

    from archsim.config.schema.chip import Chip
    from archsim.config.schema.device import DeviceFile
    from archsim.config.schema.macro import MacroFile
    from archsim.config.schema.technology import TechnologyFile
    from archsim.config.schema.tsb import Tsb
    from archsim.config.study import Study
    from archsim.config.sweep import Sweep

    models: dict[SchemaKind, type[BaseModel]] = {
        SchemaKind.CHIP: Chip,
        SchemaKind.DEVICE: DeviceFile,
        SchemaKind.MACRO: MacroFile,
        SchemaKind.TECHNOLOGY: TechnologyFile,
        SchemaKind.TSB: Tsb,
        SchemaKind.STUDY: Study,
        SchemaKind.SWEEP: Sweep,
    }
    document = models[kind].model_json_schema()
    if kind is SchemaKind.STUDY:
        from tsb.correction.parse import method_pattern

        corrections = document["$defs"]["Method"]["properties"]["corrections"]
        corrections["pattern"] = method_pattern()
        from tsb.data import dataset_names
        from tsb.study.load import choices

        # Data may also be the user's own: docs/data.md.
        document["properties"]["data"]["examples"] = list(dataset_names())
        for (model, key), names in choices().items():
            document["$defs"].get(model, document)["properties"][key]["enum"] = list(names)
    _name_metrics(document)
    _say_units(document)
    _say_blocks(document)
    for name, definition in document.get("$defs", {}).items():
        if name == "Quantity":
            definition["properties"]["unit"]["type"] = ["string", "integer"]
        else:
            definition.pop("required", None)
    required = document.pop("required", [])
    document["properties"] = {
        "extends": {
            "type": "string",
            "description": "preset name or YAML path that this file changes",
        },
        "sources": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "citations that `source:` may name by their key",
        },
        **document["properties"],
    }
    return {
        "$schema": _DIALECT,
        "$id": f"urn:archsim:schema:1:{kind.value}",
        **document,
        "title": f"archsim {kind.value}",
        "anyOf": [{"required": ["extends"]}, {"required": required}],
    }


def _name_metrics(document: dict[str, Any]) -> None:
    """Put the metrics of a place where a key asks for them (``metrics_of``)."""
    from archsim.results.metric import Place
    from archsim.results.metrics import shown_in

    for definition in document.get("$defs", {}).values():
        for name, key in definition.get("properties", {}).items():
            if "metrics_of" in key:
                allowed = [metric.key for metric in shown_in(Place(key.pop("metrics_of")))]
                definition["properties"][name] = {"enum": allowed, **key}


def _properties(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every key of a schema, as the schema of its value."""
    for block in (document, *document.get("$defs", {}).values()):
        yield from block.get("properties", {}).values()


def _say_units(document: dict[str, Any]) -> None:
    """Say of every constant its units and its number of values, to readers and to editors."""
    from archsim.config.sourced import QUANTITY_OF

    for key in _properties(document):
        for form in (key, *key.get("anyOf", ())):
            if QUANTITY_OF not in form:
                continue
            of = form.pop(QUANTITY_OF)
            units, many = list(of["units"]), of["length"]
            said = f"unit: {' or '.join(units)}" + (f"; {many} values" if many > 1 else "")
            key["description"] = "; ".join(filter(None, (key.get("description"), said)))
            parts: dict[str, Any] = {"unit": {"enum": [*units, 1] if "1" in units else units}}
            if many > 1:
                parts["value"] = {"type": "array", "minItems": many, "maxItems": many}
            # Beside `$ref` alone, some editors would take them for all the keys there are.
            form["allOf"] = [{"properties": parts}]


def _say_blocks(document: dict[str, Any]) -> None:
    """Describe a key that is a block, and says no more, as its block does."""
    for key in _properties(document):
        block = document.get("$defs", {}).get(str(key.get("$ref")).rpartition("/")[2], {})
        if "description" in block and "description" not in key:
            key["description"] = " ".join(block["description"].split("\n\n")[0].split())
