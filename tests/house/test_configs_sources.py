"""Every constant in configs/ says its unit and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.util.paths import configs_dir

_FILES = sorted(configs_dir().glob("**/*.yaml"))
#: A citation is a sentence; anything shorter is a key of the file's `sources:` table.
_SHORTEST_CITATION = 20


def _constants(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a ``value``, with its dotted path."""
    if isinstance(node, dict):
        if "value" in node:
            yield path, node
        for key, child in node.items():
            yield from _constants(child, f"{path}.{key}".lstrip("."))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _constants(child, f"{path}[{index}]")


def _problems(document: dict[str, Any]) -> Iterator[str]:
    sources = document.get("sources", {})
    used = set()
    for path, constant in _constants(document):
        if not str(constant.get("unit", "")).strip():
            yield f"{path}: no unit"
        source = str(constant.get("source") or "").strip()
        used.add(source)
        citation = str(sources.get(source, source)).strip()
        assumed = citation.startswith("assum")
        if not citation:
            yield f"{path}: no source"
        elif not assumed and len(citation) < _SHORTEST_CITATION:
            yield f"{path}: source '{source}' is neither a citation nor a key of `sources`"
        if assumed and "range" not in constant:
            yield f"{path}: assumed, but no range"
    for key in set(sources) - used:
        yield f"sources.{key}: nothing refers to it"


@pytest.mark.parametrize("file", _FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_constant_has_unit_source_and_range_if_assumed(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert list(_problems(document)) == []


def test_presets_are_found() -> None:
    assert {file.parent.name for file in _FILES} >= {"chip", "technology"}


@pytest.mark.parametrize(
    ("constant", "problem"),
    [
        ({"value": 1, "source": "a paper with a name, 2020"}, "no unit"),
        ({"value": 1, "unit": "V"}, "no source"),
        ({"value": 1, "unit": "V", "source": ""}, "no source"),
        ({"value": 1, "unit": "V", "source": "neurosmi"}, "neither a citation nor a key"),
        ({"value": 1, "unit": "V", "source": "assumed"}, "no range"),
        ({"value": 1, "unit": "V", "source": "guess"}, "no range"),
    ],
)
def test_the_check_finds(constant: dict[str, Any], problem: str) -> None:
    sources = {"guess": "assumed: like its neighbours"}
    found = [
        line for line in _problems({"sources": sources, "x": [{"y": constant}]}) if "x[0].y" in line
    ]
    assert len(found) == 1
    assert problem in found[0]
