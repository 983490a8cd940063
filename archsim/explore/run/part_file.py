"""The file of one part of a sweep: its bytes, what it says of itself, and its rows read again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archsim.errors import Code, DataError
from archsim.util.files import check_regular

if TYPE_CHECKING:
    import pandas as pd

_POINT = "point"
#: Key of the provenance in a part's metadata.
_META = b"archsim"
_META_KEYS = {"hash", "part", "combinations", "forbidden"}


def part_bytes(table: pa.Table, sweep_hash: str, number: int, counts: Mapping[str, Any]) -> bytes:
    """Return the file of a part: the same bytes for the same rows, wherever they were computed.

    Args:
        table: its rows.
        sweep_hash: of the store.
        number: of the part.
        counts: combinations and those left out.
    """
    from archsim import __version__

    meta = {"archsim": __version__, "hash": sweep_hash, "part": number, **counts}
    texts = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    tagged = table.replace_schema_metadata({_META: json.dumps(meta, sort_keys=True).encode()})
    sink = pa.BufferOutputStream()
    pq.write_table(tagged, sink, compression="zstd", use_dictionary=texts, write_page_checksum=True)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def part_meta(path: Path) -> tuple[dict[str, Any], int]:
    """Return what a part says of itself, and its number of rows.

    Args:
        path: of its file.

    Raises:
        DataError: it is no whole part.
    """
    check_regular(path)
    try:
        footer = pq.read_metadata(path)
        meta: dict[str, Any] = json.loads((footer.metadata or {})[_META])
        if not set(meta) >= _META_KEYS:
            raise ValueError(f"its metadata lack {_META_KEYS - set(meta)}")
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        said = f"not a whole part of a sweep: {error}"
        raise DataError.of(Code.DAMAGED_FILE, path, problem=said) from error
    return meta, footer.num_rows


def own_meta(path: Path, sweep: str, number: int, parts: int | None) -> tuple[dict[str, Any], int]:
    """Return what :func:`part_meta` does, of a part that was written in this place.

    Args:
        path: of its file.
        sweep: hash of the sweep.
        number: of the part, from its name.
        parts: how many the sweep has; None where that is open.

    Raises:
        DataError: it is no whole part, or one of another sweep, place or number.
    """
    if parts is not None and number >= parts:
        said = f"this sweep has {parts} parts, from 0 on"
        raise DataError.of(Code.CONFLICT, path, problem=said)
    meta, count = part_meta(path)
    if (meta["hash"], meta["part"]) != (sweep, number):
        said = f"was written as part {meta['part']} of sweep {meta['hash']}, not {sweep}"
        raise DataError.of(Code.CONFLICT, path, problem=said)
    return meta, count


def read_part(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a part; a page that is not what was written is an error, not other numbers.

    Args:
        path: of its file.
        columns: which; None takes all.

    Raises:
        DataError: no regular file.
        OSError: it cannot be read.
        ArrowException: it is damaged.
    """
    check_regular(path)
    rows = pq.read_table(path, columns=columns, page_checksum_verification=True)
    rows.validate(full=True)
    return rows


def read_points(path: Path, points: pa.Array) -> pa.Table:
    """Read some points of a part; their other columns only if they are in it.

    Args:
        path: of its file.
        points: their numbers.

    Raises:
        DataError: as :func:`read_part`.
        OSError: as :func:`read_part`.
        ArrowException: as :func:`read_part`.
    """
    here = pc.is_in(read_part(path, [_POINT]).column(_POINT), points)
    if not pc.any(here).as_py():
        return pq.read_schema(path).empty_table()
    return read_part(path).filter(here)


def read_columns(path: Path) -> list[str]:
    """Return the names of the columns of a part.

    Args:
        path: of its file.

    Raises:
        DataError: it cannot be read, or is damaged.
    """
    check_regular(path)
    try:
        return list(pq.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"cannot be read: {error}") from error


def read_beside(path: Path, texts: Sequence[str], numbers: Sequence[str]) -> pa.Table:
    """Read a table of cases that lies beside the parts.

    Args:
        path: of its file.
        texts: columns of texts that it has.
        numbers: columns of numbers that it has.

    Raises:
        DataError: it cannot be read, is damaged, or lacks one of the columns.
    """
    check_regular(path)
    try:
        found = pq.read_table(path)
        wanted = dict.fromkeys(texts, pa.string()) | dict.fromkeys(numbers, pa.float64())
        for name, kind in wanted.items():
            if found.schema.field(name).type != kind:
                raise ValueError(f"its column {name} is {found.schema.field(name).type}")
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"cannot be read: {error}") from error
    return found


def joined(frame: pd.DataFrame, cases: pa.Table, key: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return rows with what is known of their cases; NaN where nothing is.

    Args:
        frame: rows that name their case.
        cases: a row per case.
        key: column of both that names the case.
        columns: of the cases.
    """
    import pandas as pd

    keys = frame[key].astype(object)
    known = cases.to_pandas().set_index(key)[list(columns)]
    found: pd.DataFrame = known.reindex(keys.where(keys.notna(), None)).reset_index(drop=True)
    found.index = frame.index
    both: pd.DataFrame = pd.concat([frame, found], axis=1)
    return both
