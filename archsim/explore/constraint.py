"""Conditions in text: ``area_mm2 < 50``, ``chip.crossbar.cols >= chip.crossbar.rows``.

One comparison each, on columns of a table of design points. A column that carries an SI unit
(``area_m2``) may be written in any unit of its family (``area_mm2``). Nothing is executed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from archsim.config.sourced import compatible_units
from archsim.errors import ConfigError, close_matches
from archsim.units import TO_SI

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"^\s*([A-Za-z_][\w.-]*)\s*(<=|>=|==|!=|<|>)\s*(.+?)\s*$")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")

#: Units as they end column names; ``edp_Js`` and the like are joule seconds.
_SUFFIXES = {unit.replace("/", "_per_").replace("*", "_"): unit for unit in TO_SI if unit != "1"}
_SUFFIXES |= {"Js": "J*s"}
_ENDINGS = {unit: suffix for suffix, unit in _SUFFIXES.items()}

Scalar = bool | int | float | str


def unit_of(column: str) -> str | None:
    """Return the unit that ends a column's name; None without one.

    Args:
        column: for example ``area_mm2`` or ``chip.crossbar.rows``.
    """
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if column.endswith(f"_{suffix}"):
            return _SUFFIXES[suffix]
    return None


@dataclass(frozen=True)
class Column:
    """A name in a condition, and by what its column is multiplied to mean what was written."""

    name: str
    factor: float = 1.0

    def of(self, table: Mapping[str, Any]) -> Any:
        """Return the values, as the condition means them."""
        values = table[self.name]
        return values if self.factor == 1.0 else values * self.factor


@dataclass(frozen=True)
class Constraint:
    """One comparison of a column with a value or another column.

    Attributes:
        text: as it was written.
        left: name on the left.
        operator: one of ``< <= > >= == !=``.
        right: a value, or a name.
    """

    text: str
    left: str
    operator: str
    right: Scalar | Column

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, as written."""
        return (self.left, self.right.name) if isinstance(self.right, Column) else (self.left,)

    def mask(self, table: Mapping[str, Any]) -> Any:
        """Return where the condition holds; a missing value (NaN, None) never fulfils it.

        Args:
            table: columns by name: arrays of one shape, or of shapes that broadcast.

        Raises:
            ConfigError: a column that is not there, or that cannot be compared with that value.
        """
        left = resolve_column(self.left, table, self.text)
        values = np.asarray(left.of(table))
        other: Any = self.right
        if isinstance(other, Column):
            other = np.asarray(resolve_column(other.name, table, self.text).of(table))
        self._check_kinds(values, other)
        with np.errstate(invalid="ignore"):
            found = np.asarray(_OPERATORS[self.operator](values, other), dtype=bool)
        return found & ~_missing(values) & ~_missing(other)

    def _check_kinds(self, values: Any, other: Any) -> None:
        kinds = _kind(values), _kind(other)
        ordered = self.operator not in ("==", "!=")
        if kinds[0] != kinds[1] or (ordered and kinds[0] != "number"):
            allowed = "== and != between values of one kind" if kinds[0] != "number" else "a number"
            raise ConfigError(
                f"condition '{self.text}': {self.left} is a {kinds[0]}, compared with a "
                f"{kinds[1]}; allowed: {allowed}"
            )


def _kind(values: Any) -> str:
    if isinstance(values, np.ndarray) and values.dtype == object:
        known = [value for value in values.flat if value is not None and value == value]
        return _kind(known[0]) if known else "number"
    kind = np.asarray(values).dtype.kind
    return {"b": "truth value", "U": "text", "S": "text", "T": "text", "O": "text"}.get(
        kind, "number"
    )


def _missing(values: Any) -> Any:
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return np.isnan(array)
    if array.dtype == object:
        gone = [value is None or value != value for value in array.flat]
        return np.asarray(gone, dtype=bool).reshape(array.shape)
    return np.zeros(array.shape, dtype=bool)


def parse_constraint(text: str) -> Constraint:
    """Read one condition.

    Args:
        text: ``name operator value`` or ``name operator name``; values as in YAML, texts with or
            without quotes.

    Raises:
        ConfigError: anything else.
    """
    match = _FORM.match(text) if len(text) <= _MOST_CHARACTERS else None
    if match is None:
        raise ConfigError(
            f"condition '{text[:80]}': allowed: name, one of < <= > >= == !=, value or name; e.g. "
            "'area_mm2 < 50', 'design != none', 'chip.crossbar.cols >= chip.crossbar.rows'"
        )
    name, sign, right = match.groups()
    return Constraint(text.strip(), name, sign, _right_side(text, right))


_MOST_CHARACTERS = 500


def _right_side(text: str, right: str) -> Scalar | Column:
    # A dotted name is a setting; a word without dots is a text, unless it ends with a unit.
    is_name = _NAME.fullmatch(right) is not None
    if is_name and ("." in right or unit_of(right) is not None):
        return Column(right)
    try:
        value = yaml.safe_load(right)
    except (yaml.YAMLError, ValueError, RecursionError):
        value = None
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 takes 1e-9 for a text
        except ValueError:
            return value
    if isinstance(value, bool | int | float):
        return value
    raise ConfigError(
        f"condition '{text[:80]}': '{right[:40]}' is no value; allowed: a number, a text, true or "
        "false, or the name of another column"
    )


def resolve_column(name: str, known: Iterable[str], text: str) -> Column:
    """Return the column that a name means: itself, or the same quantity in another unit.

    Args:
        name: as written.
        known: columns that are there.
        text: of the condition, for the message.

    Raises:
        ConfigError: no such column, with the nearest names.
    """
    columns = list(known)
    if name in columns:
        return Column(name)
    unit = unit_of(name)
    if unit is not None:
        stem = name[: -len(_ENDINGS[unit])]
        for other in _family(unit):
            candidate = stem + _ENDINGS.get(other, other)
            if candidate in columns:
                return Column(candidate, TO_SI.get(other, 1.0) / TO_SI.get(unit, 1.0))
    raise ConfigError(
        f"condition '{text}': there is no column '{name}'; known: {', '.join(columns)}."
        + close_matches(name, columns)
    )


def _family(unit: str) -> tuple[str, ...]:
    return ("J*s", "uJ*us") if unit in ("J*s", "uJ*us") else compatible_units(unit)
