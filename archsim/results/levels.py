"""Levels of a parameter: its different values, or intervals where it has too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.units import short_number

if TYPE_CHECKING:
    import pandas

#: A parameter with more different numbers is cut into intervals that hold about equally many rows.
MOST_LEVELS = 12
INTERVALS = 8


class Levels(NamedTuple):
    """Level of every row, -1 where there is none, ``(n,)``, and the names of the levels in order.

    ``values`` are the numbers of the levels, middles of intervals, or empty for text.
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]
    values: tuple[float, ...]
    is_cut: bool


def levels_of(column: pandas.Series, most: int = MOST_LEVELS) -> Levels:
    """Return the levels of a column: numbers in order, text by alphabet, false before true.

    Args:
        column: numbers, booleans or text, ``(n,)``.
        most: different numbers that are levels of their own; more are cut into intervals.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return _of_numbers(column.to_numpy(dtype=np.float64, na_value=np.nan), most)
    text = column.map(_text, na_action="ignore")
    codes, names = pd.factorize(text, sort=True)
    return Levels(codes.astype(np.int64), tuple(str(name) for name in names), (), False)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value)


def _of_numbers(numbers: NDArray[np.float64], most: int) -> Levels:
    import pandas as pd

    codes, values = pd.factorize(numbers, sort=True)
    codes = codes.astype(np.int64)
    if len(values) <= most:
        return Levels(
            codes,
            tuple(short_number(value, digits=6) for value in values.tolist()),
            tuple(values.tolist()),
            False,
        )
    # Quantiles of the rows; equal ones fall together, so that an interval is never empty.
    shares = np.linspace(0, 1, INTERVALS + 1)[1:-1]
    ends = np.unique(np.quantile(numbers[codes >= 0], shares, method="lower"))
    cut = np.where(codes >= 0, np.searchsorted(ends, numbers, side="left"), -1)
    used, cut_codes = np.unique(cut[cut >= 0], return_inverse=True)
    result = np.full(len(numbers), -1, dtype=np.int64)
    result[cut >= 0] = cut_codes
    members = [numbers[result == code] for code in range(len(used))]
    names = tuple(_interval(float(each.min()), float(each.max())) for each in members)
    middles = tuple(float(np.median(each)) for each in members)
    return Levels(result, names, middles, True)


def _interval(low: float, high: float) -> str:
    ends = dict.fromkeys(short_number(end, digits=3) for end in (low, high))
    return " to ".join(ends)
