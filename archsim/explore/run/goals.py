"""What a search is after: objectives and constraints of a sweep, for rows of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from archsim.analysis.pareto import parse_objectives, points_of
from archsim.config.sweep import Sweep
from archsim.errors import Code, ConfigError
from archsim.explore.run.rows import POINT, schema_of
from archsim.explore.space.constraint import SweepConstraint, excess, parse_constraint
from archsim.explore.space.points import Space
from archsim.results.columns import FEASIBLE, Objective, find_column

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """What a sampler is told of a point.

    Attributes:
        values: of the objectives, in the units of their columns; the worst there is (infinite)
            where the point is infeasible.
        excess: by how much it misses being feasible (0 or 1) and each constraint; 0 where met.
    """

    values: tuple[float, ...]
    excess: tuple[float, ...]

    @property
    def is_good(self) -> bool:
        """Whether the point is feasible and meets all constraints."""
        return not any(self.excess)


@dataclass(frozen=True)
class Goals:
    """Objectives and constraints, checked.

    Attributes:
        objectives: to be minimised or maximised.
        constraints: on results or settings.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[SweepConstraint, ...]

    @classmethod
    def of(cls, space: Space) -> Goals:
        """Read those of a sweep.

        Args:
            space: of the sweep.

        Raises:
            ConfigError: a column that rows do not have; accuracies come after a search only.
        """
        sweep = space.sweep
        names = [name for name in schema_of(space).names if name != POINT]
        constraints = tuple(parse_constraint(text) for text in sweep.constraints)
        _refuse_accuracy(
            sweep, [*sweep.objectives, *(constraint.name for constraint in constraints)]
        )
        for constraint in constraints:
            find_column(constraint.name, names)
        return cls(parse_objectives(",".join(sweep.objectives), names), constraints)

    @property
    def maximise(self) -> list[bool]:
        """Of each objective."""
        return [objective.maximise for objective in self.objectives]

    def judge(self, frame: pd.DataFrame) -> list[Verdict]:
        """Return the verdict of every row.

        Args:
            frame: rows of the sweep.

        Raises:
            ConfigError: a constraint whose unit or value does not fit its column.
        """
        values = points_of(frame, self.objectives)
        worst = np.asarray(
            [-np.inf if objective.maximise else np.inf for objective in self.objectives]
        )
        values = np.where(np.isnan(values), worst, values)
        missed = [1.0 - frame[FEASIBLE].to_numpy(dtype=float)]
        missed += [excess(frame, constraint) for constraint in self.constraints]
        pairs = zip(values.tolist(), np.stack(missed, axis=1).tolist(), strict=True)
        return [Verdict(tuple(one), tuple(other)) for one, other in pairs]

    def verdicts(self, table: pa.Table) -> dict[int, Verdict]:
        """Return the verdicts of rows by the number of their point.

        Args:
            table: rows of the sweep.
        """
        if not table.num_rows:
            return {}
        numbers = table.column(POINT).to_pylist()
        frame = table.unify_dictionaries().to_pandas()
        return dict(zip(numbers, self.judge(frame), strict=True))


def search_identity(sweep: Sweep) -> dict[str, object]:
    """Return, as JSON values, what decides which points a search looks at; all of them: nothing.

    Trials and storage do not belong to it: a search may go on for longer, and elsewhere.

    Args:
        sweep: which.
    """
    keys = {
        "exhaustive": (),
        "optuna": ("kind", "sampler", "population", "seed"),
        "gradient": ("kind", "steps", "starts", "learning_rate", "weights"),
    }[sweep.strategy.kind]
    if not keys:
        return {}
    asked = sweep.strategy.model_dump(mode="json")
    strategy = {key: asked[key] for key in keys}
    return {**strategy, "objectives": sweep.objectives, "constraints": sweep.constraints}


def _refuse_accuracy(sweep: Sweep, texts: Sequence[str]) -> None:
    for text in texts:
        if text.strip().rpartition(":")[2].strip().startswith("accuracy"):
            raise ConfigError(
                f"sweep.strategy.kind = {sweep.strategy.kind} with '{text}': accuracies are "
                "evaluated after the search, for the points that it found; allowed: results of "
                "the hardware",
                code=Code.CONFLICT,
                field="sweep.strategy.kind",
                value=sweep.strategy.kind,
                allowed="results of the hardware",
            )
