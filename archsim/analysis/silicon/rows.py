"""A table of published macros: one row per operating point, read into designs by one rule.

The rule is written out in ``docs/silicon.md``. Nothing that was measured enters a design. A row
that cannot be priced keeps its reason.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from archsim.analysis.silicon.words import converter_of, memory_of, sensing_of
from archsim.arch.macro import CONVERTER_KINDS, MACRO_SCOPES, NON_VOLATILE, MacroBatch
from archsim.config.sensing import FITTING_SENSING
from archsim.errors import Code, DataError
from archsim.units import to_si
from archsim.util.files import check_regular

#: Columns without which a file is no table of macros.
NEEDED = ("macro", "node_nm")
#: Columns of a number; each but the node may be left out of a file, or of a row.
NUMBERS = (
    "node_nm", "array_rows", "array_cols", "rows_per_bitline", "rows_read", "dot_product_length",
    "cols_per_adc", "cols_per_cycle", "adcs", "cores", "invocations_per_mvm", "input_bits",
    "weight_bits", "adc_bits", "vdd_V", "macs_1b_per_invocation", "energy_per_invocation_pJ",
    "invocation_latency_ns", "bank_area_mm2", "tops_per_W_1b",
)  # fmt: skip
#: Columns that have a default, which is noted.
_ASSUMED = ("array_rows", "array_cols", "input_bits", "weight_bits", "vdd_V")
#: Written where nothing is known.
_UNKNOWN = ("", "-", "?", "nan", "n/a", "na", "none", "null")
#: Columns that a word line crosses where nobody says.
_USUAL_COLS = 64
#: A bank may hold so many of the arrays that its row describes.
_MOST_ARRAYS = 8
#: Share of columns that a bank may have beyond whole arrays: references, redundancy, signs.
_SPARE = 0.05
_TRANSISTORS = 6.0
#: What flags say of areas from rounded densities; from this error on they tell nothing.
_AREA_ERROR = re.compile(r"area known to \+-(\d+(?:\.\d+)?) %")
_WORST_AREA_ERROR_PCT = 50.0
#: What is no slip of a digit; as in ``archsim macro``, but for widths of digital outputs.
_BOUNDS = {
    "node_nm": (1.0, 500.0), "vdd_V": (0.1, 20.0), "adc_bits": (0.0, 40.0),
    "input_bits": (0.0, 16.0), "weight_bits": (0.0, 16.0), "array_rows": (0.0, 65536.0),
    "array_cols": (0.0, 65536.0), "dot_product_length": (0.0, 1e6), "adcs": (0.0, 1e6),
}  # fmt: skip


@dataclass(frozen=True)
class SiliconRow:
    """One operating point of a published macro.

    Attributes:
        line: of the file, from 2.
        macro: its name; several rows may have it.
        klass: sram, nvm or digital; "" where the row cannot be priced.
        design: the macro as the model sees it; None where it cannot be priced.
        reason: why not; "" where it can.
        energy_J: measured, per invocation; None where it is not published.
        latency_s: measured, work over throughput.
        area_m2: measured, of a bank.
        notes: what the reading assumed.
    """

    line: int
    macro: str
    klass: str
    design: MacroBatch | None
    reason: str
    energy_J: float | None = None
    latency_s: float | None = None
    area_m2: float | None = None
    notes: tuple[str, ...] = ()


class _UnusableError(Exception):
    """A row that cannot be priced, with the reason as its text."""


def read_macros(path: str | Path) -> tuple[SiliconRow, ...]:
    """Read a table of published macros.

    Args:
        path: CSV with the columns of ``configs/silicon/macros.csv``; only name and node have to be
            there, unknown ones are passed over.

    Raises:
        DataError: no such file, not a table, a missing column, or no rows.
    """
    check_regular(Path(path))
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            lines = [(reader.line_num, row) for row in reader]
            columns = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError.of(Code.CANNOT_READ, path, problem=f"cannot be read: {error}") from error
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        said = f"{path}: missing columns {', '.join(missing)}"
        raise DataError(said, code=Code.MISSING_KEY, field=path, value=missing)
    if not lines:
        raise DataError.of(Code.EMPTY, path, problem="has no rows")
    return tuple(read_row(row, line) for line, row in lines)


def read_row(row: Mapping[str, str | None], line: int = 0) -> SiliconRow:
    """Derive the design of one row, and what was measured.

    Args:
        row: text by column.
        line: of the file.
    """
    name = (row.get("macro") or "").strip() or f"line {line}"
    try:
        return _priced(row, line, name)
    except _UnusableError as error:
        return SiliconRow(line, name, "", None, str(error))


def _priced(row: Mapping[str, str | None], line: int, name: str) -> SiliconRow:
    numbers = {column: _number(row, column) for column in NUMBERS}
    cell = (row.get("cell") or "").strip()
    memory, why = memory_of((row.get("memory") or "").strip(), cell)
    if memory is None:
        raise _UnusableError(why)
    sensing, why = sensing_of((row.get("sensing") or "").strip(), cell, memory)
    if sensing is None:
        raise _UnusableError(why)
    kind, why = converter_of((row.get("adc_kind") or "").strip())
    if kind is None:
        raise _UnusableError(why)
    design, notes = _design(numbers, memory, sensing, cell, (row.get("scope") or "").strip())
    code = torch.tensor(CONVERTER_KINDS.index(kind))
    design = design.replace(adc_kind=code)
    work = float(design.macs_1b)
    klass = "digital" if sensing == "digital" else "nvm" if memory in NON_VOLATILE else "sram"
    return SiliconRow(
        line,
        name,
        klass,
        design,
        "",
        energy_J=_energy_J(numbers, work),
        latency_s=_si(numbers["invocation_latency_ns"], "ns"),
        area_m2=_area_m2(numbers, row.get("flags") or ""),
        notes=notes,
    )


def _number(row: Mapping[str, str | None], column: str) -> float | None:
    text = (row.get(column) or "").strip()
    if text.lower() in _UNKNOWN:
        return None
    try:
        value = float(text)
    except ValueError:
        raise _UnusableError(f"{column} = '{text}' is no number") from None
    if math.isnan(value):
        return None
    low, high = _BOUNDS.get(column, (0.0, 1e12))
    if not low <= value <= high or (value == 0 and column not in ("adc_bits", "rows_read")):
        raise _UnusableError(f"{column} = {text}: out of range; allowed: above {low:g} to {high:g}")
    return value or None


def _design(
    numbers: Mapping[str, float | None], memory: str, sensing: str, cell: str, scope: str
) -> tuple[MacroBatch, tuple[str, ...]]:
    """Make the design of a row; the rule of ``docs/silicon.md``."""
    get = numbers.get
    notes: list[str] = []
    if get("node_nm") is None:
        raise _UnusableError("node_nm is not known")
    terms = get("dot_product_length") or get("rows_read") or get("array_rows")
    if terms is None:
        raise _UnusableError("neither dot_product_length nor rows_read nor array_rows is known")
    adcs = get("adcs")
    if adcs is None and get("array_cols") and get("cols_per_adc"):
        adcs = float(get("array_cols") or 0) / float(get("cols_per_adc") or 1)
        notes.append("adcs from array_cols / cols_per_adc")
    if adcs is None:
        raise _UnusableError("adcs is not known, nor array_cols and cols_per_adc")
    if get("adc_bits") is None and sensing != "digital":
        raise _UnusableError("adc_bits is not known")
    _check_fit(numbers, adcs, sensing)
    notes += [f"{key} is not known" for key in _ASSUMED if get(key) is None]
    if sensing not in FITTING_SENSING[memory]:
        notes.append(f"no published {memory} with sensing {sensing} is in the calibration")
    if scope not in ("", *MACRO_SCOPES):
        notes.append(f"scope = '{scope}' is not known: taken as a macro")
    design = MacroBatch.of(
        memory=memory,
        sensing=sensing,
        scope="processor" if scope == "processor" else "macro",
        cell_transistors=transistors_of(cell),
        node_m=_si(get("node_nm"), "nm"),
        vdd_V=get("vdd_V"),
        rows=get("array_rows") or get("rows_per_bitline") or terms,
        cols=get("array_cols") or _USUAL_COLS,
        rows_per_bitline=get("rows_per_bitline"),
        rows_read=get("rows_read") or terms,
        dot_product_length=terms,
        adcs=adcs,
        adc_bits=None if sensing == "digital" else get("adc_bits"),
        input_bits=get("input_bits") or 1.0,
        weight_bits=get("weight_bits") or 1.0,
        phases=get("invocations_per_mvm") or 1.0,
        cells_per_weight=get("cols_per_cycle") or 1.0,
    )
    return design, tuple(notes)


def _check_fit(numbers: Mapping[str, float | None], adcs: float, sensing: str) -> None:
    rows, read = numbers["array_rows"], numbers["rows_read"]
    if rows and read and read > rows:
        raise _UnusableError(f"rows_read = {read:g} is more than array_rows = {rows:g}")
    cols, shared = numbers["array_cols"], numbers["cols_per_adc"]
    if not (rows and cols and shared) or sensing == "digital":
        return
    arrays = adcs * shared * (numbers["rows_per_bitline"] or rows) / (rows * cols)
    whole = abs(arrays - round(arrays)) <= _SPARE * arrays and round(arrays) <= _MOST_ARRAYS
    if arrays > 1 and not whole:
        raise _UnusableError(
            f"adcs x cols_per_adc x rows_per_bitline is {arrays:.3g} times the cells of the array; "
            f"allowed: at most 1, or a bank of 2 to {_MOST_ARRAYS} whole arrays"
        )


def transistors_of(cell: str) -> float:
    """Return the transistors of a cell from words like ``SRAM 8T1C QR``; 6 where none are said.

    Args:
        cell: as tables have it.
    """
    for word in cell.split():
        number, mark, _ = word.partition("T")
        if mark and number.isdigit():
            return float(number)
    return _TRANSISTORS


def _energy_J(numbers: Mapping[str, float | None], work: float) -> float | None:
    known = _si(numbers["energy_per_invocation_pJ"], "pJ")
    efficiency = numbers["tops_per_W_1b"]
    if known is None and efficiency is not None:
        return 2 * work / (efficiency * 1e12)
    return known


def _area_m2(numbers: Mapping[str, float | None], flags: str) -> float | None:
    """Return the measured area, unless its source rounds it to less than half a digit."""
    said = _AREA_ERROR.search(flags)
    if said is not None and float(said.group(1)) >= _WORST_AREA_ERROR_PCT:
        return None
    return _si(numbers["bank_area_mm2"], "mm2")


def _si(value: float | None, unit: str) -> float | None:
    return None if value is None else to_si(value, unit)
