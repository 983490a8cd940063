"""The rows of a sweep and what can be asked of them; only the columns that matter are read."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex

from archsim.analysis import pareto
from archsim.config.sweep import Sweep
from archsim.errors import Code, ConfigError, DataError
from archsim.explore.accuracy.accuracy import COLUMNS as ACCURACIES
from archsim.explore.accuracy.accuracy import KEY, accuracy_notes, with_accuracy
from archsim.explore.accuracy.prediction import (
    PREDICTED,
    has_predictions,
    prediction_notes,
    with_prediction,
)
from archsim.explore.query.answers import cheapest, difference, main_effects
from archsim.explore.run.refined import refinements, settings_of
from archsim.explore.run.rows import POINT, REASON
from archsim.explore.run.store import Store
from archsim.explore.space.constraint import parse_constraint, satisfied
from archsim.explore.space.contradiction import check_constraints
from archsim.explore.space.points import Space, yaml_text
from archsim.explore.space.writes import Settings
from archsim.results.answers import Cheapest, Difference, MainEffects
from archsim.results.columns import FEASIBLE, find_column

if TYPE_CHECKING:
    import pandas as pd


#: Points in a notebook.
_SHOWN = 20


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep and what can be asked of them.

    Attributes:
        store: the folder.
        sweep: that was run.
    """

    store: Store
    sweep: Sweep

    @cached_property
    def space(self) -> Space:
        """The points that there are."""
        return Space(self.sweep)

    def __repr__(self) -> str:
        """One line: folder, sweep, parts."""
        parts = f"{len(self.store.done())} of {self.store.parts or '?'} parts"
        return f"SweepResult('{self.store.folder}', sweep '{self.sweep.name}', {parts})"

    def _repr_html_(self) -> str:
        """The Pareto front, for notebooks."""
        rows, front = self.pareto(columns=())
        best = self.rows(rows["point"][front.mask])
        shown = best.sort_values(front.objectives[0].column, kind="stable").head(_SHOWN)
        said = f"{self!r}: {len(best)} of {len(rows)} points are on the front"
        return f"<p>{html.escape(said)}</p>{shown.to_html(index=False, escape=True)}"

    @property
    def unfinished(self) -> str:
        """What is missing, in words; "" where all parts are there, or nobody knows how many."""
        if self.store.parts is None or self.store.is_complete:
            return ""
        done = len(self.store.done())
        return (
            f"{done} of {self.store.parts} parts are done: answers are of these alone; archsim "
            f"sweep --out {self.store.folder} --resume goes on"
        )

    @property
    def accuracy_notes(self) -> tuple[str, ...]:
        """What to say of accuracies: of another chip than their rows, or predicted."""
        return (*accuracy_notes(self.store), *prediction_notes(self.store))

    def infeasible_because(self, where: Sequence[str] = ()) -> dict[str, int]:
        """Return how many points break which bound first.

        Args:
            where: conditions that points must fulfil.

        Raises:
            ConfigError: a condition that cannot be understood.
            DataError: nothing is there yet, or a part is damaged.
        """
        reasons = self.frame(where, columns=(REASON,))[REASON].dropna().astype(str)
        return {str(name): int(count) for name, count in reasons.value_counts().items()}

    @property
    def columns(self) -> list[str]:
        """Names of all columns, those of accuracies too.

        Raises:
            DataError: nothing is there yet, or a part is damaged.
        """
        stored = self.store.columns()
        predicted = PREDICTED if has_predictions(self.store) else ()
        return stored + [name for name in (*ACCURACIES, *predicted) if KEY in stored]

    def frame(
        self, where: Sequence[str] = (), columns: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the rows that are there, accuracies joined; SI, units in the names.

        Args:
            where: conditions that rows must fulfil, e.g. ``area_mm2 < 50``.
            columns: to read, as :func:`archsim.results.columns.find_column` takes them; ``point``,
                ``feasible`` and those of the conditions come with them. None: all, which takes
                about a kilobyte of memory per row.

        Raises:
            ConfigError: an unknown column, or a condition that cannot be understood.
            DataError: nothing is there yet, or a part is damaged.
        """
        conditions = [parse_constraint(text) for text in where]
        if conditions:
            check_constraints(self.space, conditions, self.columns)
        names = None
        if columns is not None:
            names = self._needed([*columns, *(condition.name for condition in conditions)])
        rows = self._read(names)
        for condition in conditions:
            rows = rows[satisfied(rows, condition)]
        return rows.reset_index(drop=True)

    def _needed(self, names: Iterable[str]) -> list[str]:
        """Return the columns that names mean, those of every row with them, in their order."""
        known = self.columns
        wanted = {POINT, FEASIBLE, *(find_column(name, known).column for name in names)}
        return [name for name in known if name in wanted]

    def _joined(self, rows: pd.DataFrame) -> pd.DataFrame:
        return with_prediction(self.store, with_accuracy(self.store, rows))

    def _read(self, names: Sequence[str] | None) -> pd.DataFrame:
        if names is None:
            return self._joined(self.store.frame())
        stored = [name for name in names if name not in (*ACCURACIES, *PREDICTED)]
        if len(stored) < len(names) and KEY not in stored:
            stored.append(KEY)
        return self._joined(self.store.frame(stored))[list(names)]

    def rows(self, points: Iterable[SupportsIndex]) -> pd.DataFrame:
        """Return all columns of some points, in the order of their numbers.

        Args:
            points: their numbers (column ``point``); those that are not there are left out.

        Raises:
            DataError: nothing is there yet, or a part is damaged.
        """
        return self._joined(self.store.rows(points))

    def pareto(
        self,
        objectives: str | None = None,
        where: Sequence[str] | None = None,
        columns: Iterable[str] | None = None,
    ) -> tuple[pd.DataFrame, pareto.Front]:
        """Return the rows and which of them are on the Pareto front.

        Args:
            objectives: e.g. ``edp,area,max:accuracy``; None: those of the sweep.
            where: conditions; None: the sweep's constraints.
            columns: of the rows, beside objectives and conditions; None: all.

        Raises:
            ConfigError: an unknown column.
        """
        text = ",".join(self.sweep.objectives) if objectives is None else objectives
        wanted = pareto.parse_objectives(text, self.columns)
        if columns is not None:
            columns = [*columns, *(objective.column for objective in wanted)]
        rows = self.frame(self.sweep.constraints if where is None else where, columns)
        return rows, pareto.pareto_front(rows, wanted)

    def cheapest(self, minimise: str = "edp", where: Sequence[str] | None = None) -> Cheapest:
        """Return the feasible point with the least of a result.

        Args:
            minimise: a result.
            where: conditions; None: the sweep's constraints.

        Raises:
            ConfigError: an unknown column.
        """
        conditions = self.sweep.constraints if where is None else where
        named = [parse_constraint(text).name for text in conditions]
        answer = cheapest(
            self.frame(columns=[minimise, *named]), minimise=minimise, where=conditions
        )
        if answer.design is None:
            return answer
        return replace(answer, design=self._point(int(answer.design[POINT])))

    def difference(self, before: int, after: int) -> Difference:
        """Return what changed between two points.

        Args:
            before: number of a point (column ``point``).
            after: another.

        Raises:
            DataError: a point that is not among the rows.
        """
        return difference(self._point(before), self._point(after))

    def _point(self, number: int) -> pd.Series[Any]:
        rows = self.rows([number])
        if rows.empty:
            count = self.store.counts()["rows"]
            missing = f"; {self.unfinished}" if self.unfinished else ""
            raise DataError(
                f"point {number}: not among the {count} rows (column {POINT}): left out by a "
                f"condition, forbidden, or not done{missing}",
                code=Code.UNKNOWN_NAME,
                field="point",
                value=number,
            )
        row: pd.Series[Any] = rows.iloc[0]
        return row

    def main_effects(self, column: str = "edp", where: Sequence[str] = ()) -> MainEffects:
        """Return how much each parameter moves a result by itself.

        Args:
            column: the result.
            where: conditions.

        Raises:
            ConfigError: an unknown column.
        """
        parameters = list(self.space.columns.values())
        return main_effects(self.frame(where, [column, *parameters]), column, parameters)

    def map_command(self, point: int) -> str:
        """Return the command that maps a point by itself.

        Args:
            point: its number; a refined point's is below 0.

        Raises:
            ConfigError: there is no such point.
        """
        space = self.space
        is_refined = point < 0 and self.sweep.strategy.kind == "gradient"
        settings = settings_of(space, self.store, point) if is_refined else None
        return map_command(space, point, settings)

    def refinements(self) -> pd.DataFrame:
        """Return the refined points of a gradient: a row each, objectives before and after.

        Raises:
            DataError: the sweep has none, or has not come so far.
        """
        return refinements(self.store)


def map_command(space: Space, point: int, settings: Settings | None = None) -> str:
    """Return the ``archsim map`` command of a point.

    Args:
        space: of the sweep.
        point: its number, 0 to the number of combinations - 1.
        settings: of a point that is none of the grid.

    Raises:
        ConfigError: there is no such point.
    """
    import shlex

    if settings is None:
        if not 0 <= point < space.grid.size:
            raise ConfigError(
                f"point {point}; allowed: 0 to {space.grid.size - 1}",
                code=Code.OUT_OF_RANGE,
                field="point",
                value=point,
                allowed=f"0 to {space.grid.size - 1}",
            )
        settings = space.settings(point)
    sweep = space.sweep
    words = ["archsim", "map", str(settings.get("network", sweep.network))]
    for name in ("design", "chip", "technology", "device", "tsb"):
        value = settings.get(name, getattr(sweep, name))
        if value is not None:
            words += [f"--{name}", str(value)]
    if sweep.input_shape is not None:
        words += ["--input-shape", ",".join(map(str, sweep.input_shape))]
    dotted = [f"{path}={yaml_text(value)}" for path, value in settings.items() if "." in path]
    for text in (*sweep.settings, *dotted):
        words += ["--set", text]
    return shlex.join(words)
