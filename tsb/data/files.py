"""Folders, tar and zip archives read alike: names and contents."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from archsim.errors import Code, DataError

_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, OSError)


def read_gzipped(path: Path) -> bytes:
    """Return the content of a file, unpacked if it is gzipped.

    Args:
        path: the file; what it is, is decided by its first bytes.

    Raises:
        DataError: unreadable or truncated.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def read_tree(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Return contents by relative path (with ``/``), sorted by name.

    Args:
        path: a folder, or a tar (also compressed) or zip archive.
        wanted: chooses by relative path.

    Raises:
        DataError: unreadable, truncated, or neither folder nor archive.
    """
    try:
        return dict(sorted(_members(path, wanted)))
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in path.rglob("*"):
            name = file.relative_to(path).as_posix()
            if wanted(name) and file.is_file():
                yield name, file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if wanted(name) and not name.endswith("/"):
                    yield name, archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member) if wanted(member.name) else None
                if content is not None:
                    yield member.name, content.read()


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: cannot be read: {str(error) or type(error).__name__}; truncated or damaged? "
        "Get the file again",
        code=Code.DAMAGED_FILE,
        field=path,
    )
