"""Designs that no other design beats in everything: the Pareto front, its volume, its knee.

The non-dominated filter and the hypervolume are those of moocore (Lopez-Ibanez and others,
https://multi-objective.github.io/moocore), which this module guards and gives names and units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError
from archsim.results.columns import (
    Objective,
    feasible_rows,
    find_column,
    more_is_better,
    numbers_of,
)

if TYPE_CHECKING:
    import pandas

_DIRECTIONS = {"min": False, "max": True}


@dataclass(frozen=True, eq=False)
class Front:
    """Which rows of a table are on the front, and how many were left out.

    Attributes:
        objectives: what was minimised and maximised.
        mask: on the front, ``(n,)``; equal designs are all on it.
        infeasible: rows left out because no such design exists.
        not_evaluated: feasible rows left out because an objective is NaN.
        knee: row of the knee (see :func:`knee_of`); None where the front is empty.
    """

    objectives: tuple[Objective, ...]
    mask: NDArray[np.bool_]
    infeasible: int
    not_evaluated: int
    knee: int | None


def parse_objective(text: str, columns: Iterable[str]) -> Objective:
    """Return the objective that a text means: ``edp``, ``min:edp_Js`` or ``max:accuracy_mean``.

    Args:
        text: a column (see :func:`archsim.results.columns.find_column`), with ``min:`` or ``max:``
        before
            it; without, accuracies and the like are maximised and everything else minimised.
        columns: of the table.

    Raises:
        ConfigError: no such column (with the nearest names) or direction.
    """
    direction, separator, name = text.strip().rpartition(":")
    if separator and direction not in _DIRECTIONS:
        raise ConfigError(
            f"objective '{text}': '{direction}'; allowed: min or max before the ':'",
            code=Code.UNKNOWN_NAME,
            field="objective",
            value=direction,
            allowed=("min", "max"),
        )
    column = find_column(name.strip(), columns).column
    return Objective(column, _DIRECTIONS.get(direction, more_is_better(column)))


def parse_objectives(text: str, columns: Iterable[str]) -> tuple[Objective, ...]:
    """Return the objectives of a text such as ``edp,area,accuracy``.

    Args:
        text: objectives with commas between them.
        columns: of the table.

    Raises:
        ConfigError: as :func:`parse_objective`; none, or one twice.
    """
    known = list(columns)
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        raise ConfigError(
            f"objectives '{text}': none; allowed: columns with commas between them",
            code=Code.EMPTY,
            field="objectives",
            value=text,
            allowed="columns with commas between them",
        )
    objectives = tuple(parse_objective(part, known) for part in parts)
    names = [objective.column for objective in objectives]
    if len(set(names)) < len(names):
        raise ConfigError(
            f"objectives '{text}': a column twice ({', '.join(names)})",
            code=Code.GIVEN_TWICE,
            field="objectives",
            value=names,
        )
    return objectives


def non_dominated(points: NDArray[np.float64], maximise: Sequence[bool]) -> NDArray[np.bool_]:
    """Return which points no other point dominates: as good in everything, better in something.

    Exact, for any number of objectives; equal points dominate each other not, and are all kept. A
    point with NaN dominates nothing and is never on the front; infinities are ordinary values.

    Args:
        points: ``(n, m)``.
        maximise: per objective, ``m``.
    """
    import moocore

    mask = np.asarray(~np.isnan(points).any(axis=1))
    if not mask.any():
        return mask
    rows = _finite(np.where(maximise, -points, points)[mask])
    mask[mask] = moocore.is_nondominated(rows, keep_weakly=True)
    return mask


def _finite(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put ranks in place of a column with infinities, which moocore 0.3 does not survive."""
    for column in np.flatnonzero(np.isinf(rows).any(axis=0)):
        rows[:, column] = np.unique(rows[:, column], return_inverse=True)[1]
    return rows


def pareto_front(frame: pandas.DataFrame, objectives: Sequence[Objective]) -> Front:
    """Return the front of the feasible designs of a table.

    Args:
        frame: a row per design, ``n`` rows.
        objectives: one or more.

    Raises:
        ConfigError: no objective, or a column that does not exist or holds no numbers.
    """
    if not objectives:
        raise ConfigError(
            "objectives: none; allowed: one or more",
            code=Code.EMPTY,
            field="objectives",
            allowed="one or more",
        )
    points = points_of(frame, objectives)
    feasible = feasible_rows(frame)
    evaluated = ~np.isnan(points).any(axis=1)
    rows = np.flatnonzero(feasible & evaluated)
    maximise = [objective.maximise for objective in objectives]
    mask = np.zeros(len(frame), dtype=bool)
    mask[rows] = non_dominated(points[rows], maximise)
    on_front = np.flatnonzero(mask)
    knee = knee_of(points[on_front], maximise)
    return Front(
        objectives=tuple(objectives),
        mask=mask,
        infeasible=int((~feasible).sum()),
        not_evaluated=int((feasible & ~evaluated).sum()),
        knee=None if knee is None else int(on_front[knee]),
    )


def points_of(frame: pandas.DataFrame, objectives: Sequence[Objective]) -> NDArray[np.float64]:
    """Return the values of the objectives, ``(n, m)``, in the units of their columns.

    Raises:
        ConfigError: a column that does not exist or holds no numbers.
    """
    return np.stack([numbers_of(frame, objective.column) for objective in objectives], axis=1)


def hypervolume(
    points: NDArray[np.float64],
    *,
    maximise: Sequence[bool],
    reference: NDArray[np.float64],
    ideal: NDArray[np.float64],
    log: bool = False,
) -> float:
    """Return the share of the box between ideal and reference that the points dominate.

    Zitzler and Thiele, IEEE Trans. Evol. Comput. 3 (1999) 257, doi:10.1109/4235.797969. Points
    that are not better than the reference in everything add nothing; what is beyond the ideal
    does not count, so that the result is from 0 to 1. Fronts compare only under the same box.

    Args:
        points: ``(n, m)``; those with NaN are left out. Only the front matters, and with four and
            more objectives the time grows with the square and more of its length.
        maximise: per objective, ``m``.
        reference: worst corner of the box, ``(m,)``.
        ideal: best corner of the box, ``(m,)``.
        log: measure ratios instead of differences; everything inside the box must be positive.

    Raises:
        ConfigError: an ideal that is not better than the reference in everything, or a logarithm of
            what is not positive.
    """
    import moocore

    sign = np.where(maximise, -1.0, 1.0)
    ends = np.stack([ideal, reference])
    if not np.isfinite(ends).all() or (sign * (reference - ideal) <= 0).any():
        raise ConfigError(
            f"reference = {reference.tolist()}, ideal = {ideal.tolist()}; allowed: finite, the "
            "reference worse in every objective",
            code=Code.OUT_OF_RANGE,
            field="reference",
            value=reference.tolist(),
        )
    if log and (ends <= 0).any():
        raise ConfigError(
            f"reference = {reference.tolist()}, ideal = {ideal.tolist()}; allowed with "
            "logarithms: more than 0",
            code=Code.OUT_OF_RANGE,
            field="reference",
            value=reference.tolist(),
            allowed="more than 0",
        )
    inside = (sign * points < sign * reference).all(axis=1)
    low, high = np.minimum(ideal, reference), np.maximum(ideal, reference)
    rows = np.clip(points[inside], low, high)
    if log:
        rows, ideal, reference = np.log(rows), np.log(ideal), np.log(reference)
    shares = (rows - ideal) / (reference - ideal)
    if shares.shape[1] == 1 or not len(shares):
        return 1.0 - float(shares.min(initial=1.0))
    return float(moocore.hypervolume(shares, ref=1.0))


def knee_of(front: NDArray[np.float64], maximise: Sequence[bool]) -> int | None:
    """Return the position of the knee of a front: where giving up in one thing stops to pay.

    Each objective is scaled from 0 (best of the front) to 1 (worst of the front), on a logarithmic
    scale where all its values are positive. The knee is the point that lies farthest below the
    plane through the ends of the axes (1, 0, ...), (0, 1, ...), ...; with two objectives that is
    the line through the two ends of the front, and the knee is that of Das, Structural
    Optimization 18 (1999) 107, doi:10.1007/BF01195985. Ties go to the better first objective, then
    the second and so on, then to the first of equal points. A front that bulges away from the
    ideal has no such point; then an end of it is returned.

    Args:
        front: non-dominated points, ``(n, m)``; points that are not finite are passed over.
        maximise: per objective, ``m``.
    """
    usable = np.flatnonzero(np.isfinite(front).all(axis=1))
    if not usable.size:
        return None
    rows = front[usable]
    positive = (rows > 0).all(axis=0)
    # An objective that is not positive throughout is not touched by the logarithm.
    scaled = np.where(positive, np.log(np.where(positive, rows, 1.0)), rows)
    scaled = np.where(maximise, -scaled, scaled)
    scaled -= scaled.min(axis=0)
    span = scaled.max(axis=0)
    scaled /= np.where(span > 0, span, 1.0)
    # Rounded, so that a tie is a tie whatever the order of a sum.
    distance = np.round(scaled.sum(axis=1), 12)
    keys = (*scaled.T[::-1], distance)
    return int(usable[np.lexsort(keys)[0]])
