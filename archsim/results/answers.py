"""Answers about a table of designs: see archsim/explore/query/answers.py, which finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Cheapest:
    """The feasible design with the smallest value of a column among those that meet constraints.

    Attributes:
        column: that was minimised.
        position: row of the design (the first of equal ones); None where no design qualifies.
        design: that row; None where no design qualifies.
        designs: rows of the table.
        infeasible: rows that are no designs.
        not_evaluated: feasible rows in which a value that was asked for is missing.
        qualified: rows that were compared.
        meets: for each constraint, the feasible rows that meet it, whatever the others say.
        nearest: for each constraint on a number that no feasible row meets, the value that comes
            nearest to it: column, value in its unit, and the point (the row, in a table without
            points).
    """

    column: str
    position: int | None
    design: pandas.Series | None
    designs: int
    infeasible: int
    not_evaluated: int
    qualified: int
    meets: Mapping[str, int]
    nearest: Mapping[str, tuple[str, float, int]]


class Change(NamedTuple):
    """One column of two designs; the ratio is after/before, None where it says nothing."""

    column: str
    before: object
    after: object
    ratio: float | None


class Difference(NamedTuple):
    """Parameters that differ, and all results, of two designs."""

    parameters: tuple[Change, ...]
    results: tuple[Change, ...]


class Level(NamedTuple):
    """A level of a parameter, the designs that have it, and the mean of the result over them."""

    name: str
    designs: int
    mean: float


class AxisEffect(NamedTuple):
    """A parameter's levels, and the share of the result's variance that lies between them.

    Designs that do not have the parameter (an empty cell) do not count here.
    ``is_cut``: the parameter has so many values that its levels are intervals.
    """

    parameter: str
    levels: tuple[Level, ...]
    eta_squared: float
    is_cut: bool


@dataclass(frozen=True)
class MainEffects:
    """What each parameter alone does to a result.

    Attributes:
        column: the result.
        scale: ``log``: means are geometric, and the variance is that of the logarithm.
        effects: largest share first; parameters with one level are left out, and
            so are names that every design has for itself.
        designs: rows that count.
        infeasible: rows left out because no such design exists.
        not_evaluated: feasible rows left out because the result is missing.
        is_balanced: every pair of parameters takes all pairs of levels in proportion, as on a full
            grid: then no effect contains another's. Otherwise the shares overlap, and a parameter
            may get credit for another that goes with it.
        interactions: share of the variance that no parameter explains alone; None unless balanced,
            and where the result does not vary.
    """

    column: str
    scale: Literal["log", "linear"]
    effects: tuple[AxisEffect, ...]
    designs: int
    infeasible: int
    not_evaluated: int
    is_balanced: bool
    interactions: float | None
