"""The command line: one file per command, heavy imports inside the commands.

Exit codes: 0 done; 1 the design is infeasible or something failed; 2 bad input.
"""

from __future__ import annotations

import os
import sys
import traceback

from archsim._shadow import check_shadowing
from archsim.errors import ArchsimError


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; see the module for the exit codes."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given or bool(os.environ.get("ARCHSIM_DEBUG"))
    try:
        check_shadowing()
        from archsim.cli.app import app

        app(args=given, prog_name="archsim")
    except ArchsimError as error:
        if debug:
            traceback.print_exc()
        _fail(f"error: {error}", error.exit_code)
    except BrokenPipeError:
        # The reader (head, less) has left; say nothing more, not even at shutdown.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the last line of defence
        if debug:
            traceback.print_exc()
        _fail(
            f"internal error: {type(error).__name__}: {error}\n"
            "This is a defect in archsim. Run again with --debug and report the traceback.",
            1,
        )


def _fail(message: str, code: int) -> None:
    sys.stderr.write(message + "\n")
    sys.exit(code)
