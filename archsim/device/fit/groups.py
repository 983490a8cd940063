"""Reads of cells as writes: one group per device, level and cycle, whose rows stand together.

Within a group rows rise by pulse, then by time; rows that agree in both are repeated reads of one
point. A piece of a file that ends within a group hands its rows on to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.device.fit.rows import Integers, Numbers, ReadRows, ReadTable
from archsim.errors import Code, DataError


@dataclass(frozen=True)
class Groups:
    """Writes of cells and the points of their reads.

    Attributes:
        device: of each group.
        target: of each group, as in :class:`~archsim.device.fit.rows.ReadRows`.
        cycle: of each group.
        number: row of the first read of each group.
        start: first point of each group.
        last_run: first point of its last pulse.
        end: behind its last point.
        pulse: of each point.
        time_s: of each point.
        mean_S: mean read of each point.
        reads: of each point.
        scatter_S2: sum of squares of the reads of each point about their mean.
    """

    device: Integers
    target: Numbers
    cycle: Integers
    number: Integers
    start: Integers
    last_run: Integers
    end: Integers
    pulse: Integers
    time_s: Numbers
    mean_S: Numbers
    reads: Integers
    scatter_S2: Numbers

    @property
    def of_point(self) -> Integers:
        """Group of each point."""
        return np.repeat(np.arange(len(self.start)), self.end - self.start)


def groups_of(table: ReadTable) -> Iterator[Groups]:
    """Read a table once, group by group.

    Args:
        table: of measured cells.

    Raises:
        DataError: as reading it; rows of a cycle that do not stand together, or do not rise.
    """
    rest: ReadRows | None = None
    for rows in table.chunks():
        joined = rows.after(rest)
        starts = _starts(joined.device, joined.target, joined.cycle)
        last = int(starts[-1])
        if last:
            yield _grouped(joined.take(slice(0, last)), table)
        rest = joined.take(slice(last, None))
    if rest is not None:
        yield _grouped(rest, table)


def _starts(*keys: NDArray[Any]) -> Integers:
    """Return where any of some keys changes, the first place included."""
    changed = np.ones(len(keys[0]), dtype=bool)
    changed[1:] = False
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def _grouped(rows: ReadRows, table: ReadTable) -> Groups:
    _check_order(rows, table)
    keys = (rows.device, rows.target, rows.cycle)
    points = _starts(*keys, rows.pulse, rows.time_s)
    reads = np.diff(np.append(points, len(rows)))
    mean = np.add.reduceat(rows.measured_S, points) / reads
    scatter = (rows.measured_S - np.repeat(mean, reads)) ** 2
    groups = np.searchsorted(points, _starts(*keys))
    runs = np.searchsorted(points, _starts(*keys, rows.pulse))
    end = np.append(groups[1:], len(points))
    last_run = runs[np.searchsorted(runs, end, side="left") - 1]
    first = points[groups]
    return Groups(
        device=rows.device[first],
        target=rows.target[first],
        cycle=rows.cycle[first],
        number=rows.number[first],
        start=groups,
        last_run=last_run,
        end=end,
        pulse=rows.pulse[points],
        time_s=rows.time_s[points],
        mean_S=mean,
        reads=reads,
        scatter_S2=np.add.reduceat(scatter, points),
    )


def _check_order(rows: ReadRows, table: ReadTable) -> None:
    same = np.ones(len(rows) - 1, dtype=bool)
    for key in (rows.device, rows.target, rows.cycle):
        same &= key[1:] == key[:-1]
    pulse, time = np.diff(rows.pulse), np.diff(rows.time_s)
    wrong = same & ((pulse < 0) | ((pulse == 0) & (time < 0)))
    if bool(wrong.any()):
        row = int(rows.number[1:][np.argmax(wrong)])
        raise out_of_order(table, row, "pulse or time falls within a cycle")


def out_of_order(table: ReadTable, row: int, why: str) -> DataError:
    """Return what is said of rows that are not sorted.

    Args:
        table: of measured cells.
        row: the first that is wrong.
        why: what is wrong with it.
    """
    return DataError(
        f"{table.path}, row {row}: {why}; allowed: rows sorted by device, level, cycle, pulse and "
        "time, so that any number of them can be read once",
        code=Code.CONFLICT,
        field="row",
        value=row,
        allowed="sorted rows",
    )
