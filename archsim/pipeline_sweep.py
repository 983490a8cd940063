"""Sweeps from Python and from the command line: plan, run, read, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim._shadow import check_shadowing

check_shadowing()

from archsim.answers import Cheapest, Difference, MainEffects  # noqa: E402
from archsim.config.sweep import Sweep, load_sweep  # noqa: E402
from archsim.errors import ConfigError, DataError  # noqa: E402
from archsim.explore import pareto  # noqa: E402
from archsim.explore.accuracy import COLUMNS as ACCURACIES  # noqa: E402
from archsim.explore.accuracy import (  # noqa: E402
    Evaluated,
    check_accuracy,
    evaluate_cases,
    with_accuracy,
)
from archsim.explore.answers import cheapest, difference, main_effects  # noqa: E402
from archsim.explore.constraint import parse_constraint, satisfied  # noqa: E402
from archsim.explore.points import Space, yaml_text  # noqa: E402
from archsim.explore.rows import schema_of  # noqa: E402
from archsim.explore.store import Store, check_place  # noqa: E402
from archsim.explore.sweep import (  # noqa: E402
    MANY_POINTS,
    Job,
    News,
    Plan,
    cores,
    default_jobs,
    open_store,
    run_exhaustive,
)

if TYPE_CHECKING:
    import pandas as pd

#: Shipped sweep of the README.
DEFAULT_SWEEP = "tsb-size-x-cell-bits"


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep and what can be asked of them.

    Attributes:
        store: the folder.
        sweep: that was run.
    """

    store: Store
    sweep: Sweep

    def frame(self, where: Sequence[str] = ()) -> pd.DataFrame:
        """Return the rows that are there, accuracies joined; SI, units in the names.

        Args:
            where: conditions that rows must fulfil, e.g. ``area_mm2 < 50``.

        Raises:
            ConfigError: a condition that cannot be understood.
            DataError: nothing is there yet, or a part is damaged.
        """
        found = with_accuracy(self.store, self.store.frame())
        for text in where:
            found = found[satisfied(found, parse_constraint(text))]
        return found.reset_index(drop=True)

    def pareto(
        self, objectives: str | None = None, where: Sequence[str] | None = None
    ) -> tuple[pd.DataFrame, pareto.Front]:
        """Return the rows and which of them are on the Pareto front.

        Args:
            objectives: e.g. ``edp,area,max:accuracy``; None: those of the sweep.
            where: conditions; None: the sweep's constraints.

        Raises:
            ConfigError: an unknown column.
        """
        rows = self.frame(self.sweep.constraints if where is None else where)
        text = ",".join(self.sweep.objectives) if objectives is None else objectives
        return rows, pareto.pareto_front(rows, pareto.parse_objectives(text, rows.columns))

    def cheapest(self, minimise: str = "edp", where: Sequence[str] | None = None) -> Cheapest:
        """Return the feasible point with the least of a result.

        Args:
            minimise: a result.
            where: conditions; None: the sweep's constraints.

        Raises:
            ConfigError: an unknown column.
        """
        conditions = self.sweep.constraints if where is None else where
        return cheapest(self.frame(), minimise=minimise, where=conditions)

    def difference(self, before: int, after: int) -> Difference:
        """Return what changed between two points.

        Args:
            before: number of a point (column ``point``).
            after: another.

        Raises:
            DataError: a point that is not among the rows.
        """
        rows = self.frame()
        return difference(_point(rows, before), _point(rows, after))

    def main_effects(self, column: str = "edp", where: Sequence[str] = ()) -> MainEffects:
        """Return how much each parameter moves a result by itself.

        Args:
            column: the result.
            where: conditions.

        Raises:
            ConfigError: an unknown column.
        """
        rows = self.frame(where)
        space = Space(self.sweep)
        return main_effects(rows, column, list(space.columns.values()))

    def map_command(self, point: int) -> str:
        """Return the command that maps a point by itself.

        Args:
            point: its number.
        """
        return map_command(Space(self.sweep), point)


def _point(rows: pd.DataFrame, number: int) -> pd.Series[Any]:
    found = rows[rows["point"] == number]
    if found.empty:
        raise DataError(f"point {number}: not among the {len(rows)} rows; see the column point")
    row: pd.Series[Any] = found.iloc[0]
    return row


def map_command(space: Space, point: int) -> str:
    """Return the ``archsim map`` command of a point.

    Args:
        space: of the sweep.
        point: its number, 0 to the number of combinations - 1.

    Raises:
        ConfigError: there is no such point.
    """
    import shlex

    if not 0 <= point < space.grid.size:
        raise ConfigError(f"point {point}; allowed: 0 to {space.grid.size - 1}")
    sweep, settings = space.sweep, space.settings(point)
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


@dataclass(frozen=True)
class Announcement:
    """What a sweep is going to do, before it begins.

    Attributes:
        plan: numbers of points, estimated time and size.
        jobs: processes.
        cases: distinct accuracies to evaluate; 0 without.
    """

    plan: Plan
    jobs: int
    cases: int


def sweep(
    name: str | Sweep = DEFAULT_SWEEP,
    *,
    out: str | Path,
    resume: bool = False,
    jobs: int | None = None,
    scheduler: str | None = None,
    overrides: Iterable[str] = (),
    axes: Iterable[str] = (),
    network: str | None = None,
    yes: bool = False,
    data_root: str | Path | None = None,
    accuracy_cache: str | Path | None = None,
    max_minutes: float | None = None,
    announce: Callable[[Announcement], None] | None = None,
    news: News | None = None,
    evaluated: Callable[[Evaluated], None] | None = None,
) -> SweepResult:
    """Run a sweep, or what its folder lacks of it.

    Args:
        name: preset, YAML file, or the sweep itself.
        out: folder of the results.
        resume: go on with what the folder has.
        jobs: processes; None: all cores where there is much to do.
        scheduler: address of a Dask scheduler to run on, in place of processes here.
        overrides: ``path=value`` settings of the base design, or ``sweep.key=value``.
        axes: ``path=[values]``, to add or replace axes.
        network: replaces the sweep's.
        yes: run also more than 10^8 combinations.
        data_root: where the data of an accuracy study lie.
        accuracy_cache: folder of accuracies; None: the user's cache.
        max_minutes: no accuracy is begun after so long.
        announce: told what is going to be done, before it is.
        news: told after every part.
        evaluated: told after every accuracy.

    Raises:
        ArchsimError: bad input, before anything runs; a full disk; a scheduler that is not there.
    """
    asked = name if isinstance(name, Sweep) else load_sweep(name, overrides, axes, network=network)
    check_place(Path(out))
    job = Job(asked)
    size = job.space.grid.size
    if asked.strategy.kind == "exhaustive" and size > MANY_POINTS and not yes:
        raise ConfigError(
            f"sweep '{asked.name}': {size:.3g} combinations, more than {MANY_POINTS:.0e}; use "
            "strategy: {kind: optuna}, take values out, or say --yes"
        )
    _check_questions(job)
    cases = check_accuracy(job.space) if asked.fidelity == "accuracy" else 0
    plan = job.plan()
    processes = default_jobs(plan.combinations) if jobs is None else jobs
    if announce is not None:
        announce(Announcement(plan, processes, cases))
    store = open_store(job, out, resume=resume)
    if resume:
        store.verify()
    run_exhaustive(job, store, jobs=processes, scheduler=scheduler, news=news)
    if cases:
        evaluate_cases(
            job.space,
            store,
            cache=None if accuracy_cache is None else Path(accuracy_cache),
            data_root=None if data_root is None else str(data_root),
            max_minutes=max_minutes,
            jobs=cores() if jobs is None else jobs,
            news=evaluated,
        )
    return SweepResult(store, asked)


def _check_questions(job: Job) -> None:
    """Refuse objectives and constraints that the rows cannot answer, before they are worked out."""
    has_accuracy = job.sweep.fidelity == "accuracy"
    rows = schema_of(job.space, has_accuracy).empty_table().to_pandas()
    if has_accuracy:
        rows = rows.assign(**dict.fromkeys(ACCURACIES, 0.0))
    pareto.pareto_front(rows, pareto.parse_objectives(",".join(job.sweep.objectives), rows.columns))
    for text in job.sweep.constraints:
        satisfied(rows, parse_constraint(text))


def open_sweep(folder: str | Path) -> SweepResult:
    """Open the folder of a sweep.

    Args:
        folder: of its results.

    Raises:
        DataError: not such a folder, or of another version.
    """
    store = Store.open(folder)
    about = store.about()
    try:
        asked = Sweep.model_validate(about["sweep"])
    except (KeyError, ValueError) as error:
        raise DataError(f"{folder}: sweep.json does not say which sweep: {error}") from error
    return SweepResult(store, asked)
