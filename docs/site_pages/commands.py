"""The command line, from the program itself."""

from __future__ import annotations

from enum import Enum
from typing import Any

import typer

from archsim.cli.app import app
from site_pages.markdown import cell, table


def pages() -> dict[str, str]:
    """Return the page by its name."""
    parts = ["# Commands\n", "Exit codes: 0 done, 1 infeasible or failed, 2 bad input.\n"]
    parts += [text for name, command in _commands() for text in _section(name, command)]
    return {"commands": "\n".join(parts)}


def _commands() -> list[tuple[str, Any]]:
    top: Any = typer.main.get_command(app)
    found: list[tuple[str, Any]] = []
    for name, command in sorted(top.commands.items()):
        below = getattr(command, "commands", {})
        found += [(f"{name} {sub}", each) for sub, each in below.items()] or [(name, command)]
    return found


def _section(name: str, command: Any) -> list[str]:
    about = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    rows = [
        [f"`{p.metavar or p.name.upper()}`", cell(getattr(p, "help", "") or "")] for p in arguments
    ]
    rows += [[_option(p), cell(p.help or "")] for p in options]
    return [f"## archsim {name}\n", f"{about}\n", table(["argument or option", "meaning"], rows)]


def _option(parameter: Any) -> str:
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    takes = "" if parameter.is_flag else f" {parameter.metavar or _choices(parameter)}"
    return f"`{names}{takes}`".replace("|", "\\|")


def _choices(parameter: Any) -> str:
    """Return the values of an enumeration, else what kind of value an option takes."""
    annotation = parameter.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    return {int: "N", float: "X", str: "TEXT"}.get(annotation, "VALUE")
