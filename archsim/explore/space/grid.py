"""The numbered space of a sweep's axes: which points there are, and the boxes it is cut into."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from archsim.config.sweep import Sweep
from archsim.errors import Code, ConfigError, close_matches
from archsim.explore.space.axes import Dimension, check_condition, column_array, dimensions
from archsim.explore.space.condition import Condition, parse_condition
from archsim.explore.space.selection import Box, Selection

#: Most combinations: their numbers are 64-bit integers.
MAX_COMBINATIONS = 2**62


@dataclass(frozen=True)
class Grid:
    """All axes of a sweep, as one numbered space: point = digits, the first axis slowest.

    Attributes:
        axes: in order.
        where: conditions that points must fulfil.
    """

    axes: tuple[Dimension, ...]
    where: tuple[Condition, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of combinations, those that are left out counted too."""
        return math.prod(self.shape)

    def digits(self, point: int) -> tuple[int, ...]:
        """Return the index into every axis of a point.

        Args:
            point: 0 to :attr:`size` - 1.
        """
        digits = []
        for count in reversed(self.shape):
            point, digit = divmod(point, count)
            digits.append(digit)
        return tuple(reversed(digits))

    def digits_of(self, points: np.ndarray) -> np.ndarray:
        """Return the index into every axis of many points, ``(axes, n)``.

        Args:
            points: numbers, ``(n,)``.
        """
        digits = np.empty((len(self.axes), len(points)), dtype=np.int64)
        left = np.asarray(points, dtype=np.int64)
        for place in reversed(range(len(self.axes))):
            left, digits[place] = np.divmod(left, len(self.axes[place]))
        return digits

    def tables(self, box: Selection) -> dict[str, np.ndarray]:
        """Return the values of every setting in a box, each along its own axis only.

        Args:
            box: which points.
        """
        tables: dict[str, np.ndarray] = {}
        for place, axis in enumerate(self.axes):
            values = column_array(axis.values)[box.index(place)]
            tables |= dict.fromkeys(axis.members, values)
        return tables

    def active(self, tables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return where every conditional axis has values of its own, by its path.

        Args:
            tables: of :meth:`tables`.
        """
        return {axis.path: axis.when.mask(tables) for axis in self.axes if axis.when is not None}

    def kept(self, box: Selection, tables: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return which points of a box there are, in its full shape.

        A conditional axis whose condition does not hold leaves one point: that of its first value.
        What ``where`` says about such an axis is no question there.

        Args:
            box: which part.
            tables: of its settings.
        """
        kept = np.ones(box.shape, dtype=bool)
        for place, axis in enumerate(self.axes):
            if axis.when is None:
                continue
            kept &= axis.when.mask(tables) | (box.index(place) == 0)
        active = self.active(tables)
        owners = {name: axis.path for axis in self.axes for name in axis.members}
        for condition in self.where:
            holds = condition.mask(tables)
            for path in {owners[name] for name in condition.names} & set(active):
                holds = holds | ~active[path]
            kept &= holds
        return kept

    def narrowed(self, box: Box) -> Box:
        """Return a box without the values of axes that nothing in it has.

        Args:
            box: which part.
        """
        tables = self.tables(box)
        slices = list(box.slices)
        for place, axis in enumerate(self.axes):
            if axis.when is not None and not axis.when.mask(tables).any():
                slices[place] = slice(box.slices[place].start, box.slices[place].start + 1)
        return Box(tuple(slices))

    def points(self, box: Selection) -> np.ndarray:
        """Return the numbers of all points of a box, in its full shape, int64.

        Args:
            box: which points.
        """
        total = np.zeros(box.shape, dtype=np.int64)
        stride = 1
        for place in reversed(range(len(self.axes))):
            total += stride * box.index(place)
            stride *= len(self.axes[place])
        return total


@dataclass(frozen=True)
class Cut:
    """How a grid is cut into boxes: whole inner axes, slices of one, single values of the rest.

    Attributes:
        grid: what is cut.
        axis: place of the axis that is sliced.
        length: values of it per box.
    """

    grid: Grid
    axis: int
    length: int

    @classmethod
    def of(cls, grid: Grid, most: int) -> Cut:
        """Cut a grid into boxes of at most so many points, outer axes always one by one.

        Args:
            grid: what is cut.
            most: points per box.
        """
        inner, place = 1, len(grid.axes) - 1
        while place > 0 and inner * grid.shape[place] <= most and not grid.axes[place].is_outer:
            inner *= grid.shape[place]
            place -= 1
        if grid.axes[place].is_outer:
            return cls(grid, place, 1)
        return cls(grid, place, max(1, min(grid.shape[place], most // inner)))

    @property
    def per_slice(self) -> int:
        """Boxes per combination of the outer axes."""
        return -(-self.grid.shape[self.axis] // self.length)

    @property
    def count(self) -> int:
        """Number of boxes."""
        return math.prod(self.grid.shape[: self.axis]) * self.per_slice

    def box(self, index: int) -> Box:
        """Return one box.

        Args:
            index: 0 to the number of boxes - 1.
        """
        outer, piece = divmod(index, self.per_slice)
        fixed = []
        for count in reversed(self.grid.shape[: self.axis]):
            outer, digit = divmod(outer, count)
            fixed.append(digit)
        start = piece * self.length
        stop = min(start + self.length, self.grid.shape[self.axis])
        return Box(
            (
                *(slice(digit, digit + 1) for digit in reversed(fixed)),
                slice(start, stop),
                *(slice(0, count) for count in self.grid.shape[self.axis + 1 :]),
            )
        )


def grid_of(sweep: Sweep) -> Grid:
    """Return the numbered space of a sweep.

    Args:
        sweep: which.

    Raises:
        ConfigError: as :func:`dimensions`, or a condition on what is no axis.
    """
    axes = dimensions(sweep)
    names = [name for axis in axes for name in axis.members]
    where = tuple(parse_condition(text) for text in sweep.where)
    for condition in where:
        check_condition(condition, axes)
        for name in condition.names:
            if name not in names:
                raise ConfigError(
                    f"sweep.where: '{condition.text}' asks for '{name}'; allowed: axes of the "
                    f"sweep: {', '.join(names)}.{close_matches(name, names)}",
                    code=Code.UNKNOWN_NAME,
                    field="sweep.where",
                    value=name,
                    allowed=names,
                )
    grid = Grid(axes, where)
    if grid.size > MAX_COMBINATIONS:
        raise ConfigError(
            f"sweep.axes: {grid.size:.3g} combinations; allowed: at most {MAX_COMBINATIONS:.3g}",
            code=Code.OUT_OF_RANGE,
            field="sweep.axes",
            value=grid.size,
            allowed=f"at most {MAX_COMBINATIONS:.3g}",
        )
    return grid
