"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from archsim import __version__
from archsim.cli import compare_command, list_command, map_command, schema_command, validate_command

app = typer.Typer(
    name="archsim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Co-design of neural networks and non-volatile compute-in-memory chips.",
    epilog="Exit codes: 0 done, 1 infeasible or failed, 2 bad input.",
)
app.command("map")(map_command.run)
app.command("compare")(compare_command.run)
app.command("validate")(validate_command.run)
app.command("list")(list_command.run)
app.command("schema")(schema_command.run)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"archsim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show version.")
    ] = False,
) -> None:
    """Co-design of neural networks and non-volatile compute-in-memory chips."""
