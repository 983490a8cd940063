"""Where results go: a terminal, a pipe or a file, and how errors end a command."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from reports.tables import Table

#: Columns assumed when output is not a terminal.
_PIPE_WIDTH = 150


def console() -> Console:
    """Return a console on standard output: no colours and a fixed width when piped."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console()
    width = int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdigit() else _PIPE_WIDTH
    return Console(width=width, color_system=None)


def render(table: Table, target: Console) -> None:
    """Print a table with right-aligned numbers; text columns may wrap, numbers never do."""
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for column in table.columns:
        shown.add_column(
            column.heading,
            justify="right" if column.numeric else "left",
            no_wrap=column.numeric,
            overflow="fold",
        )
    for row in table.text_rows():
        shown.add_row(*row)
    target.print(shown)


def to_json(value: Any) -> str:
    """Return indented JSON; numbers that JSON cannot hold become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return value


def deliver(text: str, out: Path | None) -> None:
    """Write text to standard output, or to a file in one step (never half a file).

    Raises:
        ConfigError: the file cannot be written.
    """
    if not text.endswith("\n"):
        text += "\n"
    if out is None:
        sys.stdout.write(text)
        return
    write_atomically(out, text.encode())
    sys.stdout.write(f"written to {out}\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it.

    Raises:
        ConfigError: a folder in the way, or a place that cannot be written to.
    """
    if path.is_dir():
        raise ConfigError(f"--out {path}: is a folder; allowed: a file")
    try:
        handle, name = tempfile.mkstemp(dir=path.parent or Path(), prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written: {error.strerror or error}") from error
