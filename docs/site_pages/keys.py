"""One page for each kind of YAML file: every key, its unit, what it may be, what it means."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from archsim.config.schema.chip import Chip
from archsim.config.schema.device import DeviceFile
from archsim.config.schema.off_chip import OffChipFile
from archsim.config.schema.technology import TechnologyFile
from archsim.config.schema.tsb import Tsb
from archsim.config.sourced import Quantity, checked
from archsim.config.study import Study
from archsim.config.sweep import Sweep
from site_pages.markdown import cell, code, table

KINDS: dict[str, tuple[type[BaseModel], str]] = {
    "chip": (Chip, "`configs/chip`; given by `--chip`, changed by `--set chip.KEY=VALUE`"),
    "device": (DeviceFile, "`configs/device`; given by `--device` or a chip"),
    "technology": (TechnologyFile, "`configs/technology`; given by a chip"),
    "tsb": (Tsb, "the shared block, `configs/tsb`; given by `--tsb`"),
    "off-chip": (OffChipFile, "external memory and links, `configs/off-chip`; given by a chip"),
    "study": (Study, "`configs/study`; given to `train`, `report`"),
    "sweep": (Sweep, "`configs/sweep`; given to `sweep`"),
}


class Key(NamedTuple):
    """One key of a file."""

    path: str
    kind: str
    default: str
    about: str


def pages() -> dict[str, str]:
    """Return the pages by name."""
    return {f"keys-{name}": _page(name, model, where) for name, (model, where) in KINDS.items()}


def _page(name: str, model: type[BaseModel], where: str) -> str:
    rows = [
        [code(key.path), cell(key.kind), cell(key.default), cell(key.about)]
        for key in keys_of(model, "")
    ]
    about = " ".join((model.__doc__ or "").split())
    return (
        f"# Keys of a {name} file\n\n{about}\n\nFiles: {where}. A constant is written "
        "`{value: 6, unit: kohm, source: a citation}`; on the command line the number alone, or "
        "with its unit, is enough.\n\n"
        f"{table(['key', 'what it may be', 'default', 'meaning'], rows)}"
    )


def keys_of(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    """Yield every key of a model, those of its blocks below it."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        inner, many = _block(field.annotation)
        about = field.description or ""
        if inner is not None:
            about = about or " ".join((inner.__doc__ or "").split("\n\n")[0].split())
        yield Key(path, _kind(field.annotation, field.metadata), _default(field), about)
        if inner is not None:
            yield from keys_of(inner, f"{path}.NAME." if many else f"{path}.")


def _block(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the model that an annotation holds, and whether it holds many of them by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (None if issubclass(annotation, Quantity) else annotation), False
    many = typing.get_origin(annotation) in (dict, list, tuple)
    for part in typing.get_args(annotation):
        model, inner_many = _block(part)
        if model is not None:
            return model, many or inner_many
    return None, False


def _kind(annotation: Any, metadata: list[Any]) -> str:
    origin = typing.get_origin(annotation)
    parts = typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part, metadata) for part in parts))
    if origin is typing.Annotated:
        return _kind(parts[0], [*parts[1:], *metadata])
    if origin is typing.Literal:
        return ", ".join(str(part) for part in parts)
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, Quantity):
        return _quantity(metadata)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a block"
    if origin is dict:
        return f"by name: {_kind(parts[-1], [])}"
    if origin in (list, tuple):
        return f"list of {_kind(parts[0], [])}" if parts else "list"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    return names.get(annotation, "see meaning") + _bounds(metadata)


def _quantity(metadata: list[Any]) -> str:
    check = checked(metadata)
    if check is None:
        return "constant"
    unit = "number" if check.unit == "1" else check.unit
    low = "" if check.minimum is None else f" from {check.minimum:g}"
    high = "" if check.maximum is None else f" to {check.maximum:g}"
    many = "" if check.length == 1 else f", {check.length} values"
    return f"{unit}{low}{high}{many}"


def _bounds(metadata: list[Any]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    flat = [part for each in metadata for part in (each, *getattr(each, "metadata", ()))]
    said = [
        f"{word} {getattr(each, name):g}"
        for each in flat
        for name, word in words.items()
        if isinstance(getattr(each, name, None), int | float)
    ]
    return f" {', '.join(dict.fromkeys(said))}" if said else ""


def _default(field: Any) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return "null" if value is None else str(value)
