"""Every key that a YAML file may have says what it is, and every constant its unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.config.sourced import QUANTITY_OF, units_as_written

#: Fewer letters describe nothing.
_LEAST_LETTERS = 7


def _keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for block, content in {"": schema, **schema.get("$defs", {})}.items():
        for key, value in content.get("properties", {}).items():
            yield f"{block}.{key}", value


def _constants(value: dict[str, Any]) -> list[dict[str, Any]]:
    forms = (value, *value.get("anyOf", ()))
    return [form for form in forms if form.get("$ref") == "#/$defs/Quantity"]


@pytest.mark.parametrize("kind", list(SchemaKind))
def test_every_key_says_what_it_is(kind: SchemaKind) -> None:
    silent = [
        key
        for key, value in _keys(file_schema(kind))
        if len(value.get("description", "").partition("unit: ")[0]) < _LEAST_LETTERS
    ]
    assert silent == []


@pytest.mark.parametrize("kind", list(SchemaKind))
def test_every_constant_says_its_unit(kind: SchemaKind) -> None:
    for key, value in _keys(file_schema(kind)):
        for form in _constants(value):
            units = form["allOf"][0]["properties"]["unit"]["enum"]
            said = value["description"].rpartition("unit: ")[2].partition(";")[0]
            assert said.split(" or ") == [unit for unit in units if unit != 1], key
            assert QUANTITY_OF not in form


@pytest.mark.parametrize("kind", [SchemaKind.CHIP, SchemaKind.DEVICE, SchemaKind.TECHNOLOGY])
def test_kinds_with_constants_are_seen(kind: SchemaKind) -> None:
    """The two tests above look at something."""
    assert sum(len(_constants(value)) for _, value in _keys(file_schema(kind))) > 10


def test_units_of_a_resistance_are_those_of_its_inverse_too() -> None:
    assert units_as_written("ohm") == ("ohm", "kohm", "S", "uS")
    assert units_as_written("ohm", 2) == ("ohm", "kohm")
    assert units_as_written("J")[0] == "J"
    assert "S" not in units_as_written("J")


def test_number_of_values_is_checked_by_editors() -> None:
    key = file_schema(SchemaKind.TECHNOLOGY)["properties"]["wire_resistance"]
    assert key["description"].endswith("unit: ohm/m; 3 values")
    assert key["allOf"][0]["properties"]["value"] == {
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
    }
