"""Refined points in the folder of a sweep: where each began, where it ended, what that changed.

They are no points of the grid. So their numbers are -1, -2, ..., best start first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from archsim.errors import Code, ConfigError, DataError
from archsim.explore.run.store import Store
from archsim.explore.space.points import Space
from archsim.explore.space.writes import Settings
from archsim.util.files import is_file, read_json

if TYPE_CHECKING:
    import pandas as pd

_FILE = "refined.json"


@dataclass(frozen=True)
class Refined:
    """One refined point.

    Attributes:
        point: its number, below 0.
        start: number of the point that it began at, which has its other settings.
        settings: continuous settings at its end, by path, in the units of the columns.
        before: objectives at the start, by column.
        after: objectives at the end.
    """

    point: int
    start: int
    settings: dict[str, float]
    before: dict[str, float]
    after: dict[str, float]


def write_refined(store: Store, refined: Sequence[Refined]) -> None:
    """Write what became of all starts.

    Args:
        store: of the sweep.
        refined: in the order of their numbers.

    Raises:
        DataError: the disk is full.
    """
    content = json.dumps([asdict(entry) for entry in refined], indent=1) + "\n"
    store.write_file(store.folder / _FILE, content.encode())


def read_refined(store: Store) -> list[Refined]:
    """Read what became of all starts.

    Args:
        store: of the sweep.

    Raises:
        DataError: nothing was refined, or the file is damaged.
    """
    path = store.folder / _FILE
    if not is_file(path):
        raise DataError.of(
            Code.EMPTY,
            store.folder,
            problem="no refined points (strategy gradient, when it is done)",
        )
    try:
        return [Refined(**entry) for entry in read_json(path)]
    except (ValueError, TypeError) as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"damaged: {error}") from error


def refinements(store: Store) -> pd.DataFrame:
    """Return the refined points: number, start, settings, objectives before and after.

    Args:
        store: of the sweep.

    Raises:
        DataError: nothing was refined.
    """
    import pandas as pd

    return pd.json_normalize([asdict(entry) for entry in read_refined(store)])


def settings_of(space: Space, store: Store, point: int) -> Settings:
    """Return what the axes set at a refined point.

    Args:
        space: of the sweep.
        store: of the sweep.
        point: its number, below 0.

    Raises:
        ConfigError: there is no such point.
        DataError: nothing was refined.
    """
    refined = read_refined(store)
    for entry in refined:
        if entry.point == point:
            settings = space.settings(entry.start)
            for axis in space.grid.axes:
                if axis.path in entry.settings:
                    settings |= dict.fromkeys(axis.members, entry.settings[axis.path])
            return settings
    raise ConfigError(
        f"point {point}; allowed: -1 to {-len(refined)}, or a point of the grid",
        code=Code.OUT_OF_RANGE,
        field="point",
        value=point,
        allowed=f"-1 to {-len(refined)}",
    )
