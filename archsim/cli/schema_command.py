"""``archsim schema``: JSON Schema of the YAML files, so that editors complete them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from archsim.cli.options import DebugOption, OutOption
from archsim.cli.output import deliver, to_json


class Kind(StrEnum):
    """Kinds of YAML files."""

    CHIP = "chip"
    DEVICE = "device"
    TECHNOLOGY = "technology"
    TSB = "tsb"


def run(
    kind: Annotated[Kind, typer.Argument(help="Kind of YAML file.")],
    out: OutOption = None,
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of one kind of YAML file (with `extends` and `sources`)."""
    deliver(to_json(json_schema(kind)), out)


def json_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema of a kind; a file that extends another may leave keys out."""
    from archsim.config import schema

    models = {
        Kind.CHIP: schema.Chip,
        Kind.DEVICE: schema.DeviceFile,
        Kind.TECHNOLOGY: schema.TechnologyFile,
        Kind.TSB: schema.Tsb,
    }
    body: dict[str, Any] = models[kind].model_json_schema()
    body["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    body["$id"] = f"archsim-{kind}.schema.json"
    body["title"] = f"archsim {kind}"
    properties = body.setdefault("properties", {})
    properties["extends"] = {
        "type": "string",
        "description": "preset name or file whose keys this file changes",
    }
    properties["sources"] = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "citations that `source:` may refer to by key",
    }
    required = body.pop("required", [])
    body["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return body
