"""``archsim list``: what there is to choose from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text

if TYPE_CHECKING:
    from rich.console import Console

#: Version of the JSON of this command.
_SCHEMA = 1


class ListKind(StrEnum):
    """What can be listed."""

    NETWORKS = "networks"
    CHIPS = "chips"
    DEVICES = "devices"
    MACROS = "macros"
    MEMORIES = "memories"
    TECHNOLOGIES = "technologies"
    OFF_CHIP = "off-chip"
    TSB = "tsb"
    POLICIES = "policies"
    STUDIES = "studies"
    SWEEPS = "sweeps"
    CORRECTIONS = "corrections"
    OBJECTIVES = "objectives"
    METRICS = "metrics"
    DATA = "data"
    DATA_FORMS = "data-forms"
    TASK_METRICS = "task-metrics"
    RANGE_RULES = "range-rules"
    REPAIRS = "repairs"
    COMPENSATIONS = "compensations"
    EFFECTS = "effects"


#: Folder below configs/, and keys shown beside name and description.
_FOLDERS: dict[ListKind, tuple[str, tuple[str, ...]]] = {
    ListKind.CHIPS: ("chip", ("technology", "device")),
    ListKind.DEVICES: (
        "device",
        (
            "memory",
            "max_bits_per_cell",
            "r_on",
            "r_off",
            "sigma",
            "spread_reference",
            "write_verify",
        ),
    ),
    ListKind.TECHNOLOGIES: ("technology", ("transistor",)),
    ListKind.OFF_CHIP: ("off-chip", ()),
    ListKind.TSB: ("tsb", ("channels", "depth")),
    ListKind.MACROS: ("macro", ()),
    ListKind.MEMORIES: ("memory", ("reference", "reference_cell")),
    ListKind.STUDIES: ("study", ()),
    ListKind.SWEEPS: ("sweep", ()),
}
#: Columns whose text may be wrapped.
_LONG = (
    "description",
    "licence",
    "citation",
    "options",
    "priced_as",
    "shown",
    "source",
    "settings",
)
_NETWORK_KEYS = ("name", "description", "input", "data", "citation")
_CORRECTION_KEYS = ("name", "description", "options", "stored_in", "priced_as", "citation")
_OBJECTIVE_KEYS = ("name", "description", "options", "citation")
_DATA_KEYS = ("name", "input", "classes", "licence")
_METRIC_KEYS = ("key", "title", "unit", "direction", "description", "shown")
_FORM_KEYS = ("name", "description", "example")
_TASK_METRIC_KEYS = ("name", "description", "targets", "direction", "unit", "source")
_RULE_KEYS = ("name", "description", "source")
_REPAIR_KEYS = ("name", "description", "needs", "source")
_EFFECT_KEYS = ("name", "description", "acts_on", "settings", "back_ends", "source")
_POLICY_KEYS = ("name", "description", "by_score", "takes", "needs_data", "source")


@guarded
def list_command(
    kind: Annotated[ListKind, typer.Argument(help="What to list.")],
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """List networks, presets, studies or what the code knows by name, described in a line each."""
    check_writable(out)
    keys, items = _IN_CODE[kind]() if kind in _IN_CODE else _presets(kind)
    if format is Format.JSON:
        deliver(json_text({"schema": _SCHEMA, "kind": kind.value, "items": items}), out)
    elif format is Format.CSV:
        deliver(csv_text(keys, items), out)
    elif not items:
        deliver(f"There are no {kind.value} yet.\n", out)
    else:
        from archsim.cli import render

        render.present(functools.partial(_draw, kind, keys, items), out)


def _networks() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from archsim.network import zoo

    entries = [zoo.entry(name) for name in zoo.names()]
    return _NETWORK_KEYS, [
        {
            "name": entry.name,
            "description": entry.description,
            "input": "x".join(map(str, entry.input_shape)),
            "data": entry.data,
            "citation": entry.citation,
        }
        for entry in entries
    ]


def _corrections() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.correction.options import options_of
    from tsb.correction.registry import CORRECTIONS, example

    return _CORRECTION_KEYS, [
        {
            "name": name,
            "description": correction.description,
            "options": "; ".join(option.words() for option in options_of(correction).values()),
            "stored_in": "cells" if correction.in_cells else "registers",
            "priced_as": example(name).hardware().words(),
            "citation": correction.citation,
        }
        for name, correction in CORRECTIONS.items()
    ]


def _objectives() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.train.objective.base import options_of
    from tsb.train.objective.registry import OBJECTIVES

    return _OBJECTIVE_KEYS, [
        {
            "name": name,
            "description": objective.description,
            "options": "; ".join(options_of(objective).values()),
            "citation": objective.citation,
        }
        for name, objective in OBJECTIVES.items()
    ]


def _metrics() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from archsim.results.metric import Place
    from archsim.results.metrics import all_metrics

    return _METRIC_KEYS, [
        {
            "key": metric.key,
            "title": metric.title,
            "unit": metric.shown_unit,
            "direction": metric.direction,
            "description": metric.about,
            "shown": ", ".join(place for place in Place if place in metric.shown),
        }
        for metric in all_metrics()
    ]


def _policies() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.write_verify.policy.registry import policies

    return _POLICY_KEYS, [
        {
            "name": policy.name,
            "description": policy.description,
            "by_score": policy.by_score,
            "takes": ", ".join(policy.takes) or None,
            "needs_data": policy.needs_data,
            "source": policy.source,
        }
        for policy in policies()
    ]


def _data() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.data import dataset_names
    from tsb.data.sources import source

    return _DATA_KEYS, [
        {
            "name": name,
            "input": "x".join(map(str, source(name).shape)),
            "classes": source(name).num_classes,
            "licence": source(name).licence,
        }
        for name in dataset_names()
    ]


def _data_forms() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.data.own.registry import FORMS

    return _FORM_KEYS, [
        {"name": form.name, "description": form.description, "example": form.example}
        for form in FORMS.values()
    ]


def _task_metrics() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.metric.registry import LISTED

    return _TASK_METRIC_KEYS, [
        {key: getattr(metric, key) or None for key in _TASK_METRIC_KEYS} for metric in LISTED
    ]


def _range_rules() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.pretrained.ranges.registry import RANGE_RULES

    return _RULE_KEYS, [
        {key: getattr(rule, key) for key in _RULE_KEYS} for rule in RANGE_RULES.values()
    ]


def _repairs() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.pretrained.repair.registry import REPAIRS

    return _REPAIR_KEYS, [
        {key: getattr(repair, key) for key in _REPAIR_KEYS} for repair in REPAIRS.values()
    ]


def _compensations() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.program.compensation.registry import REGISTRY

    return _REPAIR_KEYS, [
        {key: getattr(each, key) for key in _REPAIR_KEYS} for each in REGISTRY.values()
    ]


def _effects() -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from tsb.read_path.effects.registry import EFFECTS

    return _EFFECT_KEYS, [
        {
            "name": effect.name,
            "description": effect.description,
            "acts_on": effect.acts_on,
            "settings": ", ".join(effect.settings),
            "back_ends": ", ".join(effect.back_ends),
            "source": effect.source,
        }
        for effect in EFFECTS
    ]


#: What is listed from code; all other kinds are files.
_IN_CODE: dict[ListKind, Callable[[], tuple[tuple[str, ...], list[dict[str, Any]]]]] = {
    ListKind.NETWORKS: _networks,
    ListKind.CORRECTIONS: _corrections,
    ListKind.OBJECTIVES: _objectives,
    ListKind.POLICIES: _policies,
    ListKind.METRICS: _metrics,
    ListKind.DATA: _data,
    ListKind.DATA_FORMS: _data_forms,
    ListKind.TASK_METRICS: _task_metrics,
    ListKind.RANGE_RULES: _range_rules,
    ListKind.REPAIRS: _repairs,
    ListKind.COMPENSATIONS: _compensations,
    ListKind.EFFECTS: _effects,
}


def _presets(kind: ListKind) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    from archsim.config.load import load_preset, preset_names

    folder, more = _FOLDERS[kind]
    keys = ("name", "description", *more)
    items = []
    for name in preset_names(folder):
        document = load_preset(folder, name)
        items.append({**{key: _short(document.get(key)) for key in keys}, "name": name})
    return keys, items


def _short(value: Any) -> Any:
    """A constant as value and unit, write-verify by its model; anything else as it is."""
    if isinstance(value, dict) and "value" in value:
        bare = value["unit"] in ("1", 1, "bit")
        return value["value"] if bare else f"{value['value']:g} {value['unit']}"
    return value["model"] if isinstance(value, dict) and "model" in value else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


#: Heads of columns that are not their key.
_HEADS = {
    "max_bits_per_cell": "bits",
    "spread_reference": "of",
    "write_verify": "verify",
    "stored_in": "stored in",
    "priced_as": "priced as",
    "by_score": "by score",
    "needs_data": "needs data",
    "acts_on": "acts on",
    "back_ends": "read_path",
}


def _draw(
    kind: ListKind, keys: tuple[str, ...], items: list[dict[str, Any]], console: Console
) -> None:
    from archsim.cli import render
    from reports.tables.table import Column, Table

    columns = tuple(Column(key, _HEADS.get(key, key), wraps=key in _LONG) for key in keys)
    rows = tuple(tuple(_text(item[key]) for key in keys) for item in items)
    render.show(console, render.grid(Table(kind.value, columns, rows)))
