"""The columns that a table of measured cells may have; a unit is part of a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsim.errors import Code, DataError

#: SI value of one of a unit. Resistances are turned into conductances.
CONDUCTANCES = {"S": 1.0, "mS": 1e-3, "uS": 1e-6, "nS": 1e-9}
RESISTANCES = {"ohm": 1.0, "kohm": 1e3, "Mohm": 1e6}
TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
TEMPERATURES = {"K": 0.0, "C": 273.15}

_ELECTRIC = {**CONDUCTANCES, **RESISTANCES}
#: Units by what stands before them in a name.
UNITS: Mapping[str, Mapping[str, float]] = {
    "target": _ELECTRIC,
    "measured": _ELECTRIC,
    "time": TIMES,
    "temperature": TEMPERATURES,
}
#: Columns without a unit.
PLAIN = ("device", "level", "cycle", "pulse")


@dataclass(frozen=True)
class ReadColumn:
    """One column of a table.

    Attributes:
        name: in the file.
        what: ``device``, ``level``, ``target``, ``measured``, ``cycle``, ``time``, ``temperature``
            or ``pulse``.
        unit: "" for none.
    """

    name: str
    what: str
    unit: str = ""


def allowed_names() -> str:
    """Return all names, as an error says them."""
    electric = ", ".join(_ELECTRIC)
    return (
        f"device, level or target_UNIT, measured_UNIT (UNIT: {electric}); and, where there are, "
        f"cycle, pulse, time_UNIT ({', '.join(TIMES)}), temperature_UNIT (K, C)"
    )


def columns_of(names: Sequence[str], path: Path) -> tuple[dict[str, ReadColumn], tuple[str, ...]]:
    """Return what the columns of a file are, and the names of those that are nothing here.

    Args:
        names: of the header.
        path: of the file.

    Raises:
        DataError: a unit that is missing or unknown, a column twice, or one that must be there.
    """
    known: dict[str, ReadColumn] = {}
    others = []
    for name in names:
        column = _column(name.strip(), name, path)
        if column is None:
            others.append(name)
            continue
        if column.what in known:
            raise DataError.of(
                Code.GIVEN_TWICE,
                path,
                problem=f"columns '{known[column.what].name}' and '{name}' say the same; keep one",
            )
        known[column.what] = column
    if "level" in known and "target" in known:
        raise DataError.of(
            Code.GIVEN_TWICE,
            path,
            problem="columns 'level' and 'target' say the same; keep one",
        )
    for what in ("device", "measured"):
        if what not in known:
            raise _missing(path, what)
    if "level" not in known and "target" not in known:
        raise _missing(path, "level or target")
    return known, tuple(others)


def _column(name: str, in_file: str, path: Path) -> ReadColumn | None:
    if name in PLAIN:
        return ReadColumn(in_file, name)
    what, _, unit = name.partition("_")
    if what not in UNITS:
        return None
    units = UNITS[what]
    if unit not in units:
        said = f"column '{name}': {'no unit' if not unit else f'unknown unit {unit!r}'}"
        names = ", ".join(f"{what}_{one}" for one in units)
        code = Code.MISSING_KEY if not unit else Code.UNKNOWN_NAME
        raise DataError(f"{path}: {said}; allowed: {names}", code=code, field=name, allowed=names)
    return ReadColumn(in_file, what, unit)


def _missing(path: Path, what: str) -> DataError:
    allowed = allowed_names()
    return DataError(
        f"{path}: there is no column '{what}'; allowed: {allowed}",
        code=Code.MISSING_KEY,
        field=what,
        allowed=allowed,
    )
