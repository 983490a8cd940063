"""Files from outside: regular ones only, no larger than said, and paths that can be none."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from archsim.errors import Code, DataError

#: Deepest nesting of a JSON or YAML document; what archsim writes is below 12.
MAX_DEPTH = 64
#: Most bytes of a file's name: file systems allow 255, a temporary name takes 14 of them.
MAX_NAME_BYTES = 240
#: Largest JSON file of a run, a sweep or a report, bytes; what archsim writes is below 50 MB.
MAX_JSON_BYTES = 500_000_000


def is_file(path: Path) -> bool:
    """Say whether there is a file, also of a path that can be none (too long, a null byte).

    Args:
        path: to a regular file or a link to one.
    """
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Say whether there is a folder, also of a path that can be none.

    Args:
        path: to a folder or a link to one.
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def check_name(path: Path) -> None:
    """Refuse the name of a file to be written that no file can have.

    Args:
        path: of the file.

    Raises:
        DataError: too long, or with a null byte.
    """
    size = len(os.fsencode(path.name))
    if size > MAX_NAME_BYTES or "\0" in str(path):
        raise DataError(
            f"{shortened(str(path))}: no file can have this name; allowed: at most "
            f"{MAX_NAME_BYTES} bytes, and no null byte",
            code=Code.CANNOT_WRITE,
            field=path,
            value=size,
            allowed=f"at most {MAX_NAME_BYTES} bytes",
        )


def shortened(text: str, most: int = 80) -> str:
    """Return a text that fits a message.

    Args:
        text: whatever was given.
        most: letters that are kept.
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} letters)"


def path_exists(path: Path) -> bool:
    """Say whether there is anything, also of a path that can be none.

    Args:
        path: to whatever.
    """
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def check_regular(path: Path) -> None:
    """Refuse what is there and is no regular file: a pipe or a device may be read for ever.

    Args:
        path: of a file; that it is missing is found when it is read.

    Raises:
        DataError: a folder, a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode):
        raise DataError.of(
            Code.CANNOT_READ,
            path,
            problem=f"is a {_kind(mode)}",
            allowed="a regular file",
        )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def read_regular(path: Path, most_bytes: int | None = None) -> bytes:
    """Read a regular file.

    Args:
        path: of the file.
        most_bytes: a larger one is refused unread; None for no limit.

    Raises:
        DataError: missing, unreadable, no regular file, or too large.
    """
    check_regular(path)
    try:
        # A pipe that takes the place of the file in between does not block.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if most_bytes is not None and size > most_bytes:
                raise DataError(
                    f"{path}: {size} bytes; allowed: at most {most_bytes}",
                    code=Code.OUT_OF_RANGE,
                    field=path,
                    value=size,
                    allowed=f"at most {most_bytes}",
                )
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        said = getattr(error, "strerror", None) or error
        raise DataError.of(Code.CANNOT_READ, path, problem=f"cannot be read: {said}") from error


def as_float_can(number: int) -> int:
    """Return an integer that a float can be too, so that whoever reads it can count and print it.

    Args:
        number: any.

    Raises:
        ValueError: larger than the largest float, about 1.8e308.
    """
    if abs(number) > sys.float_info.max:
        raise ValueError(f"an integer of {len(str(abs(number)))} digits; allowed: below 1.8e308")
    return number


def parse_json(text: str | bytes) -> Any:
    """Parse JSON that is not nested beyond :data:`MAX_DEPTH`.

    Args:
        text: of the document.

    Raises:
        ValueError: no JSON, no UTF-8, nested deeper, or an integer that is no float.
    """
    try:
        document = json.loads(text, parse_int=lambda digits: as_float_can(int(digits)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [node for node in level if isinstance(node, dict | list)]
        if not level:
            return document
        level = [
            inner for node in level for inner in (node.values() if isinstance(node, dict) else node)
        ]
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: of the file.

    Raises:
        DataError: as :func:`read_regular`.
        ValueError: as :func:`parse_json`.
    """
    return parse_json(read_regular(path, MAX_JSON_BYTES))
