"""Which points of a box some configuration has, and by which rule others are left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from archsim.arch.design import DesignBatch
from archsim.arch.rules import broken
from archsim.errors import Code, ConfigError
from archsim.explore.space.points import Base, Space
from archsim.explore.space.selection import Flat, Selection
from archsim.explore.space.writes import Settings

#: Most combinations of the outer axes that a sample is taken of: each is resolved by itself.
_OUTER = 4
#: Points of a sample, for each of them.
_SAMPLED = 1024


@dataclass(frozen=True, eq=False)
class LegalPoints:
    """Points of a box with their designs.

    Attributes:
        base: of the box.
        design: of all points, those that are left out too.
        kept: which points some configuration has, in the box's full shape.
        forbidden: number of points that a rule leaves out, by its name.
    """

    base: Base
    design: DesignBatch
    kept: np.ndarray
    forbidden: dict[str, int]


def legal_points(space: Space, box: Selection, kept: np.ndarray) -> LegalPoints:
    """Return which points of a box no rule forbids.

    Args:
        space: of the sweep.
        box: which points, with one value of every outer axis.
        kept: which of them there are, in the box's full shape.

    Raises:
        ConfigError: a setting that is not allowed at all, or that points cannot have.
    """
    base, design, table = space.design(box)
    forbidden = {}
    for name, mask in broken(table, layers=len(base.table)).items():
        hit = kept & np.broadcast_to(mask.numpy(), box.shape)
        forbidden[name] = int(hit.sum())
        kept = kept & ~hit
    for path, mask in space.not_settable(box).items():
        lost = kept & np.broadcast_to(mask.numpy(), box.shape)
        if lost.any():
            raise _unsayable(space, int(space.grid.points(box)[lost].flat[0]), path)
    return LegalPoints(
        base, design, kept, {name: count for name, count in forbidden.items() if count}
    )


def _unsayable(space: Space, point: int, path: str) -> ConfigError:
    settings = space.settings(point)
    try:
        space.resolve(settings)
    except ConfigError as error:
        return ConfigError.retold(
            error,
            f"sweep.axes: at {_said(settings)}: {error}\nLeave such points out with where, or give "
            "an axis a condition (when)",
        )
    return ConfigError(
        f"sweep.axes: at {_said(settings)} the axes act on each other: the unit of {path} depends "
        "on another one of them; sweep one of them in a sweep of its own",
        code=Code.CONFLICT,
        field="sweep.axes",
        value=path,
    )


def _said(settings: Settings) -> str:
    return ", ".join(f"{path} = {value}" for path, value in settings.items())


def check_sample(space: Space) -> None:
    """Look for points that settings cannot have, before anything runs, where not all are counted.

    Args:
        space: of the sweep.

    Raises:
        ConfigError: as :func:`legal_points`.
    """
    generator = torch.Generator().manual_seed(0)
    longest = max((len(axis) for axis in space.outer), default=1)
    for step in range(min(_OUTER, longest)):
        digits = [
            torch.full((_SAMPLED,), step % len(axis))
            if axis.is_outer
            else torch.randint(len(axis), (_SAMPLED,), generator=generator)
            for axis in space.grid.axes
        ]
        points = Flat(torch.stack(digits).numpy())
        legal_points(space, points, space.grid.kept(points, space.grid.tables(points)))
