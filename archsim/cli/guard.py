"""What happens when a command does not end well: one message, one exit code, no traceback."""

from __future__ import annotations

import functools
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

import typer

from archsim.errors import ArchsimError
from archsim.util.ends import end_code
from archsim.util.files import shortened


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command whose keyword ``debug`` asks for tracebacks.

    An :class:`ArchsimError` ends the process with its message and its exit code; anything else is a
    defect of archsim and ends it with 1. A closed pipe is left to typer, which ends quietly.
    """

    @functools.wraps(command)
    def run(**options: Any) -> None:
        debug = bool(options["debug"])
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                command(**options)
                sys.stdout.flush()
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except SystemExit as error:  # of no command: of code that the user named
            _fail(f"code of the network ended the run (SystemExit: {error.code})", debug)
            raise typer.Exit(ArchsimError.exit_code) from None
        except KeyboardInterrupt as error:
            raise typer.Exit(end_code(error)) from None
        except ArchsimError as error:
            _fail(str(error), debug)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            if error.filename is None:
                _internal(error, debug)
            _fail(_about_file(error), debug)
            raise typer.Exit(ArchsimError.exit_code) from None
        except Exception as error:  # noqa: BLE001 - the last line of defence
            _internal(error, debug)

    return run


def _internal(error: Exception, debug: bool) -> NoReturn:
    _fail(
        f"internal error, {type(error).__name__}: {error}\n"
        "Run it again with --debug and please report the traceback.",
        debug,
    )
    raise typer.Exit(1) from None


def _about_file(error: OSError) -> str:
    """Say which file the system did not let us use: one that nobody looked at before."""
    name = shortened(os.fsdecode(error.filename))
    return f"{name}: {error.strerror or error}; give a file or folder that can be used"


def _fail(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    typer.secho("error: ", err=True, nl=False, bold=True, fg="red")
    typer.echo(message, err=True)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show the text alone: where in the code a warning comes from helps nobody here."""
    typer.secho("warning: ", err=True, nl=False, bold=True, fg="yellow")
    typer.echo(str(message), err=True)
