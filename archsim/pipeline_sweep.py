"""Sweeps from Python and from the command line: plan, run, read, answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim._shadow import check_shadowing

check_shadowing()

from archsim.answers import Cheapest, Difference, MainEffects  # noqa: E402
from archsim.config.sweep import Strategy, Sweep, load_sweep  # noqa: E402
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
from archsim.explore.goals import Goals  # noqa: E402
from archsim.explore.gradient import check_refinement, refine  # noqa: E402
from archsim.explore.points import Settings, Space, yaml_text  # noqa: E402
from archsim.explore.refined import refinements, settings_of  # noqa: E402
from archsim.explore.rows import schema_of  # noqa: E402
from archsim.explore.search import plan_search, run_search  # noqa: E402
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
            point: its number; a refined point's is below 0.

        Raises:
            ConfigError: there is no such point.
        """
        space = Space(self.sweep)
        is_refined = point < 0 and self.sweep.strategy.kind == "gradient"
        settings = settings_of(space, self.store, point) if is_refined else None
        return map_command(space, point, settings)

    def refinements(self) -> pd.DataFrame:
        """Return the refined points of a gradient: a row each, objectives before and after.

        Raises:
            DataError: the sweep has none, or has not come so far.
        """
        return refinements(self.store)


def _point(rows: pd.DataFrame, number: int) -> pd.Series[Any]:
    found = rows[rows["point"] == number]
    if found.empty:
        raise DataError(f"point {number}: not among the {len(rows)} rows; see the column point")
    row: pd.Series[Any] = found.iloc[0]
    return row


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
            raise ConfigError(f"point {point}; allowed: 0 to {space.grid.size - 1}")
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


@dataclass(frozen=True)
class Announcement:
    """What a sweep is going to do, before it begins.

    Attributes:
        plan: numbers of points, estimated time and size.
        jobs: processes.
        cases: distinct accuracies to evaluate, at most in a search; 0 without.
        strategy: of the sweep, and what of it is asked.
    """

    plan: Plan
    jobs: int
    cases: int
    strategy: Strategy


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
    is_search = asked.strategy.kind == "optuna"
    _check(job, jobs, scheduler, yes)
    _check_questions(job)
    cases = check_accuracy(job.space) if asked.fidelity == "accuracy" else 0
    plan = plan_search(job) if is_search else job.plan()
    processes = default_jobs(plan.combinations) if jobs is None else jobs
    if announce is not None:
        announce(Announcement(plan, 1 if is_search else processes, cases, asked.strategy))
    store = open_store(job, out, resume=resume)
    if resume:
        store.verify()
    if is_search:
        run_search(job, store, resume=resume, news=news)
    else:
        run_exhaustive(job, store, jobs=processes, scheduler=scheduler, news=news)
    if asked.strategy.kind == "gradient":
        refine(job, store)
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


def _check(job: Job, jobs: int | None, scheduler: str | None, yes: bool) -> None:
    """Refuse what cannot be done, before anything runs."""
    asked, size = job.sweep, job.space.grid.size
    if asked.strategy.kind == "optuna":
        if scheduler is not None or ((jobs or 1) > 1 and asked.fidelity == "hardware"):
            raise ConfigError(
                f"{'--jobs' if scheduler is None else '--scheduler'} with strategy optuna: a "
                "generation is one batch of this process; allowed: neither"
            )
        Goals.of(job.space)
        return
    if size > MANY_POINTS and not yes:
        raise ConfigError(
            f"sweep '{asked.name}': {size:.3g} combinations, more than {MANY_POINTS:.0e}; use "
            "strategy: {kind: optuna}, take values out, or say --yes"
        )
    if asked.strategy.kind == "gradient":
        check_refinement(job.space)


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
