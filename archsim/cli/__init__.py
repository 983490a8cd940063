"""The command line, one file per command."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from archsim.errors import ArchsimError
from archsim.util.ends import end_code, raise_on_sigterm
from archsim.util.shadow import check_shadowing

#: New objects until Python looks for cycles, in place of 700: what imports make stays.
_OBJECTS = 100_000


def main() -> None:
    """Run the ``archsim`` command: exit code 0 done, 1 infeasible or failed, 2 bad input."""
    # One design is thousands of small tensor operations: a second thread would only be waited for.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # With the look at all objects when Python ends, cycles were an eighth of `archsim map`.
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
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
