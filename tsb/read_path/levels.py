"""Levels of a converter that are clusters of calibration sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archsim.errors import Code, ConfigError

Floats = npt.NDArray[np.float64]
#: Rounds of the search for clusters, which ends earlier where nothing moves.
_ROUNDS = 200


def clustered(values: Floats, counts: npt.NDArray[np.int64], count: int) -> list[float]:
    """Return the levels of the smallest mean square error near evenly filled ones (Lloyd, Max).

    Args:
        values: that occur, rising.
        counts: how often.
        count: most levels.

    Returns:
        Rising levels; the values themselves where there are no more of them.

    Raises:
        ConfigError: no levels, or no values.
    """
    if count < 1 or not len(values):
        raise ConfigError.of(Code.OUT_OF_RANGE, "adc.levels", count, allowed="1 or more levels")
    if len(values) <= count:
        return [float(value) for value in values]
    weight = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    moment = np.concatenate([[0.0], np.cumsum(counts * values)])
    levels = np.unique(values[_spread(weight, len(values), count)])
    for _ in range(_ROUNDS):
        ends = np.searchsorted(values, (levels[:-1] + levels[1:]) / 2)
        borders = np.concatenate([[0], ends, [len(values)]])
        inside = np.diff(weight[borders])
        moved = levels.copy()
        filled = inside > 0
        moved[filled] = np.diff(moment[borders])[filled] / inside[filled]
        if np.array_equal(moved, levels):
            break
        levels = moved
    return [float(level) for level in levels]


def _spread(weight: Floats, values: int, count: int) -> npt.NDArray[np.int64]:
    """Return places of values to start from: half by how often, half by where they lie."""
    by_count = np.searchsorted(
        weight[1:], weight[-1] * (np.arange(count // 2) + 0.5) / max(count // 2, 1)
    )
    rest = count - count // 2
    by_place = np.round(np.linspace(0, values - 1, rest)).astype(np.int64)
    places = np.unique(np.concatenate([by_count, by_place]))
    missing = np.setdiff1d(np.arange(values), places)[: max(0, count - len(places))]
    return np.sort(np.concatenate([places, missing])).astype(np.int64)
