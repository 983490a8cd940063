"""Constraints on designs as people write them: ``area_mm2 < 50``, ``design == common``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError
from archsim.results.columns import (
    find_column,
    is_share,
    numbers_of,
    scale_of,
    split_unit,
    units_like,
)
from archsim.units import NAME_UNITS, TO_SI

if TYPE_CHECKING:
    import pandas

_ORDER: dict[str, Callable[[NDArray[np.float64], float], NDArray[np.bool_]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ALLOWED = "NAME OPERATOR VALUE with one of " + " ".join(_ORDER)
_SHAPE = re.compile(r"\s*([^\W\d][\w.\-]*)\s*(<=|>=|==|!=|<|>)\s*([^<>=!].*?)\s*", re.DOTALL)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.ASCII | re.DOTALL)
_WORD = re.compile(r"[\w.\-+/]+")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_PER_CENT = 0.01
_TINY = 1e-12


@dataclass(frozen=True)
class SweepConstraint:
    """What a column has to be.

    Attributes:
        text: as it was written.
        name: of the column, as it was written.
        operator: one of ``< <= > >= == !=``.
        value: a number (in ``unit``), a truth value or a text.
        unit: that follows the number: a unit of ``archsim.units``, ``%``, or "".
        word: the value as it was written, without quotes.
    """

    text: str
    name: str
    operator: str
    value: int | float | bool | str
    unit: str
    word: str


def parse_constraint(text: str) -> SweepConstraint:
    """Return the constraint that a text says.

    Args:
        text: ``NAME OPERATOR VALUE``. The name is that of a column, also in another unit or in
            short (see :func:`archsim.results.columns.find_column`); the value is a number, with or
            without unit (``50 mm2``, ``97 %``), ``true``, ``false``, or a word, in quotes if it has
            spaces.

    Raises:
        ConfigError: anything else.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ConfigError(
            f"constraint {text!r}; allowed: {_ALLOWED}, for example 'area_mm2 < 50'",
            code=Code.WRONG_FORM,
            field="constraint",
            value=text,
            allowed=_ALLOWED,
        )
    name, sign, word = shape.groups()
    number = _NUMBER.fullmatch(word)
    unit = _unit(number[2]) if number else None
    if number and unit is not None:
        value = float(number[1])
        if not math.isfinite(value):
            raise ConfigError(
                f"constraint {text!r}: value {number[1]}; allowed: finite numbers",
                code=Code.NOT_FINITE,
                field="constraint",
                value=text,
                allowed="finite numbers",
            )
        return SweepConstraint(text, name, sign, value, unit, word)
    if word in ("true", "false"):
        return SweepConstraint(text, name, sign, word == "true", "", word)
    quoted = _QUOTED.fullmatch(word)
    if quoted is None and not _WORD.fullmatch(word):
        raise ConfigError(
            f"constraint {text!r}: value {word!r}; allowed: a number with a known unit or none, "
            "true, false, or text, in quotes if it has spaces",
            code=Code.WRONG_FORM,
            field="constraint",
            value=text,
            allowed="a number with a known unit or none, true, false, or text",
        )
    plain = word if quoted is None else word[1:-1]
    return SweepConstraint(text, name, sign, plain, "", plain)


def _unit(words: str) -> str | None:
    """Return the unit that was written, "" for none, None for no known one."""
    unit = "*".join(words.split())
    if unit in ("", "%") or unit in TO_SI:
        return unit
    return NAME_UNITS.get(unit)


def satisfied(frame: pandas.DataFrame, constraint: SweepConstraint) -> NDArray[np.bool_]:
    """Return which designs meet a constraint, ``(n,)``; what is NaN does not.

    Numbers are compared exactly, after conversion to the column's unit.

    Args:
        frame: a row per design, ``n`` rows.
        constraint: see :func:`parse_constraint`.

    Raises:
        ConfigError: no such column, a value of another kind than the column holds, or a unit that
            is missing or does not fit.
    """
    match = find_column(constraint.name, frame.columns)
    values = frame[match.column]
    kind = kind_of(values)
    if kind == "number":
        numbers = numbers_of(frame, match.column)
        wanted = _in_column_unit(constraint, match.column, match.factor, numbers)
        return np.logical_and(_ORDER[constraint.operator](numbers, wanted), ~np.isnan(numbers))
    if constraint.operator not in ("==", "!="):
        raise ConfigError(
            f"constraint {constraint.text!r}: column '{match.column}' holds {kind}; allowed: == !=",
            code=Code.WRONG_TYPE,
            field="constraint",
            value=constraint.text,
            allowed=("==", "!="),
        )
    if kind == "true or false" and not isinstance(constraint.value, bool):
        raise _wrong_kind(constraint, match.column, kind)
    known = values.notna().to_numpy(dtype=bool)
    present = values[known]
    equal = np.zeros(len(values), dtype=bool)
    if kind == "text":
        equal[known] = present.astype(str).to_numpy(dtype=object) == constraint.word
    else:
        equal[known] = present.to_numpy(dtype=bool) == constraint.value
    return equal if constraint.operator == "==" else known & ~equal


def excess(frame: pandas.DataFrame, constraint: SweepConstraint) -> NDArray[np.float64]:
    """Return by how much designs miss a constraint, ``(n,)``: 0 where it is met.

    A number misses a bound by its distance over the bound (over 1 where the bound is 0), and by a
    little more, so that what lies on a bound that is not allowed is more than 0. What has no
    distance (a text, ``==``, a missing value) misses by 1.

    Args:
        frame: a row per design, ``n`` rows.
        constraint: see :func:`parse_constraint`.

    Raises:
        ConfigError: as :func:`satisfied`.
    """
    met = satisfied(frame, constraint)
    match = find_column(constraint.name, frame.columns)
    missed = np.ones(len(frame))
    if kind_of(frame[match.column]) == "number" and constraint.operator not in ("==", "!="):
        numbers = numbers_of(frame, match.column)
        bound = _in_column_unit(constraint, match.column, match.factor, numbers)
        distance = np.abs(numbers - bound) / (abs(bound) or 1.0) + _TINY
        missed = np.where(np.isnan(distance), 1.0, distance)
    return np.where(met, 0.0, missed)


def unknown(frame: pandas.DataFrame, constraint: SweepConstraint) -> NDArray[np.bool_]:
    """Return for which designs a constraint cannot be decided: the value is missing, ``(n,)``.

    Raises:
        ConfigError: no such column.
    """
    column = find_column(constraint.name, frame.columns).column
    return frame[column].isna().to_numpy(dtype=bool)


def kind_of(values: pandas.Series) -> Literal["number", "true or false", "text"]:
    """Return what a column holds."""
    import pandas as pd

    inferred = pd.api.types.infer_dtype(values, skipna=True)
    if inferred == "boolean":
        return "true or false"
    return "number" if pd.api.types.is_numeric_dtype(values) else "text"


def _wrong_kind(constraint: SweepConstraint, column: str, kind: str) -> ConfigError:
    allowed = "a number" if kind == "number" else "true or false"
    return ConfigError(
        f"constraint {constraint.text!r}: column '{column}' holds {kind}, not "
        f"{constraint.word!r}; allowed: {allowed}",
        code=Code.WRONG_TYPE,
        field="constraint",
        value=constraint.text,
        allowed=allowed,
    )


def bound_of(constraint: SweepConstraint, column: str) -> float:
    """Return the number of a constraint, in the unit of its column.

    Args:
        constraint: on a number, in a unit that fits.
        column: that it is about.

    Raises:
        ConfigError: a unit that is missing or does not fit, or no number.
    """
    factor = find_column(constraint.name, [column]).factor
    return _in_column_unit(constraint, column, factor, np.zeros(0))


def _in_column_unit(
    constraint: SweepConstraint,
    column: str,
    factor: int | float | None,
    numbers: NDArray[np.float64],
) -> float:
    """Convert the value of a constraint to the unit of a column of these numbers."""
    if isinstance(constraint.value, (bool, str)):
        raise _wrong_kind(constraint, column, "number")
    _, column_unit = split_unit(column)
    fitting = units_like(column_unit)
    if constraint.unit:
        if constraint.unit not in fitting:
            raise ConfigError(
                f"constraint {constraint.text!r}: column '{column}' is not in "
                f"{constraint.unit}; allowed: {', '.join(fitting)}",
                code=Code.UNKNOWN_NAME,
                field="constraint",
                value=constraint.unit,
                allowed=tuple(fitting),
            )
        scale = TO_SI[constraint.unit] / TO_SI[column_unit] if column_unit else _PER_CENT
        return constraint.value * scale
    if is_share(column) and constraint.value > 1:
        raise ConfigError(
            f"constraint {constraint.text!r}: '{column}' is a share, 0 to 1; write "
            f"'{constraint.name} {constraint.operator} {constraint.word} %'",
            code=Code.OUT_OF_RANGE,
            field="constraint",
            value=constraint.text,
            allowed="0 to 1",
        )
    if factor is None and constraint.value != 0:
        usual = scale_of(column, numbers).unit
        raise ConfigError(
            f"constraint {constraint.text!r}: '{constraint.name}' says no unit; write for example "
            f"'{constraint.name} {constraint.operator} {constraint.word} {usual}' "
            f"(known: {', '.join(fitting)}), or the column '{column}'",
            code=Code.MISSING_KEY,
            field="constraint",
            value=constraint.text,
            allowed=tuple(fitting),
        )
    return constraint.value * (1.0 if factor is None else factor)
