"""Validate documents against schemas, with errors that say what is wrong and what is allowed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from archsim.errors import (
    NOT_GIVEN,
    Code,
    ConfigError,
    Problem,
    RejectedValueError,
    close_matches,
)

#: Characters of a wrong value that an error shows.
_LONGEST_VALUE = 60

_ModelT = TypeVar("_ModelT", bound=BaseModel)


def validate_model(model: type[_ModelT], document: Any, root: str) -> _ModelT:
    """Validate ``document`` against ``model``; errors carry dotted paths below ``root``.

    Raises:
        ConfigError: one line per problem.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = [_describe(model, root, dict(entry)) for entry in error.errors()]
        raise ConfigError.joined(problems) from error


def _describe(model: type[BaseModel], root: str, entry: dict[str, Any]) -> Problem:
    """Turn one pydantic error into ``path = value: what is wrong; what is allowed``."""
    location: Sequence[Any] = entry["loc"]
    path = ".".join([root, *(str(part) for part in location)])
    if entry["type"] == "extra_forbidden":
        known, key = tuple(_known_keys(model, location[:-1])), str(location[-1])
        hint = close_matches(key, known) or _belongs(model, root, key)
        said = f"{path}: unknown key '{key}'; known: {', '.join(known)}.{hint}"
        return Problem(said, Code.UNKNOWN_KEY, path, key, known)
    if entry["type"] == "missing":
        return Problem.of(Code.MISSING_KEY, path, problem="this key is missing")
    value = entry.get("input")
    if entry["type"] == "string_type" and not isinstance(value, BaseModel):
        shown = textwrap.shorten(repr(value), _LONGEST_VALUE, placeholder="...")
        allowed = "a text, in quotes if YAML reads it otherwise"
        said = f"{path} = {shown}: not a text; allowed: {allowed}"
        return Problem(said, Code.WRONG_TYPE, path, value, allowed)
    if entry["type"] in ("model_type", "model_attributes_type", "dataclass_type"):
        shown = textwrap.shorten(repr(value), _LONGEST_VALUE, placeholder="...")
        keys = _known_keys(model, location)
        allowed = f"a mapping with the keys {', '.join(keys)}" if keys else "a mapping"
        said = f"{path} = {shown}: not a mapping; allowed: {allowed}"
        return Problem(said, Code.WRONG_TYPE, path, value, allowed)
    message = str(entry["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(value, (dict, list, BaseModel)) else f" = {value!r}"
    said = f"{path}{shown}: {message[0].lower()}{message[1:]}"
    context = entry.get("ctx", {})
    rejected = context.get("error")
    if isinstance(rejected, RejectedValueError):
        problem = rejected.problem
        field = path if problem.field is None else f"{path}.{problem.field}"
        of_input = problem.value is NOT_GIVEN and problem.field is None
        return Problem(
            said, problem.code, field, value if of_input else problem.value, problem.allowed
        )
    code = _code_of(str(entry["type"]), value)
    limits = [f"{_SIGNS[key]} {limit}".strip() for key, limit in context.items() if key in _SIGNS]
    return Problem(said, code, path, value, ", ".join(limits) or None)


#: Levels in which a key that is not known is looked for, and most places that are named then.
_DEEPEST, _MOST_PLACES = 3, 3


#: What a limit of pydantic is called in its errors, as people write it.
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": ">=", "expected": ""}


def _code_of(kind: str, value: object) -> Code:
    """Return what kind of problem an error of pydantic is, from its type."""
    if kind == "literal_error":
        kind_of_value = Code.OUT_OF_RANGE if isinstance(value, int | float) else Code.WRONG_TYPE
        return Code.UNKNOWN_NAME if isinstance(value, str) else kind_of_value
    if kind == "finite_number":
        return Code.NOT_FINITE
    if kind.startswith(("greater_than", "less_than", "too_", "string_too_")):
        return Code.OUT_OF_RANGE
    is_type = kind.endswith(("_type", "_parsing", "_from_float"))
    return Code.WRONG_TYPE if is_type else Code.BAD_SETTING


def _known_keys(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    """Return the keys that the sub-model at ``location`` has."""
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", {})
        field = next((field for name, field in fields.items() if part in (name, field.alias)), None)
        if field is None:
            break
        current = _model_in(field.annotation) or current
    fields = getattr(current, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def _belongs(model: type[BaseModel], root: str, key: str) -> str:
    """Return a sentence with the deeper places that have a key of this name, if they are few."""
    places = list(_places(model, root, key, _DEEPEST))
    if not 0 < len(places) <= _MOST_PLACES:
        return ""
    return f" There is {' and '.join(places)}."


def _places(model: type[BaseModel], path: str, key: str, depth: int) -> Iterator[str]:
    for name, field in model.model_fields.items():
        place = f"{path}.{field.alias or name}"
        if place.endswith(f".{key}"):
            yield place
        inner = _model_in(field.annotation) if depth else None
        if inner is not None:
            many = get_origin(field.annotation) in (dict, Mapping)
            yield from _places(inner, f"{place}.NAME" if many else place, key, depth - 1)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an annotation such as ``Annotated[Model, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (_model_in(part) for part in get_args(annotation))
    return next((model for model in models if model is not None), None)
