"""One run at a time writes to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from archsim.errors import Code, DataError

#: File of the lock; the system frees it when the process that holds it ends, however it ends.
LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder.

    Args:
        folder: made if it is not there.

    Raises:
        DataError: another run holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DataError.of(
            Code.IN_THE_WAY,
            folder,
            problem="another run writes to it now; wait for its end, or choose another --out",
        ) from error
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE, folder, problem=f"cannot be made: {error.strerror or error}"
        ) from error
    try:
        yield
    finally:
        lock.release()
