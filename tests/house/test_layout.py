"""House: where files lie, and that the documents about it say what is there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.house.helpers import ROOT, pages

#: All that may lie at the root of ``archsim/``; everything else has a room.
AT_THE_ROOT = {
    *("__init__.py", "__init__.pyi", "__main__.py", "py.typed"),
    *("errors.py", "shapes.py", "units.py"),
}
MOST_LINES = 400
PACKAGES = ("archsim", "mapping", "tsb", "reports")
#: Paths in documents: in code marks, with a folder and an ending of ours, and no placeholder.
_PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|toml|csv|png|js))`")
_PLACEHOLDER = re.compile(r"NAME|KIND|VERB|FILE")


def documents() -> list[Path]:
    records = ("CHANGELOG.md", "DECISIONS.md", "RESULTS.md")  # of what was, too
    return [page for page in pages() if page.name not in records]


def tracked() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(listed.stdout.splitlines())


def test_nothing_new_lies_at_the_root_of_archsim() -> None:
    there = {path.name for path in (ROOT / "archsim").iterdir() if path.is_file()}
    assert there == AT_THE_ROOT


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert long == {}


def test_architecture_names_every_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(own for own in contracts["contracts"] if own["id"] == "layers")["layers"]
    names = {name.strip() for line in layers for name in line.split("|")} - {"archsim.__main__"}
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert {name for name in names if name.removeprefix("archsim.") not in text} == set()


@pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)
def test_paths_that_documents_name_are_there(page: Path) -> None:
    ends = tuple(f"/{name}" for name in tracked())
    named = set(_PATH.findall(page.read_text(encoding="utf-8")))
    lost = {
        path
        for path in named
        if not _PLACEHOLDER.search(path) and not any(end.endswith(f"/{path}") for end in ends)
    }
    assert lost == set()
