"""Axes of a sweep with their values, and which of them a point really has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from archsim.arch.design import PLACEMENTS, DesignBatch
from archsim.config.load import preset_names
from archsim.config.sweep import Axis, Scalar, Sweep
from archsim.errors import ConfigError, close_matches
from archsim.explore.space.condition import Condition, parse_condition
from archsim.explore.space.selection import Box, Selection

#: Settings of a sweep that are no dotted path: whole files, the network, the placement.
NAMES = ("network", "chip", "technology", "device", "tsb", "design")
#: Axes that change which layers or constants there are: worked on one value at a time.
_OUTER = ("network", "chip", "technology", "tsb", "tsb.insertion", "chip.technology")
#: Most combinations: their numbers are 64-bit integers.
MAX_COMBINATIONS = 2**62
#: Settings that have two spellings.
_SPELLINGS = (("chip.technology", "technology"), ("chip.device", "device"))
_ROOTS = ("chip", "technology", "device", "memory", "link", "tsb")


@dataclass(frozen=True)
class Dimension:
    """One independent axis, with those that follow it.

    Attributes:
        path: setting that it varies.
        values: in order.
        followers: settings that take the same values (``same_as``).
        when: condition on other axes; None always.
    """

    path: str
    values: tuple[Scalar, ...]
    followers: tuple[str, ...] = ()
    when: Condition | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def members(self) -> tuple[str, ...]:
        """All settings that it varies."""
        return (self.path, *self.followers)

    @property
    def is_outer(self) -> bool:
        """Whether it changes layers or the technology, so that a block has one value of it."""
        return any(path in _OUTER or path.startswith("technology.") for path in self.members)


def dimensions(sweep: Sweep) -> tuple[Dimension, ...]:
    """Return the axes of a sweep in the order of the points: the first varies slowest.

    Outermost are those that change layers or technology, then choices (devices, kinds of
    converters, placements), then numbers, each group in the order of the file.

    Args:
        sweep: which.

    Raises:
        ConfigError: an unknown setting, an axis that is given twice in two spellings, or a
            condition on something that is no axis or has a condition itself.
    """
    found = []
    for path, axis in sweep.axes.items():
        _check_path(path)
        if axis.same_as is not None:
            continue
        followers = tuple(name for name, own in sweep.axes.items() if own.same_as == path)
        when = None if axis.when is None else parse_condition(axis.when)
        found.append(Dimension(path, _values(path, axis), followers, when))
    for one, other in _SPELLINGS:
        if one in sweep.axes and other in sweep.axes:
            raise ConfigError(f"sweep.axes: {one} and {other} are the same setting; keep one")
    _check_conditions(found)
    kinds = {own.path: own.kind for own in DesignBatch.parameters().values()}

    def place(dimension: Dimension) -> int:
        if dimension.is_outer:
            return 0
        chosen = dimension.path in (*NAMES, "chip.device") or kinds.get(dimension.path) in (
            "choice",
            "flag",
        )
        return 1 if chosen else 2

    return tuple(sorted(found, key=place))


def _check_path(path: str) -> None:
    if path in NAMES:
        return
    root = path.split(".", maxsplit=1)[0]
    if "." not in path or root not in _ROOTS:
        known = [
            *NAMES,
            *(own.path for own in DesignBatch.parameters().values() if "." in own.path),
        ]
        raise ConfigError(
            f"sweep.axes: unknown setting '{path}'; allowed: {', '.join(NAMES)}, or a dotted path "
            f"below {', '.join(_ROOTS)}.{close_matches(path, known)}"
        )


def _values(path: str, axis: Axis) -> tuple[Scalar, ...]:
    if axis.values is not None:
        values = tuple(axis.values)
    else:
        numbers = axis.numbers()
        kinds = {own.path: own.kind for own in DesignBatch.parameters().values()}
        if kinds.get(path) == "integer" or path == "tsb.depth":
            whole = [round(number) for number in numbers]
            if axis.step is not None and whole != numbers:
                raise ConfigError(
                    f"sweep.axes.{path}: from = {axis.start:g}, step = {axis.step:g}; allowed: "
                    "whole numbers"
                )
            numbers = list(dict.fromkeys(whole))
        values = tuple(numbers)
    _check_names(path, values)
    return values


def _check_names(path: str, values: tuple[Scalar, ...]) -> None:
    known: tuple[str, ...] | None = PLACEMENTS if path == "design" else None
    if path in ("chip", "technology", "device", "tsb"):
        known = preset_names(path)
    for value in values:
        if known is None:
            if path in NAMES and not isinstance(value, str):
                raise ConfigError(f"sweep.axes.{path}: {value!r}; allowed: names")
            continue
        is_file = path != "design" and str(value).endswith((".yaml", ".yml"))
        if value not in known and not is_file:
            raise ConfigError(
                f"sweep.axes.{path}: '{value}'; allowed: {', '.join(known)}."
                + close_matches(str(value), known)
            )


def _check_conditions(found: list[Dimension]) -> None:
    free = {name for own in found if own.when is None for name in own.members}
    for own in found:
        if own.when is not None:
            _check_value(own.when, found)
        for name in () if own.when is None else own.when.names:
            if name not in free:
                raise ConfigError(
                    f"sweep.axes.{own.path}: when '{own.when.text if own.when else ''}' asks for "
                    f"'{name}'; allowed: axes without a condition of their own: "
                    f"{', '.join(sorted(free)) or 'none'}.{close_matches(name, free)}"
                )


def _check_value(condition: Condition, axes: Sequence[Dimension]) -> None:
    """Refuse a text that the axis does not have: the condition would hold nowhere, or everywhere.

    Raises:
        ConfigError: names the nearest.
    """
    right = condition.right
    if condition.is_path or not isinstance(right, str):
        return
    for axis in axes:
        texts = [value for value in axis.values if isinstance(value, str)]
        if condition.left in axis.members and texts and right not in texts:
            raise ConfigError(
                f"condition '{condition.text}': {condition.left} is never '{right}'; allowed: "
                f"{', '.join(texts)}.{close_matches(right, texts)}"
            )


def column_array(values: tuple[Scalar, ...]) -> np.ndarray:
    """Return the values of an axis as one array: bool, int64, float64, or objects for texts.

    Args:
        values: of one axis.
    """
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return np.asarray(values, dtype=bool)
    if kinds <= {int}:
        return np.asarray(values, dtype=np.int64)
    if kinds <= {int, float}:
        return np.asarray(values, dtype=np.float64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


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
        found = []
        for count in reversed(self.shape):
            point, digit = divmod(point, count)
            found.append(digit)
        return tuple(reversed(found))

    def digits_of(self, points: np.ndarray) -> np.ndarray:
        """Return the index into every axis of many points, ``(axes, n)``.

        Args:
            points: numbers, ``(n,)``.
        """
        found = np.empty((len(self.axes), len(points)), dtype=np.int64)
        left = np.asarray(points, dtype=np.int64)
        for place in reversed(range(len(self.axes))):
            left, found[place] = np.divmod(left, len(self.axes[place]))
        return found

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
        _check_value(condition, axes)
        for name in condition.names:
            if name not in names:
                raise ConfigError(
                    f"sweep.where: '{condition.text}' asks for '{name}'; allowed: axes of the "
                    f"sweep: {', '.join(names)}.{close_matches(name, names)}"
                )
    grid = Grid(axes, where)
    if grid.size > MAX_COMBINATIONS:
        raise ConfigError(
            f"sweep.axes: {grid.size:.3g} combinations; allowed: at most {MAX_COMBINATIONS:.3g}"
        )
    return grid
