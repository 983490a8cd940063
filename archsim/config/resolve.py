"""From preset names and overrides to one complete, checked and hashed configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, model_validator

from archsim.config.checked import validate_model
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
    Code,
    ConfigError,
)

#: Chip used when the user names none.
DEFAULT_CHIP = "rram-22nm"

#: What a source says that is no publication.
ASSUMED, OVERRIDE, BY_DEFINITION = "assumed", "user override", "physics:"

SourceKind = Literal["cited", "assumed", "override", "definition"]


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


def _no_preset(field: str, value: object) -> ConfigError:
    allowed = "a preset name or a YAML path"
    return ConfigError.of(Code.WRONG_TYPE, field, value, allowed=allowed)
