"""Folders, tar and zip archives read alike: names and contents, within limits.

An archive may be small and hold terabytes, or name what lies outside of it. So its files are read
into memory one by one, as far as the limits go, and nothing is unpacked to the disk.
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from archsim.errors import Code, DataError
from archsim.util.files import check_regular, read_regular

#: Most bytes of one unpacked file, and of all of them: ImageNet's training images are not read.
MAX_FILE_BYTES, MAX_BYTES = 2**31, 2**34
#: Most files; Tiny ImageNet has 120 000.
MAX_FILES = 2_000_000
#: Most letters of a name in an archive.
MAX_NAME_LETTERS = 1000
_DAMAGE = (
    *(EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, OSError),
    *(NotImplementedError, RuntimeError, ValueError),  # ciphers and packers that zipfile has not
)


@runtime_checkable
class _Opened(Protocol):
    """A file that is read; what gzip, zipfile and tarfile give have no other type in common."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes."""

    def close(self) -> None:
        """Close it."""


def read_gzipped(path: Path) -> bytes:
    """Return the content of a file, unpacked if it is gzipped.

    Args:
        path: the file; what it is, is decided by its first bytes.

    Raises:
        DataError: unreadable, truncated, no regular file, or too large.
    """
    content = read_regular(path, MAX_FILE_BYTES)
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return _read(file, path, MAX_FILE_BYTES)
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_tree(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Return contents by relative path (with ``/``), sorted by name.

    Args:
        path: a folder, or a tar (also compressed) or zip archive.
        wanted: chooses by relative path.

    Raises:
        DataError: unreadable, truncated, neither folder nor archive, or beyond the limits.
    """
    if not path.is_dir():
        check_regular(path)
    files: dict[str, bytes] = {}
    size = 0
    try:
        for count, (name, read) in enumerate(_members(path)):
            _check_member(path, name, count)
            if wanted(name):
                files[name] = read(min(MAX_FILE_BYTES, MAX_BYTES - size))
                size += len(files[name])
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    return dict(sorted(files.items()))


#: Reads a file, at most so many bytes of it.
_Reader = Callable[[int], bytes]


def _members(path: Path) -> Iterator[tuple[str, _Reader]]:
    """Yield the regular files: name, and what reads it before the next one is asked for."""
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                yield file.relative_to(path).as_posix(), partial(read_regular, file)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, partial(_unpacked, path, partial(archive.open, info))
    else:
        with tarfile.open(path) as tape:
            for member in tape:
                if member.isfile():
                    yield member.name, partial(_unpacked, path, partial(tape.extractfile, member))


def _unpacked(path: Path, opened: Callable[[], _Opened | None], most: int) -> bytes:
    file = opened()
    if file is None:
        return b""
    with closing(file):
        return _read(file, path, most)


def _read(file: _Opened, path: Path, most: int) -> bytes:
    content = file.read(most + 1)
    if len(content) > most:
        raise DataError.of(
            Code.OUT_OF_RANGE,
            path,
            problem="unpacks to more than it may",
            allowed=f"{MAX_FILE_BYTES} bytes a file, {MAX_BYTES} in all",
        )
    return content


def _check_member(path: Path, name: str, count: int) -> None:
    """Refuse an archive of too many files, or of one that would lie outside of it."""
    if count >= MAX_FILES:
        raise DataError.of(
            Code.OUT_OF_RANGE,
            path,
            problem="holds too many files",
            allowed=f"at most {MAX_FILES}",
        )
    inside = PurePosixPath(name)
    unsafe = inside.is_absolute() or ".." in inside.parts or "\\" in name or "\0" in name
    if unsafe or len(name) > MAX_NAME_LETTERS:
        raise DataError.of(
            Code.UNSAFE_FILE,
            path,
            name[:MAX_NAME_LETTERS],
            problem="a name in it leads elsewhere",
            allowed=f"paths below the archive, at most {MAX_NAME_LETTERS} letters",
        )


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: cannot be read: {str(error) or type(error).__name__}; truncated or damaged? "
        "Get the file again",
        code=Code.DAMAGED_FILE,
        field=path,
    )
