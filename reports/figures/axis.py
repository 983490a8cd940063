"""Axes of figures of designs: names and units that people read, linear or logarithmic."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archsim.results.columns import scale_of, split_unit
from archsim.units import short_number

if TYPE_CHECKING:
    from matplotlib.axis import Axis as DrawnAxis

#: Positive values that span at least this factor get a logarithmic axis.
_LOG_SPAN = 5.0
#: Below this span marks between powers of ten have numbers too, at these multiples.
_FEW_DECADES = 100.0
_BETWEEN = (2, 3, 5)


class FigureAxis(NamedTuple):
    """Name and unit of a column, the unit in the column's own, the kind of axis, and the good end.

    ``maximise`` is None where no end is better.
    """

    title: str
    unit: str
    factor: int | float
    is_log: bool
    maximise: bool | None = None

    @property
    def full_title(self) -> str:
        """The title, and an arrow to the good end."""
        if self.maximise is None:
            return self.title
        return f"{self.title} ({'more' if self.maximise else 'less'} is better)"

    def text(self, value: int | float) -> str:
        """Write a value (in the unit of the axis) with its unit."""
        return f"{short_number(value)} {self.unit.replace('*', ' ')}".strip()


def axis_of(
    column: str, values: NDArray[np.float64], *, maximise: bool | None = None
) -> FigureAxis:
    """Choose the unit and kind of the axis of a column.

    Args:
        column: its name.
        values: that will be shown, in the column's unit.
        maximise: whether more is better; None where neither is.
    """
    scale = scale_of(column, values)
    finite = values[np.isfinite(values)]
    is_log = bool(finite.size and finite.min() > 0 and finite.max() >= _LOG_SPAN * finite.min())
    has_ratio = split_unit(column)[1] != "" or scale.unit == ""
    return FigureAxis(scale.title, scale.unit, scale.factor, is_log and has_ratio, maximise)


def plain_ticks(drawn: DrawnAxis, low: int | float, high: int | float) -> None:
    """Write plain numbers at a logarithmic axis, and at 2 and 5 too where it spans few decades.

    Args:
        drawn: of matplotlib, already logarithmic.
        low: smallest value shown.
        high: largest value shown.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def text(value: float, _: object) -> str:
        return short_number(value)

    drawn.set_major_formatter(FuncFormatter(text))
    few = high < _FEW_DECADES * low
    drawn.set_minor_locator(LogLocator(subs=_BETWEEN if few else "auto"))
    drawn.set_minor_formatter(FuncFormatter(text) if few else NullFormatter())
