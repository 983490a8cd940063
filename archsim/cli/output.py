"""Results out: to the terminal or to a file, as text, JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.errors import Code, DataError
from archsim.util.atomic_write import write_whole
from archsim.util.files import check_name, is_folder, path_exists

if TYPE_CHECKING:
    from rich.console import Console

    from reports.tables.table import Table


def json_text(data: Any) -> str:
    """Return strict JSON: what is not finite becomes null, never ``NaN``."""
    return json.dumps(_finite(data), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(node: Any) -> Any:
    if isinstance(node, float) and not math.isfinite(node):
        return None
    if isinstance(node, Mapping):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return node


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return CSV with a header; what was not computed is empty, a list is joined by ``; ``."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_csv_cell(_finite(row[column])) for column in columns])
    return buffer.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return "; ".join(str(entry) for entry in value)
    return value


def deliver(text: str, out: Path | None) -> None:
    """Print ``text``, or write it to ``out`` and say so.

    Raises:
        DataError: the file cannot be written.
    """
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_file(out, text.encode("utf-8"))
        typer.echo(f"wrote {out}")


def write_result(
    result: Any,
    format: Format,
    out: Path | None,
    *,
    rows: Callable[[], Table | Sequence[Mapping[str, Any]]],
    draw: Callable[[Console], None],
) -> None:
    """Write a result in the form that was asked for.

    Args:
        result: has ``to_dict``, for JSON.
        format: table, JSON or CSV.
        out: file; None prints.
        rows: for CSV: a table, or one dictionary per row with the same keys.
        draw: for a terminal or plain text.

    Raises:
        DataError: the file cannot be written.
    """
    if format is Format.JSON:
        deliver(json_text(result.to_dict()), out)
    elif format is Format.CSV:
        found = rows()
        if isinstance(found, Sequence):
            deliver(csv_text(list(found[0]), found), out)
        else:
            deliver(csv_text([column.key for column in found.columns], found.records()), out)
    else:
        from archsim.cli import render

        render.present(draw, out)


def check_writable(*paths: Path | None, plot: Path | None = None, folder_option: str = "") -> None:
    """Refuse files that could not be written, before any work is done.

    Args:
        *paths: of the files; None for none.
        plot: file of a figure, whose suffix must be one of a figure's; None for none.
        folder_option: of the command, which takes a folder that somebody may have meant.

    Raises:
        ConfigError: no figure has that suffix.
        DataError: a path is a folder, its folder does not exist or must not be written.
    """
    if plot is not None:
        from reports.figures.style import check_suffix

        check_suffix(plot)
    for path in (*paths, plot):
        if path is None:
            continue
        if is_folder(path):
            meant = f", or the folder with {folder_option}" if folder_option else ""
            raise DataError.of(
                Code.CANNOT_WRITE, path, problem=f"is a folder; give the name of a file{meant}"
            )
        if not is_folder(path.parent):
            raise DataError.of(
                Code.MISSING_FILE, path, problem=f"the folder {path.parent} does not exist"
            )
        check_name(path)
        if not os.access(path if path_exists(path) else path.parent, os.W_OK):
            raise DataError.of(
                Code.CANNOT_WRITE, path, problem="must not be written; choose another place"
            )


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all: a temporary file beside it takes its name.

    Raises:
        DataError: the file cannot be written; what was there before is untouched.
    """
    check_writable(path)
    try:
        target = path.resolve()
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(content)  # a device or a pipe: nothing to replace
            return
        write_whole(target, content)
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE, path, problem=f"cannot be written: {error.strerror or error}"
        ) from error
