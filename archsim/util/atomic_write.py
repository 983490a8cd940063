"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path

from archsim.errors import Code, DataError

_TEMPORARY = re.compile(r"^\..+\.[0-9a-f]{8}\.tmp$")


def write_whole(path: Path, content: bytes, *, kept: str = "what was there is untouched") -> None:
    """Write a file so that it is there whole or not at all, also after a loss of power.

    A temporary file beside it is flushed to the disk and takes its name.

    Args:
        path: of the file; its folder exists. What was there is replaced, its permissions are kept.
        content: of the file.
        kept: what an error says of the work that was done.

    Raises:
        DataError: it cannot be written; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush_folder(path.parent)
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE, path, problem=f"cannot be written: {error.strerror or error}; {kept}"
        ) from error


def is_temporary(path: Path) -> bool:
    """Say whether a file is what a kill leaves of :func:`write_whole`.

    Args:
        path: of the file.
    """
    return _TEMPORARY.match(path.name) is not None


def remove_temporary(folder: Path) -> None:
    """Remove what kills left of :func:`write_whole`, here and below; links are not followed.

    Args:
        folder: one that nobody else writes to.
    """
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if is_temporary(path):
                path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
