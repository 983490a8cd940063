"""The command line, one file per command."""

from __future__ import annotations

import os
import sys

from archsim.errors import ArchsimError
from archsim.util.ends import end_code, raise_on_sigterm
from archsim.util.shadow import check_shadowing


def main() -> None:
    """Run the ``archsim`` command: exit code 0 done, 1 infeasible or failed, 2 bad input."""
    # One design is thousands of small tensor operations: a second thread would only be waited for.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        raise_on_sigterm()
        check_shadowing()
        from archsim.cli.app import app

        app(prog_name="archsim")
    except ArchsimError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt as error:
        raise SystemExit(end_code(error)) from None
