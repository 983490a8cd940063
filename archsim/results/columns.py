"""Columns of a table of designs: what they are called, and in which unit people read them.

A table has one row per design. Parameters are named by their dotted path
(``chip.crossbar.rows``), with the unit at the end where they have one (``device.r_on_kohm``),
results with their SI unit (``edp_Js``). ``feasible`` says whether the design exists at all, and NaN
in ``accuracy_mean`` that it was not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError, close_matches
from archsim.results.metrics import all_metrics, metric_of
from archsim.units import DIMENSIONS, NAME_UNITS, TO_SI

if TYPE_CHECKING:
    import pandas

FEASIBLE = "feasible"
#: Columns about the row itself: neither parameter nor result.
_ABOUT = frozenset({"point", "infeasible_because", "accuracy_key", "prediction_refused"})
#: Counts of an evaluation of the accuracy: results that are whole numbers, but no metrics.
_ACCURACY_COUNTS = frozenset({"verified_weights", "accuracy_chips"})
#: Smallest number that the middle of a column is shown as.
_LEAST = 0.1
#: Labels of what is no metric, where its name without the unit is not what people say.
_LABELS = {
    "accuracy_mean": "accuracy",
    "design": "shared block",
    "device.r_on": "device on-resistance",
    "device.r_off": "device off-resistance",
}


class Objective(NamedTuple):
    """A column, and whether more of it is better."""

    column: str
    maximise: bool = False


class Found(NamedTuple):
    """A column, and the factor from the unit that was said to the column's; None: none was said."""

    column: str
    factor: int | float | None


class Scale(NamedTuple):
    """How a column is shown: its name, the unit ("" for none), and the unit in the column's."""

    label: str
    unit: str
    factor: int | float

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.label}, {self.unit.replace('*', ' ')}" if self.unit else self.label


def split_unit(name: str) -> tuple[str, str]:
    """Return a name without its unit, and the unit (a key of ``TO_SI``, or "").

    ``split_unit("edp_uJ_us") == ("edp", "uJ*us")``.
    """
    for ending in sorted(NAME_UNITS, key=len, reverse=True):
        stem = name.removesuffix(f"_{ending}")
        # The second condition: tops_per_W is not in watts.
        if stem != name and stem and not stem.endswith("_per"):
            return stem, NAME_UNITS[ending]
    return name, ""


def units_like(unit: str) -> tuple[str, ...]:
    """Return all units of the same dimension, largest first; ``("%",)`` for no unit."""
    return next((units for units in DIMENSIONS if unit in units), ("%",))


def is_result(name: str) -> bool:
    """Say whether a column is a result."""
    if "." in name or name in _ABOUT:
        return False
    is_metric = any(name in (metric.key, metric.column) for metric in all_metrics())
    is_named = name == FEASIBLE or is_metric or is_count(name) or name.startswith("accuracy")
    return is_named or split_unit(name)[1] != ""


def is_count(name: str) -> bool:
    """Say whether a column counts something; metrics are known without their unit too."""
    metric = metric_of(name)
    return name in _ACCURACY_COUNTS or (metric is not None and metric.is_count)


def is_parameter(name: str) -> bool:
    """Say whether a column is a parameter: no result, and not about the row itself."""
    return name not in _ABOUT and not is_result(name)


def more_is_better(column: str) -> bool:
    """Say whether a result is to be maximised, unless somebody says otherwise."""
    metric = metric_of(split_unit(column)[0])
    if metric is not None:
        return metric.direction == "higher"
    return is_share(column) and "_std" not in column


def is_share(column: str) -> bool:
    """Say whether a column is an accuracy, or an interval or spread of one."""
    return column.startswith("accuracy") and is_result(column) and not is_count(column)


def find_column(name: str, columns: Iterable[str]) -> Found:
    """Find the column that a name means.

    Args:
        name: of the column (``edp_Js``), the same in another unit (``edp_uJ_us``), without unit
            (``edp``; ``accuracy`` for ``accuracy_mean``), or the end of a path (``rows``).
        columns: of the table.

    Raises:
        ConfigError: no such column, with the nearest names, or more than one.
    """
    known = list(columns)
    if name in known:
        return Found(name, 1.0)
    stem, unit = split_unit(name)
    fits = [column for column in known if stem in _stems(column) and _fits(unit, column)]
    whole = [column for column in fits if split_unit(column)[0] == stem]
    fits = whole or fits
    if len(fits) == 1:
        column_unit = split_unit(fits[0])[1]
        if unit:
            return Found(fits[0], TO_SI[unit] / TO_SI[column_unit])
        return Found(fits[0], None if column_unit else 1.0)
    if fits:
        raise ConfigError(
            f"column '{name}' can mean {' or '.join(fits)}; say which",
            code=Code.CONFLICT,
            field="column",
            value=name,
            allowed=fits,
        )
    names = {each: None for column in known for each in (*_stems(column), column)}
    if name.startswith("accuracy") and not any(is_share(column) for column in known):
        raise ConfigError(
            f"no column '{name}': accuracies come with fidelity: accuracy",
            code=Code.MISSING_KEY,
            field="column",
            value=name,
        )
    raise ConfigError(
        f"unknown column '{name}'; known: {', '.join(known)}." + close_matches(name, names),
        code=Code.UNKNOWN_NAME,
        field="column",
        value=name,
        allowed=tuple(names),
    )


def _fits(unit: str, column: str) -> bool:
    """Say whether a unit that was written (or none, "") can be meant for a column."""
    column_unit = split_unit(column)[1]
    return unit == "" or (column_unit != "" and unit in units_like(column_unit))


def _stems(column: str) -> tuple[str, ...]:
    """What a column is called, without its unit: also without ``_mean``, or the path's end."""
    stem, _ = split_unit(column)
    if "." in stem:
        parts = stem.split(".")
        return tuple(".".join(parts[start:]) for start in range(len(parts)))
    return (stem, stem.removesuffix("_mean"))


def label_of(column: str) -> str:
    """Return what people call a column: ``chip.crossbar.rows`` is "crossbar rows"."""
    stem, unit = split_unit(column)
    metric = metric_of(stem)
    if metric is not None:
        # A unit that the name of a column does not say is said with its label.
        is_said = unit != "" or metric.unit == "1" or column != metric.key
        return metric.name if is_said else f"{metric.name}, {metric.shown_unit}"
    words = stem.removeprefix("chip.").replace(".", " ").replace("_", " ")
    return _LABELS.get(stem, words)


def title_of(column: str) -> str:
    """Return what people call a column, and its unit: "device on-resistance, kohm"."""
    _, unit = split_unit(column)
    return Scale(label_of(column), unit, 1.0).title


def scale_of(column: str, values: NDArray[np.float64]) -> Scale:
    """Choose the largest unit in which the middle of the values is at least a tenth.

    Args:
        column: its name.
        values: of the column, any shape; those that are not finite do not count.
    """
    _, unit = split_unit(column)
    if is_share(column):
        return Scale(label_of(column), "%", 0.01)
    if not unit:
        return Scale(label_of(column), "", 1.0)
    finite = np.abs(values[np.isfinite(values)])
    middle = float(np.median(finite)) if finite.size else 0.0
    factors = {each: TO_SI[each] / TO_SI[unit] for each in units_like(unit)}
    chosen = next((each for each, factor in factors.items() if middle >= _LEAST * factor), unit)
    return Scale(label_of(column), chosen, factors[chosen])


def numbers_of(frame: pandas.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column as float64, ``(n,)``; what is missing is NaN.

    Raises:
        ConfigError: a column that does not exist or does not hold numbers.
    """
    import pandas as pd

    values = frame[find_column(column, frame.columns).column]
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        raise ConfigError(
            f"column '{column}' holds {values.dtype}; allowed: a column of numbers",
            code=Code.WRONG_TYPE,
            field=column,
            value=str(values.dtype),
            allowed="numbers",
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def feasible_rows(frame: pandas.DataFrame) -> NDArray[np.bool_]:
    """Return which designs are feasible, ``(n,)``: all, where the table does not say.

    Raises:
        ConfigError: a column ``feasible`` that is not true or false.
    """
    if FEASIBLE not in frame.columns:
        return np.ones(len(frame), dtype=bool)
    values = frame[FEASIBLE]
    if str(values.dtype) not in ("bool", "boolean", "bool[pyarrow]"):
        raise ConfigError(
            f"column '{FEASIBLE}' holds {values.dtype}; allowed: true or false",
            code=Code.WRONG_TYPE,
            field=FEASIBLE,
            value=str(values.dtype),
            allowed="true or false",
        )
    return values.to_numpy(dtype=bool, na_value=False)
