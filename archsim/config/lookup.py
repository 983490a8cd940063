"""Settings by their dotted path: the value of one, and what the schema says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from archsim.config.sourced import Quantity

FieldKind = Literal["block", "list", "constant", "number", "flag", "choice", "text"]


@dataclass(frozen=True)
class SchemaField:
    """What the schema says of one setting.

    Attributes:
        path: dotted, e.g. ``chip.adc.bits``.
        kind: a block of settings, a list of such blocks, a constant with unit and source, a plain
            number, a flag, a choice among texts, or any text.
        choices: of a choice, in the order of the schema.
        nullable: whether it may be null.
        default: what it is where nothing is said; None where it must be said.
    """

    path: str
    kind: FieldKind
    choices: tuple[str, ...]
    nullable: bool
    default: object = None


def look_up(node: Any, path: str) -> Any:
    """Return the value of a setting; None for one that is null or inside a block that is null.

    Args:
        node: a configuration.
        path: dotted.

    Raises:
        AttributeError: there is no such setting.
    """
    value = node
    for key in path.split("."):
        value = None if value is None else getattr(value, key)
    return value


@cache
def schema_fields(root: type[BaseModel]) -> dict[str, SchemaField]:
    """Return all settings and blocks of settings of a schema, by path, in its order.

    Args:
        root: its model.
    """
    return {field.path: field for field in _walk(root, "")}


def _walk(model: type[BaseModel], prefix: str) -> Iterator[SchemaField]:
    for key, info in model.model_fields.items():
        parts = tuple(_parts(info.annotation))
        path = prefix + key
        default = None if info.is_required() else info.default
        if _is_list(info.annotation):  # its entries are no settings by themselves
            yield SchemaField(path, "list", (), type(None) in parts, default)
            continue
        yield SchemaField(path, _kind(parts), _choices(parts), type(None) in parts, default)
        for part in parts:
            if _is_block(part):
                yield from _walk(part, f"{path}.")


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types and texts that an annotation allows, e.g. of ``Literal["a", "b"] | None``."""
    if isinstance(annotation, type) or not get_args(annotation):
        yield annotation
        return
    arguments = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        arguments = arguments[:1]
    if get_origin(annotation) is Literal:
        yield from arguments
        return
    for argument in arguments:
        yield from _parts(argument)


def _is_list(annotation: Any) -> bool:
    """Whether an annotation is of several blocks, e.g. ``tuple[MeasuredLevel, ...] | None``."""
    kinds = [annotation, *get_args(annotation)]
    return any(get_origin(kind) is tuple and _is_block(get_args(kind)[0]) for kind in kinds)


def _is_block(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel) and part is not Quantity


def _choices(parts: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(part for part in parts if isinstance(part, str))


def _kind(parts: tuple[Any, ...]) -> FieldKind:
    if any(_is_block(part) for part in parts):
        return "block"
    if Quantity in parts:
        return "constant"
    if _choices(parts):
        return "choice"
    if bool in parts:
        return "flag"
    return "text" if str in parts else "number"
