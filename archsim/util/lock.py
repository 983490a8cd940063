"""One run at a time writes to a folder, and only below it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from archsim.errors import Code, DataError

#: File of the lock; the system frees it when the process that holds it ends, however it ends.
LOCK = ".lock"

_held = threading.local()


@contextmanager
def locked(folder: Path, *, option: str = "--out") -> Iterator[None]:
    """Keep other runs out of a folder, and what is written in it below it.

    What is called within the block may ask for the same folder again. A folder that was made for
    nothing (the input was bad) is taken away again.

    Args:
        folder: made if it is not there.
        option: that names another folder, for the message.

    Raises:
        DataError: another run holds it, it cannot be written, or a link in it leads out of it.
    """
    mine: set[str] = _held.__dict__.setdefault("folders", set())
    key = os.path.realpath(folder)
    if key in mine:
        yield
        return
    made = _make(folder)
    check_inside(folder)
    fresh = not (folder / LOCK).exists()
    lock = _acquired(folder, option)
    mine.add(key)
    try:
        yield
    except BaseException:
        if fresh:  # a folder that was refused is left as it was
            with suppress(OSError):
                (folder / LOCK).unlink()
        raise
    finally:
        mine.discard(key)
        _take_away(folder, made)
        lock.release()


def _make(folder: Path) -> list[Path]:
    """Make a folder; return it and the parents that were not there, innermost first."""
    try:
        missing = []
        place = folder
        while not place.exists():
            missing.append(place)
            place = place.parent
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise _not_made(folder, error) from error
    return missing


def _acquired(folder: Path, option: str) -> FileLock:
    try:
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DataError.of(
            Code.IN_THE_WAY,
            folder,
            problem=f"another run writes to it now; wait for its end, or choose another {option}",
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _not_made(folder, error) from error
    return lock


def _take_away(folder: Path, made: list[Path]) -> None:
    """Remove folders that were made here and hold nothing but the lock."""
    with suppress(OSError):
        if folder in made and [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
        for place in made:
            place.rmdir()


def check_inside(folder: Path) -> None:
    """Refuse a folder with a link that leads out of it: what is written would lie elsewhere.

    Args:
        folder: that is written to.

    Raises:
        DataError: names the link.
    """
    home = os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(place, name)  # noqa: PTH118 - of thousands of files
            if not os.path.islink(path):  # noqa: PTH114
                continue
            target = os.path.realpath(path)
            if os.path.commonpath([home, target]) != home:
                raise DataError.of(
                    Code.UNSAFE_FILE,
                    path,
                    problem=f"this link leads out of {folder}, to {target}",
                    allowed="files and folders below it; take the link away, or choose another "
                    "folder",
                )


def _not_made(folder: Path, error: Exception) -> DataError:
    said = getattr(error, "strerror", None) or error
    return DataError.of(Code.CANNOT_WRITE, folder, problem=f"cannot be made: {said}")
