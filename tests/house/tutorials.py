"""The steps of a tutorial page: what its code blocks do, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tests.house.helpers import ROOT

FOLDER = ROOT / "docs" / "tutorials"
_BLOCK = re.compile(r"^```(\w+)(?: save=(\S+))?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
#: Languages that are run, or saved; another one is a mistake in the page.
_KNOWN = ("sh", "python", "yaml")


class Step(NamedTuple):
    """One command, one piece of Python, or one file to save."""

    kind: str
    text: str
    file: str


def pages() -> list[Path]:
    """Every tutorial, the list of them left out."""
    return sorted(page for page in FOLDER.glob("*.md") if page.stem != "index")


def steps(page: Path) -> list[Step]:
    """Return what a page does, commands one by one.

    Raises:
        ValueError: a block that is neither run nor saved.
    """
    found: list[Step] = []
    for kind, file, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "toctree":
            continue
        if kind not in _KNOWN or (kind == "yaml" and not file):
            raise ValueError(f"{page.name}: a block of {kind} that nothing runs")
        if kind == "sh":
            found += [Step(kind, line, "") for line in _commands(text)]
        else:
            found.append(Step("file" if file else kind, text, file))
    return found


def _commands(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.startswith("#")]
