"""The command line, one file per command."""

from __future__ import annotations

import os
import sys

from archsim.errors import ArchsimError
from archsim.util.shadow import check_shadowing

#: Exit code of an interrupted process: 128 and the number of SIGINT.
INTERRUPTED = 130


def main() -> None:
    """Run the ``archsim`` command: exit code 0 done, 1 infeasible or failed, 2 bad input."""
    # One design is thousands of small tensor operations: a second thread would only be waited for.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        check_shadowing()
        from archsim.cli.app import app

        app(prog_name="archsim")
    except ArchsimError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
