"""What the registries hold: what ``archsim list KIND`` prints."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from archsim.cli.app import app
from archsim.cli.list_command import ListKind
from site_pages.markdown import cell, code, table


def pages() -> dict[str, str]:
    """Return the page by its name."""
    sections = [_section(kind.value) for kind in ListKind]
    return {"lists": "# What there is by name\n\n" + "\n".join(sections)}


def _section(kind: str) -> str:
    done = CliRunner().invoke(app, ["list", kind, "--format", "json"])
    if done.exit_code:
        raise RuntimeError(f"archsim list {kind}: {done.output}")
    items = json.loads(done.stdout)["items"]
    heads = [key.replace("_", " ") for key in items[0]]
    first = next(iter(items[0]))
    rows = [
        [code(item[key]) if key == first else cell(item[key] or "") for key in item]
        for item in items
    ]
    return f"## {kind}\n\n`archsim list {kind}`\n\n{table(heads, rows)}"
