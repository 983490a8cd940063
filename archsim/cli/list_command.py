"""``archsim list``: what can be named on the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from archsim.cli.options import DebugOption, Format, FormatOption, OutOption
from archsim.cli.output import console, deliver, render, to_json


class Kind(StrEnum):
    """Things that have names."""

    NETWORKS = "networks"
    CHIPS = "chips"
    DEVICES = "devices"
    TECHNOLOGIES = "technologies"
    TSB = "tsb"
    STUDIES = "studies"
    SWEEPS = "sweeps"


_FOLDERS = {
    Kind.CHIPS: "chip",
    Kind.DEVICES: "device",
    Kind.TECHNOLOGIES: "technology",
    Kind.TSB: "tsb",
    Kind.STUDIES: "study",
    Kind.SWEEPS: "sweep",
}


def run(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    style: FormatOption = Format.TABLE,
    out: OutOption = None,
    debug: DebugOption = False,
) -> None:
    """List networks or the presets of one kind, with what they are."""
    rows = _networks() if kind is Kind.NETWORKS else _presets(_FOLDERS[kind])
    if style is Format.JSON:
        deliver(to_json({"schema": 1, "kind": str(kind), "entries": rows}), out)
        return
    from reports.tables import Column, Table

    headings = (
        ("name", "description", "source") if kind is Kind.NETWORKS else ("name", "description")
    )
    columns = tuple(Column(name, name, numeric=False) for name in headings)
    table = Table(str(kind), columns, tuple(rows))
    if style is Format.CSV:
        deliver(table.to_csv(), out)
        return
    target = console()
    with target.capture() as captured:
        if rows:
            render(table, target)
        else:
            target.print(f"no {kind} are shipped yet", markup=False)
    deliver(captured.get(), out)


def _presets(folder: str) -> list[dict[str, str]]:
    from archsim.config.load import load_preset, preset_names

    return [
        {"name": name, "description": str(load_preset(folder, name).get("description", ""))}
        for name in preset_names(folder)
    ]


def _networks() -> list[dict[str, str]]:
    from archsim.network import zoo

    entries = [zoo.entry(name) for name in zoo.names()]
    return [
        {"name": entry.name, "description": entry.description, "source": entry.citation}
        for entry in entries
    ]
