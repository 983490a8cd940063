"""Rows of a table of measured cells in pieces that fit into memory, checked and in SI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from archsim.device.fit.columns import RESISTANCES, TEMPERATURES, UNITS, ReadColumn, columns_of
from archsim.errors import Code, DataError
from archsim.util.files import is_file

#: Bytes of text that are read at once: some 400 000 rows.
_BLOCK_BYTES = 1 << 24
#: Largest conductance of a cell, S: no wire that leads to one has more.
MAX_S = 1e6
#: Rows whose temperature is within so many kelvins of the one asked for are taken.
NEAR_K = 2.0
Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ReadRows:
    """Some rows, in the order of the file.

    Attributes:
        device: number of each cell, in the order of their first row.
        target: level, or conductance that was asked for, S.
        cycle: of programming.
        pulse: since the cycle began; 1 for all without such a column.
        time_s: since programming; 0 without such a column.
        measured_S: conductance.
        number: of each row in the file, the header being 1.
    """

    device: Integers
    target: Numbers
    cycle: Integers
    pulse: Integers
    time_s: Numbers
    measured_S: Numbers
    number: Integers

    def __len__(self) -> int:
        """Return how many."""
        return len(self.device)

    def take(self, which: Any) -> ReadRows:
        """Return some of them.

        Args:
            which: index of NumPy.
        """
        return ReadRows(**{name: values[which] for name, values in self.__dict__.items()})

    def after(self, before: ReadRows | None) -> ReadRows:
        """Return them behind others.

        Args:
            before: None for none.
        """
        if before is None:
            return self
        parts = {name: (getattr(before, name), own) for name, own in self.__dict__.items()}
        return ReadRows(**{name: np.concatenate(pair) for name, pair in parts.items()})


@dataclass
class ReadTable:
    """A file of measured cells.

    Attributes:
        path: of the file.
        temperature_K: rows at others are left out; None takes all, which must be near each other.
        columns: by what they are.
        ignored: names of columns that are nothing here.
        rows: that were read in the last pass, and were taken.
        left_out: rows of other temperatures, and of before the first pulse, in the last pass.
    """

    path: Path
    temperature_K: float | None = None
    columns: Mapping[str, ReadColumn] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    rows: int = 0
    left_out: int = 0
    _codes: dict[Any, int] = field(default_factory=dict)
    _temperatures: tuple[float, float] = (np.inf, -np.inf)

    def __post_init__(self) -> None:
        """Read the header.

        Raises:
            DataError: no such file, no table, or columns that are missing.
        """
        if not is_file(self.path):
            raise DataError.of(Code.MISSING_FILE, self.path, problem="there is no such file")
        with self._opened(None) as reader:
            names = reader.schema.names
        self.columns, self.ignored = columns_of(names, self.path)

    @property
    def devices(self) -> int:
        """Cells that were seen so far."""
        return len(self._codes)

    def chunks(self) -> Iterator[ReadRows]:
        """Read the file once.

        Raises:
            DataError: what is no number, not finite, negative or out of order, with its row.
        """
        self.rows, self.left_out, start = 0, 0, 2
        with self._opened(list(self.columns.values())) as reader:
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except pa.ArrowInvalid as error:
                    raise self._damaged(error, start) from error
                if batch.num_rows:
                    rows = self._rows(batch, start)
                    start += batch.num_rows
                    self.rows += len(rows)
                    if len(rows):
                        yield rows

    def _opened(self, columns: list[ReadColumn] | None) -> Any:
        kinds = {
            column.name: pa.float64() if column.what != "device" else pa.string()
            for column in columns or ()
        }
        convert = arrow_csv.ConvertOptions(
            column_types=kinds,
            include_columns=list(kinds) or None,
            null_values=["", "nan", "NaN", "NAN", "null", "NA", "n/a"],
            strings_can_be_null=True,
        )
        try:
            return arrow_csv.open_csv(
                self.path,
                read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                convert_options=convert,
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
            raise self._damaged(error, 1) from error
        except OSError as error:
            raise DataError.of(Code.CANNOT_READ, self.path, problem=str(error)) from error

    def _damaged(self, error: Exception, row: int) -> DataError:
        why = str(error).splitlines()[0][:200]
        said = f"not a table of numbers, from row {row} on: {why}"
        return DataError.of(Code.DAMAGED_FILE, self.path, problem=said)

    def _rows(self, batch: Any, start: int) -> ReadRows:
        count = batch.num_rows
        number = np.arange(start, start + count)
        device = self._devices(batch, number)
        measured = self._electric("measured", batch, number)
        if "target" in self.columns:
            target = self._electric("target", batch, number)
        else:
            target = self._whole("level", batch, number, least=0).astype(np.float64)
        cycle = self._whole("cycle", batch, number, least=None)
        pulse = self._whole("pulse", batch, number, least=0, default=1)
        time_s = np.zeros(count)
        if "time" in self.columns:
            time_s = self._numbers("time", batch, number) * UNITS["time"][self.columns["time"].unit]
            self._refuse("time", time_s < 0, time_s, number, "0 or more")
        rows = ReadRows(device, target, cycle, pulse, time_s, measured, number)
        taken = (pulse > 0) & self._near(batch, number)
        self.left_out += int((~taken).sum())
        return rows if bool(taken.all()) else rows.take(taken)

    def _devices(self, batch: Any, number: Integers) -> Integers:
        names = batch.column(self.columns["device"].name).dictionary_encode()
        if names.null_count:
            place = int(np.argmax(np.asarray(names.indices.is_null())))
            raise self._at("device", number[place], "empty", "a name or a number")
        codes = [
            self._codes.setdefault(one, len(self._codes)) for one in names.dictionary.to_pylist()
        ]
        found: Integers = np.asarray(codes, dtype=np.int64)[np.asarray(names.indices)]
        return found

    def _near(self, batch: Any, number: Integers) -> NDArray[np.bool_]:
        if "temperature" not in self.columns:
            return np.ones(len(number), dtype=bool)
        kelvin = self._numbers("temperature", batch, number)
        kelvin = kelvin + TEMPERATURES[self.columns["temperature"].unit]
        self._refuse("temperature", kelvin <= 0, kelvin, number, "above 0 K")
        if self.temperature_K is not None:
            return np.abs(kelvin - self.temperature_K) <= NEAR_K
        low, high = self._temperatures
        low, high = min(low, float(kelvin.min())), max(high, float(kelvin.max()))
        self._temperatures = (low, high)
        if high - low > 2 * NEAR_K:
            raise DataError(
                f"{self.path}: temperatures from {low:g} to {high:g} K; no law of temperature is "
                f"fitted: choose one, rows within {NEAR_K:g} K of it are taken (--temperature)",
                code=Code.CONFLICT,
                field="temperature",
                value=(low, high),
            )
        return np.ones(len(number), dtype=bool)

    def _electric(self, what: str, batch: Any, number: Integers) -> Numbers:
        values, unit = self._numbers(what, batch, number), self.columns[what].unit
        if unit in RESISTANCES:
            self._refuse(what, values <= 0, values, number, "above 0")
            with np.errstate(over="ignore"):
                found = 1 / (values * RESISTANCES[unit])
        else:
            self._refuse(what, values < 0, values, number, f"0 or more {unit}")
            found = values * UNITS[what][unit]
        self._refuse(what, found > MAX_S, values, number, f"at most {MAX_S:g} S")
        return found

    def _whole(
        self, what: str, batch: Any, number: Integers, *, least: int | None, default: int = 0
    ) -> Integers:
        if what not in self.columns:
            return np.full(len(number), default, dtype=np.int64)
        values = self._numbers(what, batch, number)
        wrong = values != np.round(values)
        allowed = "a whole number"
        if least is not None:
            wrong, allowed = wrong | (values < least), f"a whole number, {least} or more"
        self._refuse(what, wrong | (np.abs(values) > 2**53), values, number, allowed)
        return values.astype(np.int64)

    def _numbers(self, what: str, batch: Any, number: Integers) -> Numbers:
        column = batch.column(self.columns[what].name)
        values: Numbers = np.asarray(column.fill_null(np.nan), dtype=np.float64)
        self._refuse(what, ~np.isfinite(values), values, number, "a finite number")
        return values

    def _refuse(
        self, what: str, wrong: NDArray[np.bool_], values: Numbers, number: Integers, allowed: str
    ) -> None:
        if bool(wrong.any()):
            place = int(np.argmax(wrong))
            raise self._at(what, int(number[place]), f"{values[place]:g}", allowed)

    def _at(self, what: str, row: int, value: str, allowed: str) -> DataError:
        name = self.columns[what].name
        code = Code.NOT_FINITE if value in ("nan", "inf", "-inf") else Code.OUT_OF_RANGE
        return DataError(
            f"{self.path}, row {row}: {name} = {value}; allowed: {allowed}",
            code=code,
            field=name,
            value=value,
            allowed=allowed,
        )
