"""Layer tables: a network as rows of numbers in a CSV file.

Two forms are read. One has a header; its columns are :data:`COLUMNS`. The other is the network file
of NeuroSim, which has none: seven or eight whole numbers a row, :data:`NEUROSIM`.
"""

from __future__ import annotations

import csv
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from archsim.errors import Code, NetworkError, close_matches
from archsim.network.frontend.assemble import assemble
from archsim.network.graph import LayerGraph
from archsim.network.layer_calls import table_calls
from archsim.network.layer_cells import Cells

#: Largest file in bytes, and most rows.
MAX_BYTES, MAX_ROWS = 2**24, 10_000

#: Columns of a table with a header.
COLUMNS = (
    *("name", "kind", "from", "in_channels", "in_size", "in_size_h", "in_size_w", "out_channels"),
    *("kernel", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w"),
    *("padding", "padding_h", "padding_w", "dilation", "dilation_h", "dilation_w"),
    *("groups", "bias", "activation", "pool", "vectors"),
)
#: Columns of NeuroSim's network file, in order; the eighth may be left out.
NEUROSIM = (
    *("in_size_h", "in_size_w", "in_channels", "kernel_h", "kernel_w", "out_channels", "pool"),
    "stride",
)
#: What else the columns are called.
_ALIASES = {
    **dict.fromkeys(("layer", "layer_name"), "name"),
    **dict.fromkeys(("type", "layer_type", "op"), "kind"),
    **dict.fromkeys(("input", "inputs", "reads"), "from"),
    **dict.fromkeys(("cin", "in_ch", "input_channels", "in_features", "ifm_c"), "in_channels"),
    **dict.fromkeys(
        ("cout", "out_ch", "output_channels", "out_features", "filters", "ofm_c"), "out_channels"
    ),
    **dict.fromkeys(("input_size", "size"), "in_size"),
    **dict.fromkeys(("height", "in_height", "input_height", "in_h", "h", "ifm_h"), "in_size_h"),
    **dict.fromkeys(("width", "in_width", "input_width", "in_w", "w", "ifm_w"), "in_size_w"),
    **dict.fromkeys(("kernel_size", "k"), "kernel"),
    **dict.fromkeys(("kernel_height", "kh"), "kernel_h"),
    **dict.fromkeys(("kernel_width", "kw"), "kernel_w"),
    **dict.fromkeys(("strides", "s"), "stride"),
    **dict.fromkeys(("pad", "pad_used_in_trace", "p"), "padding"),
    **dict.fromkeys(("group",), "groups"),
    **dict.fromkeys(("pooling", "followed_by_2x2_maxpool"), "pool"),
    **dict.fromkeys(("tokens",), "vectors"),
}
#: Columns that follow from others, and are passed over.
_DERIVED = frozenset({"n_input_vectors_counted", "weights", "weight_rows"})


@dataclass(frozen=True, kw_only=True)
class _Line:
    number: int
    fields: tuple[str, ...]


def is_layer_table(spec: str) -> bool:
    """Whether ``spec`` names a layer table."""
    return spec.lower().endswith(".csv")


def read_layer_table(path: str | Path, *, name: str | None = None) -> LayerGraph:
    """Read a layer table as a layer graph.

    Args:
        path: The CSV file.
        name: Name of the network; that of the file without its ending if not given.

    Raises:
        NetworkError: The file cannot be read, is no table, or a cell is missing, no number, out of
            range or contradicts others; the message names file, row and column.
    """
    path = Path(path)
    lines = _lines(path)
    plain = _is_neurosim(lines[0])
    if plain:  # commas at the ends of rows, as spreadsheets write them, are no cells
        lines = [replace(line, fields=_without_empty_end(line.fields)) for line in lines]
    columns = NEUROSIM if plain else _columns(path, lines[0])
    body = lines if plain else lines[1:]
    if not body:
        raise _refused(path, "has a header and no layer", Code.EMPTY)
    rows = tuple(_cells(path, line, columns, plain=plain) for line in body)
    table = table_calls(rows, neurosim=plain)
    ops = assemble(table.trace)
    network = name or path.name.removesuffix(path.suffix) or "table"
    notes = (*((_AS_NEUROSIM,) if plain else ()), *table.notes)
    return LayerGraph.from_ops(network, table.input_shape, ops, table.parameters, notes=notes)


_AS_NEUROSIM = (
    "rows without a header are those of a NeuroSim network file (height, width, input channels, "
    "kernel height, kernel width, output channels, followed by 2x2 pooling, stride); the padding "
    "is what the next row needs, same or none, and a ReLU follows all rows but the last"
)


def _lines(path: Path) -> list[_Line]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _refused(path, "is no regular file; give a CSV file", Code.WRONG_FILE)
        if status.st_size > MAX_BYTES:
            limit = f"at most {MAX_BYTES} bytes"
            raise _refused(path, f"is too large; {limit}", Code.OUT_OF_RANGE, limit)
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
        rows = csv.reader(text.splitlines(), delimiter=_delimiter(text), strict=True)
        found = [
            _Line(number=number, fields=tuple(field.strip() for field in row))
            for number, row in enumerate(rows, start=1)
        ]
    except FileNotFoundError:
        raise _refused(path, "does not exist", Code.MISSING_FILE) from None
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no UTF-8, or a null byte
        raise _refused(path, f"cannot be read: {error}", Code.CANNOT_READ) from error
    lines = [line for line in found if any(line.fields) and not line.fields[0].startswith("#")]
    if not lines:
        raise _refused(path, "is empty", Code.EMPTY)
    if len(lines) > MAX_ROWS:
        limit = f"at most {MAX_ROWS} rows"
        raise _refused(path, f"has {len(lines)} rows; {limit}", Code.OUT_OF_RANGE, limit)
    return lines


def _refused(path: Path, what: str, code: Code, allowed: str | None = None) -> NetworkError:
    return NetworkError(f"layer table '{path}' {what}", code=code, field=path, allowed=allowed)


def _delimiter(text: str) -> str:
    """The first of comma, semicolon and tab that the first line with anything in it has."""
    first = next((line for line in text.splitlines() if line.strip(" #\t")), "")
    return next((mark for mark in (",", ";", "\t") if mark in first), ",")


def _is_neurosim(line: _Line) -> bool:
    """Whether a first line has numbers alone: there is no header."""
    fields = _without_empty_end(line.fields)
    return all(field.replace(".", "", 1).replace("-", "", 1).isdecimal() for field in fields)


def _without_empty_end(fields: tuple[str, ...]) -> tuple[str, ...]:
    while fields and not fields[-1]:
        fields = fields[:-1]
    return fields


def _columns(path: Path, header: _Line) -> tuple[str, ...]:
    columns: list[str] = []
    for field in header.fields:
        column = "_".join(field.lower().replace("-", " ").split())
        column = _ALIASES.get(column, column)
        if column not in COLUMNS and column not in _DERIVED and column:
            raise NetworkError(
                f"layer table '{path}', row {header.number}: unknown column '{field}'."
                f"{close_matches(column, COLUMNS)} Columns are {', '.join(COLUMNS)}; a file "
                "without a header has the seven or eight numbers of NeuroSim in each row",
                code=Code.UNKNOWN_KEY,
                field=f"{path}, row {header.number}",
                value=field,
                allowed=COLUMNS,
            )
        if column and column in columns:
            raise NetworkError(
                f"layer table '{path}', row {header.number}: the column '{column}' is there twice",
                code=Code.GIVEN_TWICE,
                field=f"{path}, row {header.number}",
                value=field,
            )
        columns.append(column)
    return tuple(columns)


def _cells(path: Path, line: _Line, columns: Sequence[str], *, plain: bool) -> Cells:
    fields = line.fields
    allowed = (len(NEUROSIM) - 1, len(NEUROSIM)) if plain else (len(columns),)
    while len(fields) > max(allowed) and not fields[-1]:  # what a spreadsheet appends
        fields = fields[:-1]
    if len(fields) not in allowed:
        counts = " or ".join(map(str, allowed))
        place = f"{path}, row {line.number}"
        raise NetworkError(
            f"layer table {place}: it has {len(fields)} cells; {counts} are allowed",
            code=Code.SHAPE_MISMATCH,
            field=place,
            value=len(fields),
            allowed=counts,
        )
    texts = {c: t for c, t in zip(columns, fields, strict=False) if t and c and c not in _DERIVED}
    cells = Cells(path=path, row=line.number, texts=texts)
    if plain:
        for column in NEUROSIM[: len(fields)]:
            cells.whole(column, least=0 if column == "pool" else 1)
    if texts.get("pool") in ("1", "1.0"):  # a flag: followed by a pooling of 2 x 2
        return Cells(path=path, row=line.number, texts={**texts, "pool": "2"})
    return cells
