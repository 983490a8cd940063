"""Constraints that nothing can meet, found before anything runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from archsim.errors import Code, ConfigError, close_matches
from archsim.explore.space.constraint import SweepConstraint, bound_of, satisfied
from archsim.explore.space.points import Space
from archsim.results.columns import find_column, is_share

#: Values of an axis that an error names.
_LISTED = 8


class _End(NamedTuple):
    """An end of the values that are left: ``is_open``, whether it does not belong to them."""

    value: float
    is_open: bool
    said: str


def check_constraints(
    space: Space, constraints: Sequence[SweepConstraint], columns: list[str]
) -> None:
    """Refuse constraints that exclude each other, or every value of a parameter.

    Args:
        space: of the sweep.
        constraints: which; each fits its column.
        columns: of the sweep's rows, accuracies too.

    Raises:
        ConfigError: names the constraints.
    """
    by_column: dict[str, list[SweepConstraint]] = {}
    for constraint in constraints:
        by_column.setdefault(find_column(constraint.name, columns).column, []).append(constraint)
    for column, on_column in by_column.items():
        _check_texts(on_column)
        _check_ends(column, on_column)
    _check_parameters(space, by_column)


def _check_texts(constraints: list[SweepConstraint]) -> None:
    equal = [
        constraint
        for constraint in constraints
        if constraint.operator == "==" and isinstance(constraint.value, (bool, str))
    ]
    for constraint in equal[1:]:
        if constraint.value != equal[0].value:
            raise _both(equal[0].text, constraint.text)


def _check_ends(column: str, constraints: list[SweepConstraint]) -> None:
    low, high = _End(-math.inf, False, ""), _End(math.inf, False, "")
    if is_share(column):
        low, high = (_End(end, False, f"0 <= {column} <= 1") for end in (0.0, 1.0))
    for constraint in constraints:
        if isinstance(constraint.value, (bool, str)) or constraint.operator == "!=":
            continue
        end = _End(bound_of(constraint, column), constraint.operator in "<>", constraint.text)
        if constraint.operator in (">", ">=", "=="):
            low = max(low, end, key=lambda end: (end.value, end.is_open))
        if constraint.operator in ("<", "<=", "=="):
            high = min(high, end, key=lambda end: (end.value, not end.is_open))
        if low.value > high.value or (low.value == high.value and (low.is_open or high.is_open)):
            raise _both(low.said, high.said)


def _both(one: str, other: str) -> ConfigError:
    return ConfigError(
        f"conditions '{one}' and '{other}' cannot both hold; take one of them out",
        code=Code.CONFLICT,
        field="conditions",
        value=(one, other),
    )


def _check_parameters(space: Space, by_column: dict[str, list[SweepConstraint]]) -> None:
    import pandas as pd

    names = space.columns
    for axis in space.grid.axes:
        for path in axis.members:
            column = names[path]
            for constraint in by_column.get(column, []):
                if not satisfied(pd.DataFrame({column: list(axis.values)}), constraint).any():
                    raise _never(constraint, path, axis.values)


def _never(constraint: SweepConstraint, path: str, values: Sequence[object]) -> ConfigError:
    texts = [str(value) for value in values]
    more = ", ..." if len(texts) > _LISTED else ""
    hint = close_matches(constraint.word, texts) if isinstance(values[0], str) else ""
    return ConfigError(
        f"condition '{constraint.text}' holds for none of the values of {path}: "
        f"{', '.join(texts[:_LISTED])}{more}.{hint}",
        code=Code.EMPTY,
        field=path,
        value=constraint.text,
        allowed=tuple(texts[:_LISTED]),
    )
