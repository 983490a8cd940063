"""The second pass: sums of writes, reads, drifts and pulses, by block of cells.

Cells are dealt out to :data:`BLOCKS` blocks. All sums of a fit add up over blocks, so that the fit
without one of them is that of the other sums: a delete-a-group jackknife gives each number its
interval, whatever it is and however writes of one cell go together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.device.fit.groups import Groups, groups_of
from archsim.device.fit.rows import Numbers, ReadTable
from archsim.device.fit.scan import Scan

BLOCKS = 20
#: Drift is fitted to cells above this share of the range: the noise of a logarithm is large below.
DRIFTS_ABOVE = 0.2
#: Edges of the bins in which writes of a level are counted, shares of the range.
BINS = np.linspace(-0.5, 1.5, 4097)

Array = NDArray[np.float64]
#: Sums of one block that are one number each.
NAMES = (
    *("read_square", "read_dof", "landed_reads", "landed"),
    *("drift_count", "drift_nu", "drift_nu2", "drift_noise", "drift_rss", "drift_dof"),
    *("drift_square",),
    *("pair_xy", "pair_xx", "pair_yy", "pairs", "pulses", "cycles"),
    *("judged", "stuck_on", "stuck_off"),
)


@dataclass
class Sums:
    """Sums by block.

    Attributes:
        numbers: by name of :data:`NAMES`, ``block``.
        level: sums of the levels by name, ``block level``.
        histogram: writes in each bin, ``level bin``.
        largest_stopped: largest error at which a cell got no further pulse.
        smallest_pulsed: smallest error at which it got one.
        most_pulses: of a cycle.
        reads: most reads of one point.
    """

    numbers: dict[str, Array]
    level: dict[str, Array]
    histogram: Array
    largest_stopped: float = -np.inf
    smallest_pulsed: float = np.inf
    most_pulses: int = 1

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which blocks have cells."""
        there: NDArray[np.bool_] = self.level["devices"].sum(1) > 0
        return there

    def without(self, block: int | None) -> BlockTotals:
        """Return what all blocks but one add up to.

        Args:
            block: None leaves none out.
        """
        kept = np.ones(BLOCKS, dtype=bool)
        if block is not None:
            kept[block] = False
        return BlockTotals(
            {name: float(values[kept].sum()) for name, values in self.numbers.items()},
            {name: values[kept].sum(0) for name, values in self.level.items()},
        )


@dataclass(frozen=True)
class BlockTotals:
    """Sums over blocks: numbers by name, and those of levels, ``level``."""

    numbers: dict[str, float]
    level: dict[str, Array]


def sums_of(table: ReadTable, scan: Scan) -> Sums:
    """Read a table for the second time.

    Args:
        table: of measured cells.
        scan: of the first.

    Raises:
        DataError: as reading it.
    """
    shape = (len(scan.judged), len(scan.targets))
    writes, first, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    sums = Sums({name: np.zeros(BLOCKS) for name in NAMES}, {}, np.zeros((shape[1], len(BINS) - 1)))
    for groups in groups_of(table):
        level = scan.level(groups.target)
        works = scan.works[groups.device]
        landed = scan.share(groups.mean_S[groups.start])
        where = groups.device[works], level[works]
        # About the level's place: squares of small numbers keep their digits.
        error = (landed - scan.position(level))[works]
        np.add.at(writes, where, 1.0)
        np.add.at(first, where, error)
        np.add.at(square, where, error**2)
        bins = np.searchsorted(BINS, landed[works], side="right") - 1
        np.add.at(sums.histogram, (level[works], bins.clip(0, len(BINS) - 2)), 1.0)
        _add_reads(sums, groups, scan)
        _add_drift(sums, groups, scan)
        _add_pulses(sums, groups, scan)
    block = np.arange(len(scan.judged)) % BLOCKS
    for name, chosen in (
        ("judged", scan.judged),
        ("stuck_on", scan.stuck_on),
        ("stuck_off", scan.stuck_off),
    ):
        sums.numbers[name] = np.bincount(block, chosen, BLOCKS).astype(np.float64)
    counts = np.maximum(writes, 1)
    for name, of_cell in (
        ("devices", (writes > 0).astype(np.float64)),
        ("writes", writes),
        ("writes2", writes**2),
        ("error", first),
        ("within", square - first**2 / counts),
        ("between", first**2 / counts),
    ):
        sums.level[name] = np.stack(
            [np.bincount(block, of_cell[:, place], BLOCKS) for place in range(shape[1])], 1
        )
    return sums


def _add(sums: Sums, name: str, block: NDArray[np.int64], values: Array | float) -> None:
    weights = np.broadcast_to(np.asarray(values, dtype=np.float64), block.shape)
    sums.numbers[name] += np.bincount(block, weights, BLOCKS)


def _add_reads(sums: Sums, groups: Groups, scan: Scan) -> None:
    """Repeated reads of one point: their scatter is read noise."""
    block = groups.device % BLOCKS
    of_point = groups.of_point
    span = scan.high_S - scan.low_S
    repeated = groups.reads > 1
    _add(sums, "read_square", block[of_point[repeated]], groups.scatter_S2[repeated] / span**2)
    _add(sums, "read_dof", block[of_point[repeated]], (groups.reads[repeated] - 1).astype(float))
    works = scan.works[groups.device]
    _add(sums, "landed_reads", block[works], 1.0 / groups.reads[groups.start][works])
    _add(sums, "landed", block[works], 1.0)


def _add_drift(sums: Sums, groups: Groups, scan: Scan) -> None:
    """Straight lines of ln g over ln t, one per write, after its last pulse."""
    of_point = groups.of_point
    point = np.arange(len(of_point))
    high = scan.position(scan.level(groups.target)) > DRIFTS_ABOVE
    used = (
        (point >= groups.last_run[of_point])
        & (groups.time_s > 0)
        & (groups.mean_S > 0)
        & (high & scan.works[groups.device])[of_point]
    )
    mine = of_point[used]
    if not len(mine):
        return
    x, y = np.log(groups.time_s[used]), np.log(groups.mean_S[used])

    def summed(values: Numbers) -> Numbers:
        return np.bincount(mine, values, len(groups.start)).astype(np.float64)

    count = summed(np.ones_like(x))
    there = np.maximum(count, 1)
    x, y = x - (summed(x) / there)[mine], y - (summed(y) / there)[mine]
    xx, xy, yy = summed(x * x), summed(x * y), summed(y * y)
    fitted = (count > 1) & (xx > 1e-12)
    safe = np.where(fitted, xx, 1.0)
    nu = -xy / safe
    relative = ((scan.high_S - scan.low_S) / groups.mean_S[used]) ** 2 / groups.reads[used]
    noise = summed(x * x * relative) / safe**2
    block = (groups.device % BLOCKS)[fitted]
    residual = (yy - xy**2 / safe).clip(0.0)
    for name, values in (
        ("drift_count", np.ones_like(nu)),
        ("drift_nu", nu),
        ("drift_nu2", nu**2),
        ("drift_noise", noise),
        ("drift_rss", residual),
        ("drift_dof", count - 2),
        # What the residual would be of read noise of one range.
        ("drift_square", (count - 2) * summed(relative) / there),
    ):
        _add(sums, name, block, values[fitted])


def _add_pulses(sums: Sums, groups: Groups, scan: Scan) -> None:
    """Errors before and after each further pulse, and where cells stopped."""
    of_point = groups.of_point
    works = scan.works[groups.device]
    last = groups.pulse[groups.end - 1]
    block = groups.device % BLOCKS
    _add(sums, "pulses", block[works], last[works].astype(np.float64))
    _add(sums, "cycles", block[works], 1.0)
    if not bool((last > 1).any()):
        return
    error = scan.share(groups.mean_S) - scan.position(scan.level(groups.target))[of_point]
    follows = np.zeros(len(of_point), dtype=bool)
    same = of_point[1:] == of_point[:-1]
    follows[1:] = same & (np.diff(groups.pulse) == 1) & works[of_point[1:]]
    after = np.flatnonzero(follows)
    before = error[after - 1]
    at = block[of_point[after]]
    for name, values in (
        ("pair_xy", before * error[after]),
        ("pair_xx", before**2),
        ("pair_yy", error[after] ** 2),
        ("pairs", np.ones(len(after))),
    ):
        _add(sums, name, at, values)
    sums.most_pulses = max(sums.most_pulses, int(last.max()))
    if len(after):
        sums.smallest_pulsed = min(sums.smallest_pulsed, float(np.abs(before).min()))
    # The read that stopped a cell; whether the limit stopped it, the largest count tells later.
    stopped = works & (last < sums.most_pulses)
    if bool(stopped.any()):
        final = np.abs(error[groups.last_run[stopped]])
        sums.largest_stopped = max(sums.largest_stopped, float(final.max()))
