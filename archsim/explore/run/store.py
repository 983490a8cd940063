"""The folder of a sweep: what it is, and its rows as Parquet parts that appear whole or not at all.

``sweep.json`` says what the rows are of; ``parts/part-0000000.parquet`` and so on are the rows. A
part that exists is done: it was written under another name, flushed to the disk and renamed. So a
sweep that was killed goes on with what is missing. Any reader of Parquet opens ``parts``.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

import pyarrow as pa
import pyarrow.parquet as pq

from archsim.errors import Code, DataError
from archsim.explore.run.part_file import (
    own_meta,
    part_bytes,
    part_meta,
    read_columns,
    read_part,
    read_points,
)
from archsim.explore.space.identity import differences_of, identity_hash
from archsim.util.atomic_write import is_temporary, remove_temporary, write_whole
from archsim.util.files import is_file, is_folder, read_json
from archsim.util.lock import LOCK

if TYPE_CHECKING:
    import pandas as pd

#: Version of the layout of the folder and of the meaning of its columns.
STORE_VERSION = 1
#: Most parts of a store: so many files no folder holds well.
MAX_PARTS = 100_000_000
_ABOUT = "sweep.json"
_PARTS = "parts"
_NAME = re.compile(r"^part-(\d{7,})\.parquet$")


@dataclass(frozen=True)
class Store:
    """The folder of a sweep.

    Attributes:
        folder: where it is.
        identity: everything that its rows depend on, as JSON values.
        parts: how many there are when all are done; None while a search may add more.
    """

    folder: Path
    identity: dict[str, Any]
    parts: int | None

    @property
    def hash(self) -> str:
        """Of the identity."""
        return identity_hash(self.identity)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        identity: Mapping[str, Any],
        parts: int | None,
        *,
        resume: bool,
        about: Mapping[str, Any] | None = None,
    ) -> Store:
        """Make the folder of a sweep, or open that of the same sweep.

        Args:
            folder: made if it is not there.
            identity: of the sweep to run.
            parts: how many it has.
            resume: whether parts that are there are kept and taken as done.
            about: what else ``sweep.json`` shall say.

        Raises:
            DataError: another sweep's folder (with what differs), parts without ``resume``, or a
                folder that cannot be made or written.
        """
        store = cls(Path(folder), dict(json.loads(json.dumps(identity))), parts)
        path = store.folder / _ABOUT
        if is_file(path):
            store._check_same(_read_json(path))
            done = store.done()
            if done and not resume:
                of = "" if parts is None else f" of {parts}"
                said = f"holds {len(done)}{of} parts of this sweep; --resume goes on with what is "
                said += "missing, another --out begins anew"
                raise _refusal(Code.IN_THE_WAY, store.folder, said)
        try:
            check_place(store.folder)
            (store.folder / _PARTS).mkdir(parents=True, exist_ok=True)
            remove_temporary(store.folder)
        except OSError as error:
            raise _not_made(folder, error) from error
        content = {
            "store": STORE_VERSION,
            "hash": store.hash,
            "parts": parts,
            **(about or {}),
            "identity": store.identity,
        }
        store.write_file(path, (json.dumps(content, indent=1) + "\n").encode())
        return store

    @classmethod
    def open(cls, folder: Path | str) -> Store:
        """Open the folder of a sweep to read it.

        Args:
            folder: of ``archsim sweep --out``.

        Raises:
            DataError: not such a folder, damaged, or of another version of archsim.
        """
        place = Path(folder)
        path = place / _ABOUT
        if not is_file(path):
            said = f"not the folder of a sweep (no {_ABOUT})"
            raise _refusal(Code.MISSING_FILE, place, said)
        content = _read_json(path)
        _check_version(place, content)
        return cls(place, content["identity"], _parts_of(content, path))

    def about(self) -> dict[str, Any]:
        """Return what ``sweep.json`` says.

        Raises:
            DataError: it is damaged.
        """
        return _read_json(self.folder / _ABOUT)

    def done(self) -> set[int]:
        """Return the numbers of the parts that are there."""
        place = self.folder / _PARTS
        if not place.is_dir():
            return set()
        names = (_NAME.match(path.name) for path in place.iterdir())
        return {int(match.group(1)) for match in names if match}

    @property
    def missing_count(self) -> int:
        """How many parts are not there; 0 where their number is not known."""
        parts = self.parts or 0
        return parts - sum(number < parts for number in self.done())

    def missing(self) -> list[int]:
        """Return the numbers of the parts that are not there, ascending; parts must be known."""
        done = self.done()
        return [number for number in range(self.parts or 0) if number not in done]

    @property
    def is_complete(self) -> bool:
        """Whether all parts are there."""
        return self.parts is not None and not self.missing_count

    def path(self, number: int) -> Path:
        """Return the file of a part.

        Args:
            number: of the part.
        """
        return self.folder / _PARTS / f"part-{number:07d}.parquet"

    def write(self, number: int, table: pa.Table, counts: Mapping[str, Any]) -> None:
        """Write a part: the file appears when all of it is on the disk.

        Args:
            number: of the part.
            table: its rows.
            counts: combinations and those left out, for the totals.

        Raises:
            DataError: the disk is full or the folder is gone; nothing is left of the part.
        """
        self.write_file(self.path(number), part_bytes(table, self.hash, number, counts))

    def write_file(self, path: Path, content: bytes) -> None:
        """Write a file of the folder, whole or not at all.

        Args:
            path: of the file.
            content: of the file.

        Raises:
            DataError: the disk is full or the folder is gone.
        """
        write_whole(path, content, kept="what was done before is kept, --resume goes on")

    def counts(self) -> dict[str, Any]:
        """Return rows, combinations and those that were forbidden, over all parts that are there.

        Raises:
            DataError: a part is damaged.
        """
        rows = combinations = 0
        forbidden: dict[str, int] = {}
        for meta, count in self._metas():
            rows += count
            combinations += meta["combinations"]
            for name, hits in meta["forbidden"].items():
                forbidden[name] = forbidden.get(name, 0) + hits
        return {"rows": rows, "combinations": combinations, "forbidden": forbidden}

    def _metas(self) -> list[tuple[dict[str, Any], int]]:
        own, parts = self.hash, self.parts
        return [own_meta(self.path(one), own, one, parts) for one in sorted(self.done())]

    def verify(self) -> list[int]:
        """Remove parts that cannot be read or are not this sweep's; return their numbers.

        A file that was renamed was whole; but a disk may lose it afterwards.

        Raises:
            DataError: one of them is a folder.
        """
        wrong = []
        for number in sorted(self.done()):
            if not self._is_whole(number):
                if is_folder(self.path(number)):
                    said = "a folder in the place of a part"
                    raise _refusal(Code.IN_THE_WAY, self.path(number), said)
                self.path(number).unlink(missing_ok=True)
                wrong.append(number)
        return wrong

    def _is_whole(self, number: int) -> bool:
        """Whether a part is what was written: what is read from it gives the same file again."""
        path = self.path(number)
        try:
            meta, _ = part_meta(path)
            rows = read_part(path)
            content = path.read_bytes()
            writer = pq.read_metadata(path).created_by
        except (DataError, OSError, pa.ArrowException):
            return False
        if (meta["hash"], meta["part"]) != (self.hash, number):
            return False
        counts = {key: meta[key] for key in ("combinations", "forbidden")}
        again = part_bytes(rows, self.hash, number, counts)
        # Another version of Arrow may write the same rows in other bytes.
        return again == content or pq.read_metadata(pa.BufferReader(again)).created_by != writer

    def columns(self) -> list[str]:
        """Return the names of the columns.

        Raises:
            DataError: no part is there, or the first is damaged.
        """
        first = min(self.done(), default=None)
        if first is None:
            raise _refusal(Code.EMPTY, self.folder, "no part is done yet")
        return read_columns(self.path(first))

    def table(self, columns: Iterable[str] | None = None) -> pa.Table:
        """Return all rows that are there, in order of the points' numbers.

        Args:
            columns: which; None takes all.

        Raises:
            DataError: no part is there, a part is damaged, or a column is not there.
        """
        wanted = None if columns is None else list(columns)
        return self._joined(lambda path: read_part(path, wanted))

    def _joined(self, read: Callable[[Path], pa.Table]) -> pa.Table:
        numbers = sorted(self.done())
        if not numbers:
            raise _refusal(Code.EMPTY, self.folder, "no part is done yet")
        self._metas()
        try:
            pieces = [read(self.path(number)) for number in numbers]
            return pa.concat_tables(pieces).replace_schema_metadata(None)
        except (OSError, pa.ArrowException, ValueError) as error:
            said = f"a part cannot be read: {str(error).splitlines()[0]}"
            raise _refusal(Code.DAMAGED_FILE, self.folder, said) from error

    def frame(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return all rows that are there as a table of pandas.

        Args:
            columns: which; None takes all.

        Raises:
            DataError: as :meth:`table`.
        """
        frame: pd.DataFrame = self.table(columns).unify_dictionaries().to_pandas()
        return frame

    def rows(self, points: Iterable[SupportsIndex]) -> pd.DataFrame:
        """Return some points as a table of pandas, in order of their numbers.

        Args:
            points: their numbers; those that are not there are left out.

        Raises:
            DataError: no part is there, or a part is damaged.
        """
        chosen = pa.array(sorted({operator.index(point) for point in points}), pa.int64())
        table = self._joined(lambda path: read_points(path, chosen))
        frame: pd.DataFrame = table.unify_dictionaries().to_pandas()
        return frame

    def _check_same(self, content: dict[str, Any]) -> None:
        _check_version(self.folder, content)
        before = content["identity"]
        if before == self.identity:
            return
        differ = differences_of(before, self.identity)
        raise DataError(
            f"{self.folder}: holds another sweep; it differs in "
            + "; ".join(differ[:5])
            + (f" and {len(differ) - 5} more" if len(differ) > 5 else "")
            + ". Choose another --out",
            code=Code.WRONG_FILE,
            field=self.folder,
            value=differ,
        )


def check_place(folder: Path) -> None:
    """Refuse a folder that can be no sweep's, before anything is computed.

    Args:
        folder: of a sweep, there or to be made.

    Raises:
        DataError: a file, or a folder with something else in it.
    """
    try:
        if folder.exists() and not folder.is_dir():
            said = "cannot be made: there is a file of this name"
            raise _refusal(Code.IN_THE_WAY, folder, said)
        if folder.is_dir() and not (folder / _ABOUT).is_file() and not _is_new(folder):
            said = "is not empty, and not the folder of a sweep"
            raise _refusal(Code.IN_THE_WAY, folder, said)
    except OSError as error:
        raise _not_made(folder, error) from error


def _refusal(code: Code, place: Path, said: str) -> DataError:
    return DataError.of(code, place, problem=said)


def _not_made(folder: Path | str, error: OSError) -> DataError:
    return _refusal(Code.CANNOT_WRITE, Path(folder), f"cannot be made: {error.strerror or error}")


def _is_new(folder: Path) -> bool:
    """Whether a folder is empty, or what a kill leaves before ``sweep.json`` is there."""
    parts = folder / _PARTS
    inside = [path for path in folder.iterdir() if not (is_temporary(path) or path.name == LOCK)]
    return inside in ([], [parts]) and not (parts.exists() and any(parts.iterdir()))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content["identity"], dict):
            raise ValueError("not what archsim wrote")
    except (ValueError, KeyError) as error:
        raise _refusal(Code.DAMAGED_FILE, path, f"damaged: {error}") from error
    return content


def _parts_of(content: dict[str, Any], path: Path) -> int | None:
    """Return the number of parts that a store says; one that no sweep has is refused."""
    parts = content.get("parts")
    if parts is None:
        return None
    if type(parts) is not int or not 1 <= parts <= MAX_PARTS:
        place, allowed = f"{path}: parts", f"1 to {MAX_PARTS}"
        raise DataError.of(Code.DAMAGED_FILE, place, parts, problem="damaged", allowed=allowed)
    return parts


def _check_version(folder: Path, content: dict[str, Any]) -> None:
    version = content.get("store")
    if version != STORE_VERSION:
        said = (
            f"{folder}: a store of version {version}; this archsim reads version "
            f"{STORE_VERSION}; archsim sweep --out ANOTHER makes it anew"
        )
        raise DataError(said, code=Code.WRONG_FILE, field=folder, value=version)
