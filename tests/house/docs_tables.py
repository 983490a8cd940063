"""Tables of the documentation that are lists of the program: ``python -m tests.house.docs_tables``.

Between ``<!-- archsim list KIND -->`` and ``<!-- end -->`` stands what that command lists.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from typer.testing import CliRunner

from archsim.cli.app import app
from tests.house.helpers import ROOT, pages

COMMAND = "python -m tests.house.docs_tables"
_BLOCK = re.compile(r"(<!-- archsim list (\S+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)


def documents() -> list[Path]:
    """All pages."""
    return [page for page in pages() if page.parent != ROOT]


def kinds(text: str) -> list[str]:
    """Which lists a page has."""
    return [match[2] for match in _BLOCK.finditer(text)]


def filled(text: str) -> str:
    """A page with its lists as they are today."""
    return _BLOCK.sub(lambda match: f"{match[1]}{table(match[2])}{match[3]}", text)


def table(kind: str) -> str:
    """What ``archsim list KIND`` lists, in Markdown."""
    done = CliRunner().invoke(app, ["list", kind, "--format", "json"])
    items = json.loads(done.stdout)["items"]
    keys = list(items[0])
    rows = [[key.replace("_", " ") for key in keys], ["---"] * len(keys)]
    rows += [[_cell(key, item[key]) for key in keys] for item in items]
    return "".join(f"|{'|'.join(f' {cell} ' for cell in row)}|\n" for row in rows)


def _cell(key: str, value: object) -> str:
    text = str(value or "-").replace("|", "\\|")
    return f"`{text}`" if key == "name" else text


def main() -> None:
    """Write the pages anew and say which."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        path.write_text(filled(text), encoding="utf-8")
        sys.stdout.write(f"{path.name}: {', '.join(kinds(text)) or 'no lists'}\n")


if __name__ == "__main__":
    main()
