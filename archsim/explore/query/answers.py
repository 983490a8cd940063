"""Questions to a table of designs: which is cheapest, what differs, what matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsim.errors import Code, ConfigError
from archsim.explore.space.constraint import (
    SweepConstraint,
    kind_of,
    parse_constraint,
    satisfied,
    unknown,
)
from archsim.results.answers import AxisEffect, Change, Cheapest, Difference, Level, MainEffects
from archsim.results.columns import (
    feasible_rows,
    find_column,
    is_count,
    is_parameter,
    is_result,
    more_is_better,
    numbers_of,
    split_unit,
)
from archsim.results.levels import MOST_LEVELS, Levels, levels_of

if TYPE_CHECKING:
    import pandas

#: Variance below this share of the squared values is rounding.
_ROUNDING = 1e-24


def cheapest(frame: pandas.DataFrame, *, minimise: str, where: Sequence[str] = ()) -> Cheapest:
    """Return the cheapest feasible design that meets all constraints.

    Args:
        frame: a row per design.
        minimise: a column (see :func:`archsim.results.columns.find_column`).
        where: constraints (see :func:`archsim.explore.space.constraint.parse_constraint`).

    Raises:
        ConfigError: a column that does not exist or holds no numbers, or a constraint that cannot
            be understood.
    """
    column = find_column(minimise, frame.columns).column
    if not is_result(column) or more_is_better(column):
        why = "a result of which more is better" if is_result(column) else "no result"
        raise ConfigError(
            f"'{minimise}' is {why}; allowed: a cost, e.g. edp, area, latency",
            code=Code.CONFLICT if is_result(column) else Code.WRONG_TYPE,
            field="minimise",
            value=minimise,
            allowed="a cost",
        )
    values = numbers_of(frame, column)
    feasible = feasible_rows(frame)
    missing = np.isnan(values)
    qualified = feasible & ~missing
    meets: dict[str, int] = {}
    nearest: dict[str, tuple[str, float, int]] = {}
    for text in where:
        constraint = parse_constraint(text)
        fits = satisfied(frame, constraint)
        meets[text] = int((feasible & fits).sum())
        if not meets[text]:
            nearest |= _nearest(frame, constraint, feasible)
        missing |= unknown(frame, constraint)
        qualified &= fits
    rows = np.flatnonzero(qualified)
    position = int(rows[np.argmin(values[rows])]) if rows.size else None
    return Cheapest(
        column=column,
        position=position,
        design=None if position is None else frame.iloc[position],
        designs=len(frame),
        infeasible=int((~feasible).sum()),
        not_evaluated=int((feasible & missing).sum()),
        qualified=int(qualified.sum()),
        meets=meets,
        nearest=nearest,
    )


def _nearest(
    frame: pandas.DataFrame, constraint: SweepConstraint, feasible: NDArray[np.bool_]
) -> dict[str, tuple[str, float, int]]:
    """Return column, value and row of what misses a bound by least; nothing where there is none."""
    column = find_column(constraint.name, frame.columns).column
    if constraint.operator in ("==", "!=") or kind_of(frame[column]) != "number":
        return {}
    values = numbers_of(frame, column)
    rows = np.flatnonzero(feasible & np.isfinite(values))
    if not rows.size:
        return {}
    best = rows[np.argmax(values[rows]) if ">" in constraint.operator else np.argmin(values[rows])]
    number = int(frame["point"].iloc[best]) if "point" in frame.columns else int(best)
    return {constraint.text: (column, float(values[best]), number)}


def difference(before: pandas.Series, after: pandas.Series) -> Difference:
    """Return what changed from one design (a row of a table) to another.

    Args:
        before: the design to compare with.
        after: the other, with the same columns.

    Raises:
        ConfigError: rows of different tables.
    """
    names = [str(name) for name in before.index]
    if names != [str(name) for name in after.index]:
        only = sorted(set(names) ^ {str(name) for name in after.index})
        raise ConfigError(
            f"difference: two designs of different columns ({', '.join(only) or 'in other order'});"
            " allowed: two rows of one table",
            code=Code.SHAPE_MISMATCH,
            field="difference",
            value=only,
        )
    changes = [Change(name, _plain(before[name]), _plain(after[name]), None) for name in names]
    return Difference(
        parameters=tuple(
            change for change in changes if is_parameter(change.column) and not _equal(change)
        ),
        results=tuple(
            change._replace(ratio=_ratio(change.before, change.after))
            for change in changes
            if is_result(change.column)
        ),
    )


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _equal(change: Change) -> bool:
    import pandas as pd

    missing = [pd.Series([value]).isna().item() for value in (change.before, change.after)]
    return all(missing) if any(missing) else bool(change.before == change.after)


def _ratio(before: object, after: object) -> float | None:
    for value in (before, after):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
    ends = np.array([before, after], dtype=np.float64)
    if not np.isfinite(ends).all() or ends[0] == 0:
        return None
    return float(ends[1] / ends[0])


def main_effects(
    frame: pandas.DataFrame, column: str, parameters: Sequence[str] | None = None
) -> MainEffects:
    """Return the mean of a result at each level of each parameter, and what each explains.

    Eta squared is the sum of squares between levels over the total one (Fisher, Statistical Methods
    for Research Workers, 1925, section 38; Cohen, Educ. Psychol. Meas. 33 (1973) 107). Exact on
    full grids. Over few designs it is too large: a parameter of L levels without any effect gets
    about (L - 1)/(n - 1).

    Args:
        frame: a row per design.
        column: the result (see :func:`archsim.results.columns.find_column`). Logarithms are used
        where it
            has a unit or counts, and is positive throughout.
        parameters: to look at; None for all columns that are no results.

    Raises:
        ConfigError: a column that does not exist, or a result that is no number.
    """
    result = find_column(column, frame.columns).column
    values = numbers_of(frame, result)
    feasible = feasible_rows(frame)
    evaluated = np.isfinite(values)
    rows = np.flatnonzero(feasible & evaluated)
    values = values[rows]
    is_log = _wants_log(result) and bool((values > 0).all())
    levels = {name: levels_of(frame[name].iloc[rows]) for name in _parameters(frame, parameters)}
    levels = {name: of_parameter for name, of_parameter in levels.items() if _varies(of_parameter)}
    effects = [
        _effect(name, of_parameter, np.log(values) if is_log else values, is_log)
        for name, of_parameter in levels.items()
    ]
    is_balanced = _is_balanced(list(levels.values()))
    explained = sum(effect.eta_squared for effect in effects)
    return MainEffects(
        column=result,
        scale="log" if is_log else "linear",
        effects=tuple(sorted(effects, key=lambda effect: -effect.eta_squared)),
        designs=len(rows),
        infeasible=int((~feasible).sum()),
        not_evaluated=int((feasible & ~evaluated).sum()),
        is_balanced=is_balanced,
        interactions=max(1.0 - explained, 0.0) if is_balanced and explained > 0 else None,
    )


def _wants_log(column: str) -> bool:
    return split_unit(column)[1] != "" or is_count(column)


def _varies(levels: Levels) -> bool:
    """Say whether a parameter has levels; a text that each design has for itself is only a name."""
    is_name = not levels.values and MOST_LEVELS < len(levels.names) == len(levels.codes)
    return len(levels.names) > 1 and not is_name


def _parameters(frame: pandas.DataFrame, wanted: Sequence[str] | None) -> list[str]:
    if wanted is not None:
        return [find_column(name, frame.columns).column for name in wanted]
    return [str(name) for name in frame.columns if is_parameter(str(name))]


def _effect(name: str, levels: Levels, values: NDArray[np.float64], is_log: bool) -> AxisEffect:
    has_level = levels.codes >= 0
    codes, values = levels.codes[has_level], values[has_level]
    counts = np.bincount(codes, minlength=len(levels.names))
    # About the mean, so that sums of squares lose no digits.
    middle = values.mean()
    means = np.bincount(codes, values - middle, minlength=len(levels.names)) / counts
    total = float(((values - middle) ** 2).sum())
    between = float((counts * means**2).sum())
    is_constant = total <= _ROUNDING * len(values) * max(float((values**2).max()), 1.0)
    shown = means + middle
    return AxisEffect(
        parameter=name,
        levels=tuple(
            Level(*entry)
            for entry in zip(
                levels.names,
                counts.tolist(),
                (np.exp(shown) if is_log else shown).tolist(),
                strict=True,
            )
        ),
        eta_squared=0.0 if is_constant else min(between / total, 1.0),
        is_cut=levels.is_cut,
    )


def _is_balanced(parameters: Sequence[Levels]) -> bool:
    """Say whether every pair of parameters takes its pairs of levels in proportion."""
    if any(each.is_cut or (each.codes < 0).any() for each in parameters):
        return False
    counts = [np.bincount(each.codes, minlength=len(each.names)) for each in parameters]
    for first, one in enumerate(parameters):
        for second, other in enumerate(parameters[:first]):
            width = len(other.names)
            if width * len(one.names) > len(one.codes):
                return False  # some pair is missing
            pairs = np.bincount(one.codes * width + other.codes, minlength=len(one.names) * width)
            expected = np.outer(counts[first], counts[second]).ravel()
            if not np.array_equal(pairs * len(one.codes), expected):
                return False
    return True
