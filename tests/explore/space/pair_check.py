"""Whether the writes of a space say the same as resolving its points one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import combinations, product

import torch

from archsim.arch.design import DesignBatch
from archsim.arch.rules import broken
from archsim.arch.technology import Technology
from archsim.explore.space.points import Space
from archsim.explore.space.selection import Box

#: Most values of an axis that are looked at: its ends, and evenly between them.
_LEVELS = 8
#: Most combinations of the outer axes, which are resolved each by itself anyway.
_OUTER = 4
#: Points that are tried for a pair of values before it is taken for forbidden.
_TRIES = 4

_Pair = tuple[tuple[int, int], tuple[int, int]]


def differences(one: DesignBatch, other: DesignBatch) -> list[str]:
    """Return the names of the fields in which two designs of shape ``()`` differ.

    Args:
        one: a design.
        other: another.
    """
    names = [
        name
        for name in DesignBatch.parameters()
        if not torch.equal(getattr(one, name).reshape(()), getattr(other, name).reshape(()))
    ]
    return names + [
        f"technology.{entry.name}"
        for entry in dataclasses.fields(Technology)
        if not torch.equal(
            getattr(one.technology, entry.name), getattr(other.technology, entry.name)
        )
    ]


def assert_as_resolved(space: Space, points: Sequence[int]) -> None:
    """Resolve points one by one and compare with what the writes of the axes give.

    Args:
        space: of the points.
        points: numbers of points that are allowed.
    """
    for point in points:
        settings = space.settings(point)
        resolved, design, _ = space.resolve(settings)
        one = DesignBatch.from_resolved(resolved, design)
        _, batch, _ = space.design(box_of(space, point))
        assert differences(one, batch) == [], settings


def box_of(space: Space, point: int) -> Box:
    """Return the box of one point."""
    return Box(tuple(slice(digit, digit + 1) for digit in space.grid.digits(point)))


def telling_points(space: Space, most: int) -> list[int]:
    """Return allowed points in which, together, each pair of values of two axes occurs.

    That is where axes that act on each other show. Of long axes some values stand for all.

    Args:
        space: whose points.
        most: points at most; pairs that are then left are not looked at.
    """
    generator = torch.Generator().manual_seed(0)
    inner = [place for place, axis in enumerate(space.grid.axes) if not axis.is_outer]
    levels = {place: _levels(space.grid.shape[place]) for place in inner}
    left = dict.fromkeys(_pairs(levels))
    outer = _outer_digits(space)
    found: list[int] = []
    while left and len(found) < most:
        pair = next(iter(left))
        for attempt in range(_TRIES):
            fixed = outer[(len(found) + attempt) % len(outer)]
            digits = _filled(dict(pair), levels, left if attempt == 0 else {}, generator)
            point = _number(space, {**fixed, **digits})
            if _is_allowed(space, point):
                found.append(point)
                chosen = sorted(digits.items())
                for covered in combinations(chosen, 2):
                    left.pop(covered, None)
                break
        left.pop(pair, None)
    return found


def _levels(count: int) -> list[int]:
    if count <= _LEVELS:
        return list(range(count))
    return [round(step * (count - 1) / (_LEVELS - 1)) for step in range(_LEVELS)]


def _pairs(levels: dict[int, list[int]]) -> Iterator[_Pair]:
    if len(levels) == 1:
        ((place, own),) = levels.items()
        yield from (((place, value), (place, value)) for value in own)
    for one, other in combinations(sorted(levels), 2):
        for low, high in product(levels[one], levels[other]):
            yield (one, low), (other, high)


def _outer_digits(space: Space) -> list[dict[int, int]]:
    """Return some combinations of the outer axes: the first values, the second ones, and so on."""
    places = [place for place, axis in enumerate(space.grid.axes) if axis.is_outer]
    longest = max([space.grid.shape[place] for place in places], default=1)
    return [
        {place: step % space.grid.shape[place] for place in places}
        for step in range(min(_OUTER, longest))
    ]


def _filled(
    chosen: dict[int, int],
    levels: dict[int, list[int]],
    left: dict[_Pair, None],
    generator: torch.Generator,
) -> dict[int, int]:
    """Choose values of all axes, by how many pairs that are left they make with those before."""
    digits = dict(chosen)
    for place, values in levels.items():
        if place in digits:
            continue
        order = torch.randperm(len(values), generator=generator).tolist()

        def gain(index: int, place: int = place, values: list[int] = values) -> int:
            own = (place, values[index])
            return sum(tuple(sorted((own, other))) in left for other in digits.items())

        digits[place] = values[max(order, key=gain)]
    return digits


def _number(space: Space, digits: dict[int, int]) -> int:
    number = 0
    for place, count in enumerate(space.grid.shape):
        number = number * count + digits[place]
    return number


def _is_allowed(space: Space, point: int) -> bool:
    box = box_of(space, point)
    if not space.grid.kept(box, space.grid.tables(box)).all():
        return False
    base, _, table = space.design(box)
    return not broken(table, layers=len(base.table))
