"""The first pass over a table: levels, range of conductance, and cells that are stuck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.config.schema.level import MAX_LEVELS
from archsim.device.fit.groups import groups_of, out_of_order
from archsim.device.fit.rows import Integers, Numbers, ReadTable
from archsim.errors import Code, DataError

#: A cell is judged where the levels that it was asked for span so much of the range, and is stuck
#: where what it held spans less than this share of that.
JUDGED_SPAN, STUCK_SPAN = 0.5, 0.25
#: Most sums of a cell and a level that are kept.
MOST_SUMS = 40_000_000


@dataclass(frozen=True)
class Scan:
    """What the first pass finds.

    Attributes:
        targets: of the levels, as the file says them, rising.
        low_S: conductance of the lowest level: its target, or the mean of working cells.
        high_S: of the highest.
        judged: whether each cell was asked for levels far enough apart to be called stuck.
        stuck_on: which cells are stuck at the upper half of the range.
        stuck_off: which are at the lower half.
        start_s: earliest time of a read above 0; NaN for none.
    """

    targets: Numbers
    low_S: float
    high_S: float
    judged: NDArray[np.bool_]
    stuck_on: NDArray[np.bool_]
    stuck_off: NDArray[np.bool_]
    start_s: float

    @property
    def works(self) -> NDArray[np.bool_]:
        """Which cells are not stuck."""
        return ~(self.stuck_on | self.stuck_off)

    def level(self, target: Numbers) -> Integers:
        """Return the number of a level, 0 for the lowest.

        Args:
            target: as the file says it.
        """
        return np.searchsorted(self.targets, target)

    def position(self, level: Integers) -> Numbers:
        """Return where a level should be, a share of the range: at equal steps.

        Args:
            level: its number.
        """
        return level / (len(self.targets) - 1)

    def share(self, conductance_S: Numbers) -> Numbers:
        """Return a conductance as a share of the range.

        Args:
            conductance_S: S.
        """
        return (conductance_S - self.low_S) / (self.high_S - self.low_S)


def scan(table: ReadTable) -> Scan:
    """Read a table for the first time.

    Args:
        table: of measured cells.

    Raises:
        DataError: as reading it; fewer than two levels or cells, more levels than a device may
            have, cycles that do not rise, a range that is none.
    """
    targets, start_s = np.empty(0), math.inf
    sums: dict[str, NDArray[np.float64]] = {}
    seen = np.empty((0, 0))
    for groups in groups_of(table):
        fresh = np.union1d(targets, groups.target)
        if len(fresh) > MAX_LEVELS:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                table.path,
                problem=f"more than {MAX_LEVELS} levels: targets are what was asked for, not what "
                "was reached",
                allowed=f"2 to {MAX_LEVELS}",
            )
        if len(fresh) * table.devices > MOST_SUMS:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                table.path,
                problem=f"{table.devices} cells of {len(fresh)} levels",
                allowed=f"at most {MOST_SUMS} together; fit a part of the cells",
            )
        place = np.searchsorted(fresh, targets)
        shape = (max(table.devices, len(seen)), len(fresh))
        sums = {name: _grown(sums.get(name), shape, place, 0.0) for name in ("held", "writes")}
        seen = _grown(seen if seen.size else None, shape, place, -math.inf)
        targets = fresh
        where = groups.device, np.searchsorted(targets, groups.target)
        _check_cycles(table, groups.cycle, groups.number, where, seen)
        np.add.at(sums["held"], where, groups.mean_S[groups.last_run])
        np.add.at(sums["writes"], where, 1.0)
        later = groups.time_s[groups.time_s > 0]
        if len(later):
            start_s = min(start_s, float(later.min()))
    _check_counts(table, targets)
    return _judged(table, targets, sums["held"], sums["writes"], start_s)


def _grown(
    old: NDArray[np.float64] | None, shape: tuple[int, int], place: Integers, fill: float
) -> NDArray[np.float64]:
    """Return sums with room for more cells and levels; itself where there is room."""
    if old is not None and old.shape == shape:
        return old
    # Room for twice the cells, so that few copies are made.
    new = np.full(shape, fill)
    if old is not None:
        new[: len(old), place] = old
    return new


def _check_cycles(
    table: ReadTable,
    cycle: Integers,
    number: Integers,
    where: tuple[Integers, Integers],
    seen: NDArray[np.float64],
) -> None:
    """Refuse a cycle of a cell and level that comes back, or comes before one that was there."""
    key = where[0] * seen.shape[1] + where[1]
    order = np.lexsort((np.arange(len(key)), key))
    before = np.full(len(key), -math.inf)
    same = key[order][1:] == key[order][:-1]
    before[order[1:][same]] = cycle[order[:-1][same]]
    first = np.ones(len(key), dtype=bool)
    first[order[1:][same]] = False
    before[first] = seen[where][first]
    wrong = cycle <= before
    if bool(wrong.any()):
        raise out_of_order(
            table,
            int(number[np.argmax(wrong)]),
            "this device, level and cycle were there before, or cycles fall",
        )
    np.maximum.at(seen, where, cycle.astype(np.float64))


def _check_counts(table: ReadTable, targets: Numbers) -> None:
    for what, count in (("level", len(targets)), ("device", table.devices)):
        if count < 2:
            said = "no rows" if not count else f"one {what}"
            why = (
                "a range of conductance needs two levels"
                if what == "level"
                else "a spread needs two cells"
            )
            raise DataError(
                f"{table.path}: {said}; allowed: 2 or more {what}s: {why}",
                code=Code.EMPTY if not count else Code.OUT_OF_RANGE,
                field=what,
                value=count,
                allowed="2 or more",
            )


def _judged(
    table: ReadTable,
    targets: Numbers,
    held: NDArray[np.float64],
    writes: NDArray[np.float64],
    start_s: float,
) -> Scan:
    there = writes > 0
    means = np.where(there, held / np.maximum(writes, 1), np.nan)
    known = "target" in table.columns
    asked = np.linspace(0.0, 1.0, len(targets))
    most, least = _span(np.where(there, asked, np.nan))
    judged = most - least >= JUDGED_SPAN
    stuck = np.zeros(len(means), dtype=bool)
    for _ in range(3):  # the range is that of cells that work, which the range tells
        low, high = _range(targets, means[~stuck], known)
        if not high > low or not low > 0:
            raise DataError.of(
                Code.OUT_OF_RANGE,
                table.path,
                problem=f"lowest level at {low * 1e6:g} uS, highest at {high * 1e6:g} uS",
                allowed="means that rise with the level, above 0",
            )
        top, bottom = _span((means - low) / (high - low))
        stuck = judged & (top - bottom < STUCK_SPAN * (most - least))
    upper = (top + bottom) / 2 > 0.5
    return Scan(
        targets=targets,
        low_S=low,
        high_S=high,
        judged=judged,
        stuck_on=stuck & upper,
        stuck_off=stuck & ~upper,
        start_s=start_s if math.isfinite(start_s) else math.nan,
    )


def _range(targets: Numbers, means: NDArray[np.float64], known: bool) -> tuple[float, float]:
    low, high = (_mean_of(means[:, place]) for place in (0, len(targets) - 1))
    if known:  # what was asked for, but where that is no conductance at all
        return float(targets[0]) or low, float(targets[-1])
    return low, high


def _mean_of(values: Numbers) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan


def _span(values: NDArray[np.float64]) -> tuple[Numbers, Numbers]:
    """Return the largest and the smallest value of each row that are there."""
    return (
        np.max(np.where(np.isnan(values), -np.inf, values), axis=1),
        np.min(np.where(np.isnan(values), np.inf, values), axis=1),
    )
