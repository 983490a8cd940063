"""The application: which commands there are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from archsim import __version__
from archsim.cli.cliffs_command import cliffs_command
from archsim.cli.compare_command import compare_command
from archsim.cli.demo_command import demo_command
from archsim.cli.deploy_command import deploy_command
from archsim.cli.device_command import device_app
from archsim.cli.doctor_command import doctor_command
from archsim.cli.evaluate_command import evaluate_command
from archsim.cli.list_command import list_command
from archsim.cli.macro_command import macro_command
from archsim.cli.map_command import map_command
from archsim.cli.program_command import program_command
from archsim.cli.read_command import read_command
from archsim.cli.report_command import report_app
from archsim.cli.schema_command import schema_command
from archsim.cli.sweep_command import sweep_app
from archsim.cli.train_command import train_command
from archsim.cli.tune_command import tune_command
from archsim.cli.validate_command import validate_command

app = typer.Typer(
    name="archsim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"archsim {__version__}")
        raise typer.Exit()
    return wanted


@app.callback()
def archsim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Map neural networks onto compute-in-memory chips and price the result.

    Exit codes: 0 done, 1 infeasible or failed, 2 bad input.
    """


def _help(command: Callable[..., None]) -> str:
    """Join the lines of each paragraph: typer keeps the line breaks of a docstring."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for _name, _command in {
    "map": map_command,
    "compare": compare_command,
    "program": program_command,
    "cliffs": cliffs_command,
    "read": read_command,
    "train": train_command,
    "evaluate": evaluate_command,
    "deploy": deploy_command,
    "tune": tune_command,
    "macro": macro_command,
    "validate": validate_command,
    "list": list_command,
    "schema": schema_command,
    "demo": demo_command,
    "doctor": doctor_command,
}.items():
    app.command(_name, help=_help(_command))(_command)
app.add_typer(
    sweep_app(_help),
    name="sweep",
    help="A design space: run it (archsim sweep FILE), then ask (archsim sweep show FOLDER).",
)
app.add_typer(
    device_app(_help),
    name="device",
    help="A device of your own: from measured cells (archsim device fit FILE).",
)
app.add_typer(
    report_app(_help),
    name="report",
    help="Accuracy, hardware and programming of the same designs, in one report.",
)
