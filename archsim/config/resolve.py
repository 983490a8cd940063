"""From preset names and overrides to one complete, checked and hashed configuration."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError, model_validator

from archsim.config.load import (
    Document,
    Override,
    apply_overrides,
    load_preset,
    override_path,
    preset_names,
)
from archsim.config.rules import check
from archsim.config.schema.chip import Chip
from archsim.config.schema.device import DeviceFile
from archsim.config.schema.off_chip import OffChip, OffChipFile
from archsim.config.schema.technology import TechnologyFile
from archsim.config.schema.tsb import Tsb
from archsim.errors import (
    NOT_GIVEN,
    Code,
    ConfigError,
    Problem,
    RejectedValueError,
    close_matches,
)

#: Chip used when the user names none.
DEFAULT_CHIP = "rram-22nm"

#: Characters of a wrong value that an error shows.
_LONGEST_VALUE = 60

#: What a source says that is no publication.
ASSUMED, OVERRIDE, BY_DEFINITION = "assumed", "user override", "physics:"

SourceKind = Literal["cited", "assumed", "override", "definition"]

_ModelT = TypeVar("_ModelT", bound=BaseModel)


class Constant(NamedTuple):
    """A constant of a configuration.

    Attributes:
        path: where it stands, e.g. ``device.r_on``.
        value: with its unit, as people read it.
        kind: cited, assumed, override (said by the user or a study) or definition (no physics left
            out, so nothing to cite).
        source: as the file says it.
        range: within which it is thought to be, "" where nothing is said.
        note: of the file.
    """

    path: str
    value: str
    kind: SourceKind
    source: str
    range: str
    note: str


class Resolved(BaseModel, frozen=True, extra="forbid"):
    """A chip with all that it refers to, and the shared block: everything that decides a cost.

    It breaks no rule of archsim/config/rules.py, unless it is one of :func:`unchecked`.
    """

    chip: Chip
    technology: TechnologyFile
    device: DeviceFile
    memory: OffChipFile
    link: OffChipFile
    tsb: Tsb

    @model_validator(mode="after")
    def _is_legal(self) -> Resolved:
        check(self)
        return self

    def dump(self) -> str:
        """Return the full configuration as YAML, one block per part."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=100)

    @property
    def config_hash(self) -> str:
        """Sixteen hex digits of SHA-256 over the canonical JSON of the configuration."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def constants(self, leave_out: Collection[str] = ()) -> tuple[Constant, ...]:
        """Return every constant with its value and where that comes from, in order of the file.

        Args:
            leave_out: parts that nothing rests on, e.g. ``memory``.
        """
        constants: list[Constant] = []

        def visit(node: Any, path: str) -> None:
            if isinstance(node, list):
                node = dict(enumerate(node))
            if not isinstance(node, dict):
                return
            if isinstance(node.get("source"), str) and "value" in node:
                constants.append(_constant(path, node))
            for key, child in node.items():
                visit(child, f"{path}.{key}" if path else str(key))

        content = self.model_dump(mode="json")
        visit({key: part for key, part in content.items() if key not in leave_out}, "")
        return tuple(constants)

    def settings(self) -> dict[str, str | int | float | bool | None]:
        """Return every setting by its dotted path; constants with their unit, e.g. ``6 kohm``.

        Texts about a file (description, sources, notes) are left out: no number depends on them.
        """
        settings: dict[str, str | int | float | bool | None] = {}

        def visit(node: Any, path: str) -> None:
            if isinstance(node, list) and any(isinstance(child, dict) for child in node):
                node = dict(enumerate(node))
            if isinstance(node, dict) and "source" in node and "value" in node:
                settings[path] = _value(node, ".9g")
            elif isinstance(node, dict):
                for key, child in node.items():
                    if key != "description":
                        visit(child, f"{path}.{key}" if path else str(key))
            else:
                settings[path] = ", ".join(map(str, node)) if isinstance(node, list) else node

        visit(self.model_dump(mode="json"), "")
        return settings

    def citations(self, leave_out: Collection[str] = ()) -> tuple[str, ...]:
        """Return every distinct publication or tool that a constant is taken from, sorted.

        Args:
            leave_out: parts that nothing rests on, e.g. ``memory``.
        """
        known = self.constants(leave_out)
        return tuple(sorted({constant.source for constant in known if constant.kind == "cited"}))


def _value(node: dict[str, Any], form: str) -> str:
    """Return the value of a constant with its unit, as people read it."""
    unit = "" if node["unit"] in ("1", "") else f" {node['unit']}"
    values = node["value"] if isinstance(node["value"], list | tuple) else (node["value"],)
    return ", ".join(f"{value:{form}}" for value in values) + unit


def _constant(path: str, node: dict[str, Any]) -> Constant:
    source = str(node["source"])
    kind: SourceKind = "cited"
    if source.startswith(OVERRIDE):
        kind = "override"
    elif source == ASSUMED or source.startswith(f"{ASSUMED}:"):
        kind = "assumed"
    elif source.startswith(BY_DEFINITION):
        kind = "definition"
    ends = node.get("range")
    unit = "" if node["unit"] in ("1", "") else f" {node['unit']}"
    note = node.get("note") or ""
    if kind != "cited" and ":" in source:
        note = "; ".join(part for part in (source.split(":", 1)[1].strip(), note) if part)
    return Constant(
        path,
        _value(node, "g"),
        kind,
        source,
        "" if ends is None else f"{ends[0]:g} to {ends[1]:g}{unit}",
        note,
    )


def tsb_preset_for(network: str) -> str:
    """Return the shared-block preset of a network: the paper's where it has one."""
    base = network.split("-", maxsplit=1)[0]
    name = f"paper-{base}"
    return name if name in preset_names("tsb") else "paper"


def device_name(chip: str = DEFAULT_CHIP, device: str | None = None) -> str:
    """Return the name of the device that a chip has, without checking that they fit.

    Args:
        chip: preset or YAML path.
        device: replaces the chip's; preset or YAML path.

    Raises:
        ConfigError: no such preset or file.
    """
    preset = device or str(load_preset("chip", chip)["device"])
    return str(load_preset("device", preset).get("name", preset))


def resolve(
    *,
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str = "paper",
    overrides: Iterable[Override] = (),
) -> Resolved:
    """Load the presets, apply overrides and check the result.

    Args:
        chip: preset name or YAML path.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: preset name or YAML path of the shared block.
        overrides: ``path=value`` texts, for example ``["chip.adc.bits=6", "device.r_on=50"]``, or
            :class:`~archsim.config.load.Setting` with a value as it is.

    Raises:
        ConfigError: with the dotted path, the value and what is allowed.
    """
    documents = load_documents(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    resolved = unchecked(documents)
    check(resolved)
    return resolved


def unchecked(documents: Mapping[str, Document]) -> Resolved:
    """Return a configuration of which each setting is checked, and how they go together is not.

    For sweeps, which ask the same rules about whole batches of designs.

    Args:
        documents: of :func:`load_documents`.

    Raises:
        ConfigError: with the dotted path, the value and what is allowed.
    """
    return Resolved.model_construct(
        chip=validate_model(Chip, documents["chip"], "chip"),
        technology=validate_model(TechnologyFile, documents["technology"], "technology"),
        device=validate_model(DeviceFile, documents["device"], "device"),
        memory=validate_model(OffChipFile, documents["memory"], "memory"),
        link=validate_model(OffChipFile, documents["link"], "link"),
        tsb=validate_model(Tsb, documents["tsb"], "tsb"),
    )


def load_documents(
    *,
    chip: str = DEFAULT_CHIP,
    technology: str | None = None,
    device: str | None = None,
    tsb: str = "paper",
    overrides: Iterable[Override] = (),
) -> dict[str, Document]:
    """Load the presets and apply overrides: the parts of a configuration as YAML has them.

    Args:
        chip: as for :func:`resolve`, and so on.
        technology: replaces the chip's technology.
        device: replaces the chip's device.
        tsb: of the shared block.
        overrides: settings.

    Raises:
        ConfigError: a file or a path that is not there.
    """
    settings = list(overrides)
    documents: dict[str, Any] = {"chip": load_preset("chip", chip)}
    if technology is not None:
        documents["chip"]["technology"] = technology
    if device is not None:
        documents["chip"]["device"] = device
    # The names of technology and device may themselves be overridden, so they are read in between.
    early = [setting for setting in settings if override_path(setting) in _NAMES]
    documents = apply_overrides(documents, early)
    for kind in ("technology", "device"):
        name = documents["chip"].get(kind)
        if not isinstance(name, str):
            raise _no_preset(f"chip.{kind}", name)
        documents[kind] = load_preset(kind, name)
    for kind in ("memory", "link"):
        off_chip = documents["chip"].get("off_chip", {})
        default = OffChip.model_fields[kind].default
        name = off_chip.get(kind, default) if isinstance(off_chip, dict) else None
        if not isinstance(name, str):
            raise _no_preset(f"chip.off_chip.{kind}", name)
        documents[kind] = load_preset("off-chip", name)
    documents["tsb"] = load_preset("tsb", tsb)
    return apply_overrides(documents, [setting for setting in settings if setting not in early])


_NAMES = ("chip.technology", "chip.device", "chip.off_chip.memory", "chip.off_chip.link")


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


def _no_preset(field: str, value: object) -> ConfigError:
    allowed = "a preset name or a YAML path"
    return ConfigError.of(Code.WRONG_TYPE, field, value, allowed=allowed)


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
