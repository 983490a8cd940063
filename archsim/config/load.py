"""YAML in, plain dictionaries out: presets, inheritance and ``path=value`` overrides."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from archsim.config.quantity_text import number_and_unit
from archsim.config.yaml_text import parse_yaml
from archsim.errors import Code, ConfigError, DataError, close_matches
from archsim.util.files import is_file, path_exists, read_regular
from archsim.util.paths import configs_dir

#: Largest YAML file accepted, bytes. The shipped presets are below 10 kB.
MAX_YAML_BYTES = 1_000_000

Document = dict[str, Any]


def read_yaml(path: Path) -> Document:
    """Read one YAML file whose top level is a mapping.

    Raises:
        ConfigError: unreadable, too large, not YAML, or not a mapping.
    """
    try:
        text = read_regular(path, MAX_YAML_BYTES).decode("utf-8")
    except DataError as error:
        raise ConfigError.retold(error, str(error)) from error
    except UnicodeDecodeError as error:
        raise ConfigError.of(Code.CANNOT_READ, path, problem=f"cannot be read: {error}") from error
    return copy.deepcopy(_parse(path, text))


@lru_cache(maxsize=256)
def _parse(path: Path, text: str) -> Document:
    """Parse a file once: a sweep resolves the same presets for every value of its axes."""
    try:
        loaded = parse_yaml(text)
    except ValueError as error:
        raise ConfigError.of(Code.DAMAGED_FILE, path, problem=f"not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigError.of(
            Code.WRONG_TYPE,
            path,
            problem=f"top level is {type(loaded).__name__}",
            allowed="a mapping of keys to values",
        )
    return loaded


#: Kinds whose names people give in place of another.
_PARTS = ("chip", "technology", "device", "tsb")
_MISTAKEN = {kind: tuple(other for other in _PARTS if other != kind) for kind in _PARTS}


def preset_names(kind: str) -> tuple[str, ...]:
    """List the shipped presets of a kind (``chip``, ``device``, ``technology``, ``tsb``)."""
    return tuple(sorted(path.stem for path in (configs_dir() / kind).glob("*.yaml")))


def find_preset(kind: str, name: str) -> Path:
    """Return the file of a preset name, or of a path that ends in ``.yaml``, ``.yml`` or ``.json``.

    Raises:
        ConfigError: no such preset or file.
    """
    if name.endswith((".yaml", ".yml", ".json")):  # JSON is YAML
        path = Path(name)
        if not path_exists(path):
            said = f"{kind} file '{name}' does not exist"
            raise ConfigError(said, code=Code.MISSING_FILE, field=name)
        return path
    if kind == "device" and name.lower().endswith(".csv"):
        raise ConfigError.of(
            Code.WRONG_FORM,
            kind,
            name,
            problem="a table is no device; archsim device fit TABLE --out FILE makes one of "
            "measured cells",
            allowed="a preset, or a path to a .yaml file",
        )
    known = preset_names(kind)
    if name not in known:
        others = [other for other in _MISTAKEN.get(kind, ()) if name in preset_names(other)]
        hint = f" '{name}' is a {others[0]}." if others else close_matches(name, known)
        raise ConfigError(
            f"unknown {kind} '{name}'; known: {', '.join(known)}, or a path to a .yaml file.{hint}",
            code=Code.UNKNOWN_NAME,
            field=kind,
            value=name,
            allowed=known,
        )
    return configs_dir() / kind / f"{name}.yaml"


def load_preset(kind: str, name: str) -> Document:
    """Load a preset with everything it ``extends``, sources spelled out.

    Raises:
        ConfigError: as :func:`read_yaml` and :func:`find_preset`, and for circular inheritance.
    """
    chain: list[Document] = []
    seen: list[Path] = []
    path = find_preset(kind, name)
    while True:
        if path.resolve() in seen:
            said = f"{path}: `extends` goes round in a circle"
            raise ConfigError(said, code=Code.CONFLICT, field=f"{path}: extends")
        seen.append(path.resolve())
        document = read_yaml(path)
        parent = document.pop("extends", None)
        chain.append(_spell_out_sources(document, path))
        if parent is None:
            break
        if not isinstance(parent, str):
            raise ConfigError.of(
                Code.WRONG_TYPE, f"{path}: extends", parent, allowed="one preset name or path"
            )
        sibling = path.parent / parent
        path = sibling if sibling.suffix and is_file(sibling) else find_preset(kind, parent)
    merged: Document = {}
    for document in reversed(chain):
        merged = _merge(merged, document)
    return merged


def _spell_out_sources(document: Document, path: Path) -> Document:
    """Replace ``source: key`` by the citation that the file's ``sources:`` table gives for it."""
    sources = document.pop("sources", {})
    if not isinstance(sources, dict):
        raise ConfigError(
            f"{path}: sources is not a mapping of keys to citations",
            code=Code.WRONG_TYPE,
            field=f"{path}: sources",
            value=sources,
        )

    def visit(node: Any) -> Any:
        if isinstance(node, dict):
            node = {key: visit(value) for key, value in node.items()}
            source = node.get("source")
            if "value" in node and isinstance(source, str):
                node["source"] = sources.get(source, source)
        elif isinstance(node, list):
            node = [visit(entry) for entry in node]
        return node

    result = visit(document)
    if not isinstance(result, dict):  # pragma: no cover - visit keeps the type
        raise ConfigError(f"{path}: not a mapping")
    return result


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Document:
    """Deep-merge ``over`` onto ``base``; a sourced constant is replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and "value" not in value:
            merged[key] = _merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


@dataclass(frozen=True)
class Setting:
    """One setting with its value as it is: what code says where people write ``path=value``.

    Attributes:
        path: dotted, e.g. ``chip.adc.bits``.
        value: as in YAML: a number, text, flag, None or a list of these.
    """

    path: str
    value: int | float | str | bool | list[int] | list[float] | None

    def __str__(self) -> str:
        """``path=value`` that :func:`parse_override` reads as exactly this value."""
        text = yaml.safe_dump(self.value, default_flow_style=True, width=math.inf)
        value = text.removesuffix("...\n").strip()
        return f"{self.path}={value}"


#: A setting as people write it, or as code says it.
Override = str | Setting


def override_path(override: Override) -> str:
    """Return the dotted path that a setting is about, "" for a text without one."""
    if isinstance(override, Setting):
        return override.path
    return override.partition("=")[0].strip()


def _path_and_value(override: Override) -> tuple[tuple[str, ...], Any]:
    if isinstance(override, Setting):
        return tuple(override.path.split(".")), override.value
    return parse_override(override)


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """Parse ``chip.adc.bits=6`` into its path and its YAML value.

    Raises:
        ConfigError: no ``=``, an empty path or an unreadable value.
    """
    path, separator, value = text.partition("=")
    keys = tuple(path.strip().split("."))
    if not separator or not all(keys) or not value.strip():
        raise ConfigError(
            f"override '{text}' is not path=value; for example: --set chip.adc.bits=6",
            code=Code.WRONG_FORM,
            field="--set",
            value=text,
            allowed="path=value",
        )
    try:
        return keys, parse_yaml(value)
    except ValueError as error:
        raise ConfigError(
            f"override '{text}': '{value}' is not a YAML value",
            code=Code.WRONG_FORM,
            field=path.strip(),
            value=value,
            allowed="a YAML value",
        ) from error


def parse_options(texts: Iterable[str]) -> dict[str, object]:
    """Parse options of a network: ``widths=[16,32,64]`` and the like, by name.

    Args:
        texts: ``name=value``, the value in YAML.

    Raises:
        ConfigError: no ``=``, a path instead of a name, an unreadable value, or a name twice.
    """
    options: dict[str, object] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        whole = separator and value.strip() and name.strip().isidentifier()
        if not whole or name.strip() in options:
            raise ConfigError(
                f"--option '{text}'; allowed: name=value, each name once, for example "
                "--option widths=[16,32,64]",
                code=Code.WRONG_FORM if not whole else Code.GIVEN_TWICE,
                field="--option",
                value=text,
                allowed="name=value, each name once",
            )
        options[name.strip()] = parse_override(text)[1]
    return options


def apply_overrides(document: Document, overrides: Iterable[Override]) -> Document:
    """Return a copy of ``document`` with every setting applied.

    A plain number given for a sourced constant replaces its value and keeps its unit; a number with
    a unit (``1us``, ``5 %``) replaces both; ``null`` takes the constant out.

    Raises:
        ConfigError: a path that leads nowhere, with the nearest known key.
    """
    result = copy.deepcopy(document)
    for text in overrides:
        keys, value = _path_and_value(text)
        node: Any = result
        for depth, key in enumerate(keys):
            here = ".".join(keys[:depth]) or "the configuration"
            if node is None:
                raise ConfigError(
                    f"override '{text}': {here} is null; give it whole, e.g. "
                    f"{here}={{value: 1, unit: '...', source: mine}}",
                    code=Code.UNKNOWN_KEY,
                    field=".".join(keys[: depth + 1]),
                    value=key,
                    allowed=(),
                )
            if not isinstance(node, dict):
                raise ConfigError(
                    f"override '{text}': {here} holds a value and has no keys",
                    code=Code.UNKNOWN_KEY,
                    field=".".join(keys[: depth + 1]),
                    value=key,
                    allowed=(),
                )
            # A last key that the preset leaves to its default is for the schema to judge.
            if key not in node and (depth == 0 or depth < len(keys) - 1):
                raise ConfigError(
                    f"override '{text}': unknown key '{key}' in {here}; known: "
                    f"{', '.join(sorted(node))}.{close_matches(key, node)}",
                    code=Code.UNKNOWN_KEY,
                    field=".".join(keys[: depth + 1]),
                    value=key,
                    allowed=sorted(node),
                )
            if depth < len(keys) - 1:
                node = node[key]
                continue
            old = node.get(key)
            is_number = value is not None and not isinstance(value, dict)
            if is_number and isinstance(old, dict) and "value" in old:
                said = number_and_unit(value)
                value, unit = said or (value, old.get("unit"))
                value = {**old, "value": value, "unit": unit}
                value["source"] = f"user override {str(text).strip()}"
                value.pop("range", None)
            elif isinstance(old, dict) and isinstance(value, dict) and "value" not in old:
                value = _merge(old, value)
            node[key] = value
    return result
