"""Sweeps from Python and from the command line: plan, run, read, answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsim.analysis import pareto
from archsim.config.choices import WITH_BLOCK
from archsim.config.load import override_path, parse_override
from archsim.config.overrides import Overrides, as_names, as_texts
from archsim.config.sweep import Axis, Strategy, Sweep, load_sweep, parse_axis
from archsim.errors import Code, ConfigError, DataError
from archsim.explore.accuracy.accuracy import COLUMNS as ACCURACIES
from archsim.explore.accuracy.accuracy import Evaluated, Work, evaluate_cases, plan_cases
from archsim.explore.accuracy.verified_front import verify_front
from archsim.explore.query.result import SweepResult
from archsim.explore.run.executors import connect
from archsim.explore.run.exhaustive import cores, default_jobs, run_exhaustive
from archsim.explore.run.goals import Goals
from archsim.explore.run.rows import schema_of
from archsim.explore.run.store import Store, check_place
from archsim.explore.run.sweep import MANY_POINTS, Job, News, Plan, open_store
from archsim.explore.search.gradient import check_refinement
from archsim.explore.search.refine import refine
from archsim.explore.search.search import plan_search, run_search
from archsim.explore.space.constraint import parse_constraint, satisfied
from archsim.explore.space.contradiction import check_constraints
from archsim.util.consent import saying
from archsim.util.lock import locked
from tsb.study.run import Step

#: Shipped sweep of the README.
DEFAULT_SWEEP = "tsb-size-x-cell-bits"


@dataclass(frozen=True)
class Announcement:
    """What a sweep is going to do, before it begins.

    Attributes:
        plan: numbers of points, estimated time and size.
        jobs: processes.
        cases: distinct accuracies that are asked for, at most in a search; none without.
        strategy: of the sweep, and what of it is asked.
        left: share of the parts that are not there yet.
        scheduler: address of the Dask cluster that works them out; "" for this machine.
    """

    plan: Plan
    jobs: int
    cases: tuple[Work, ...]
    strategy: Strategy
    left: float
    scheduler: str


def sweep(
    name: str | Sweep = DEFAULT_SWEEP,
    *,
    out: str | Path,
    resume: bool = False,
    jobs: int | None = None,
    scheduler: str | None = None,
    overrides: Overrides = (),
    axes: str | Iterable[str] = (),
    network: str | None = None,
    data: str | None = None,
    yes: bool = False,
    data_root: str | Path | None = None,
    accuracy_cache: str | Path | None = None,
    max_minutes: float | None = None,
    announce: Callable[[Announcement], None] | None = None,
    news: News | None = None,
    evaluated: Callable[[Evaluated], None] | None = None,
    steps: Callable[[Step], None] | None = None,
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
        network: replaces the sweep's; must be said where it is ``package.module:function``: code is
            not run because a file names it.
        data: of an accuracy study; must be said where it is ``package.module:function``.
        yes: run also more than 10^8 combinations.
        data_root: where the data of an accuracy study lie.
        accuracy_cache: folder of accuracies; None: the user's cache.
        max_minutes: no accuracy is begun after so long.
        announce: told what is going to be done, before it is.
        news: told after every part.
        evaluated: told after every accuracy.
        steps: told after every epoch and unit of the training for an accuracy.

    Raises:
        ArchsimError: bad input, before anything runs; a full disk; a scheduler that is not there.
    """
    settings, more_axes = as_texts(overrides), as_names(axes)
    asked = (
        name if isinstance(name, Sweep) else load_sweep(name, settings, more_axes, network=network)
    )
    check_place(Path(out))
    known = asked if isinstance(name, Sweep) else None
    with locked(Path(out)), saying([data, *_said_networks(known, settings, more_axes, network)]):
        return _run(
            asked, Path(out), resume=resume, jobs=jobs, scheduler=scheduler, yes=yes,
            data_root=data_root, accuracy_cache=accuracy_cache, max_minutes=max_minutes,
            announce=announce, news=news, evaluated=evaluated, steps=steps,
        )  # fmt: skip


def _said_networks(
    asked: Sweep | None, overrides: Sequence[str], axes: Sequence[str], network: str | None
) -> list[object]:
    """Return the names of networks that a caller says: not those that only a file names."""
    said: list[object] = [network]
    if asked is not None:
        said += [asked.network]
        said += (asked.axes["network"].values or []) if "network" in asked.axes else []
    for text in overrides:
        if override_path(text) == "sweep.network":
            said.append(parse_override(text)[1])
    for text in axes:
        path, values = parse_axis(text)
        if path == "network":
            said += values if isinstance(values, list) else values.get("values", [])
    return said


def _run(
    asked: Sweep,
    out: Path,
    *,
    resume: bool,
    jobs: int | None,
    scheduler: str | None,
    yes: bool,
    data_root: str | Path | None,
    accuracy_cache: str | Path | None,
    max_minutes: float | None,
    announce: Callable[[Announcement], None] | None,
    news: News | None,
    evaluated: Callable[[Evaluated], None] | None,
    steps: Callable[[Step], None] | None,
) -> SweepResult:
    """Plan and run a sweep in a folder that no other run has."""
    _check_block(asked)
    job = Job(asked)
    is_search = asked.strategy.kind == "optuna"
    _check(job, jobs, scheduler, yes)
    _check_questions(job)
    accuracies: dict[str, Any] = {
        "cache": None if accuracy_cache is None else Path(accuracy_cache),
        "data_root": None if data_root is None else str(data_root),
        "max_minutes": max_minutes,
    }
    if predicts(asked) and not job.space.read_paths:
        raise ConfigError(
            "sweep.accuracy.predict = true with read_path = off: what is predicted is what the "
            "reads of a chip do; allowed: read_path exact, or predict false",
            code=Code.CONFLICT,
            field="sweep.accuracy.predict",
            value=True,
            allowed="false, or sweep.accuracy.read_path exact",
        )
    works = plan_cases(job.space, **accuracies) if asked.fidelity == "accuracy" else []
    plan = plan_search(job) if is_search else job.plan()
    processes = default_jobs(plan.combinations) if jobs is None else jobs
    if announce is not None:
        left = 1.0 if is_search else _share_left(out, plan) if resume else 1.0
        where = "" if scheduler is None else scheduler
        announce(
            Announcement(
                plan, 1 if is_search else processes, tuple(works), asked.strategy, left, where
            )
        )
    if scheduler is not None:
        connect(scheduler).close()
    store = open_store(job, out, resume=resume)
    if resume:
        store.verify()
    if is_search:
        run_search(job, store, resume=resume, news=news)
    else:
        run_exhaustive(job, store, jobs=processes, scheduler=scheduler, news=news)
    if asked.strategy.kind == "gradient":
        refine(job, store)
    if works:
        processes = cores() if jobs is None else jobs
        measure = verify_front if predicts(asked) else evaluate_cases
        measure(
            job.space, store, **accuracies, jobs=processes, scheduler=scheduler, news=evaluated,
            steps=steps,
        )  # fmt: skip
    return SweepResult(store, asked)


def predicts(asked: Sweep) -> bool:
    """Say whether a sweep predicts accuracies.

    Args:
        asked: the sweep.
    """
    return asked.fidelity == "accuracy" and asked.accuracy is not None and asked.accuracy.predict


def _check_block(asked: Sweep) -> None:
    """Refuse axes of the shared block where no point has one: they would change nothing."""
    designs = asked.axes["design"].values if "design" in asked.axes else [asked.design]
    blocks = [path for path in asked.axes if path == "tsb" or path.startswith("tsb.")]
    if blocks and set(designs or ()) <= {"none", None}:
        raise ConfigError(
            f"sweep.axes.{blocks[0]}: no point has a shared block, and this changes nothing; "
            f"allowed: with design: {' or '.join(WITH_BLOCK)}, or an axis design",
            code=Code.CONFLICT,
            field=f"sweep.axes.{blocks[0]}",
            allowed=WITH_BLOCK,
        )


def _check(job: Job, jobs: int | None, scheduler: str | None, yes: bool) -> None:
    """Refuse what cannot be done, before anything runs."""
    asked, size = job.sweep, job.space.grid.size
    if asked.strategy.kind == "optuna":
        if scheduler is not None or ((jobs or 1) > 1 and asked.fidelity == "hardware"):
            raise ConfigError(
                f"{'--jobs' if scheduler is None else '--scheduler'} with strategy optuna: a "
                "generation is one batch of this process; allowed: neither",
                code=Code.CONFLICT,
                field="--jobs" if scheduler is None else "--scheduler",
            )
        Goals.of(job.space)
        return
    if size > MANY_POINTS and not yes:
        raise ConfigError(
            f"sweep '{asked.name}': {size:.3g} combinations, more than {MANY_POINTS:.0e}; use "
            "strategy: {kind: optuna}, take values out, or say --yes",
            code=Code.OUT_OF_RANGE,
            field=f"sweep '{asked.name}'",
            value=size,
            allowed=f"at most {MANY_POINTS:.0e}",
        )
    if asked.strategy.kind == "gradient":
        check_refinement(job.space)


def _share_left(out: Path, plan: Plan) -> float:
    """Return the share of a sweep's parts that its folder lacks."""
    if not (out / "sweep.json").is_file():
        return 1.0
    return max(0.0, 1.0 - len(Store.open(out).done()) / plan.parts)


def _check_questions(job: Job) -> None:
    """Refuse objectives and constraints that the rows cannot answer, before they are computed."""
    has_accuracy = job.sweep.fidelity == "accuracy"
    rows = schema_of(job.space, has_accuracy).empty_table().to_pandas()
    if has_accuracy:
        rows = rows.assign(**dict.fromkeys(ACCURACIES, 0.0))
    pareto.pareto_front(rows, pareto.parse_objectives(",".join(job.sweep.objectives), rows.columns))
    constraints = [parse_constraint(text) for text in job.sweep.constraints]
    for constraint in constraints:
        satisfied(rows, constraint)
    check_constraints(job.space, constraints, [str(name) for name in rows.columns])


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
        raise DataError(
            f"{folder}: sweep.json does not say which sweep: {error}",
            code=Code.DAMAGED_FILE,
            field=f"{folder}: sweep.json",
        ) from error
    most = math.prod(_values_of(axis) for axis in asked.axes.values()) + 1
    if store.parts is not None and store.parts > most:  # one of them for refined points
        raise DataError.of(
            Code.DAMAGED_FILE,
            f"{folder}: sweep.json: parts",
            store.parts,
            problem=f"the sweep has {most - 1} combinations",
            allowed=f"1 to {most}",
        )
    return SweepResult(store, asked)


def _values_of(axis: Axis) -> int:
    """Return the number of values of an axis; 1 of one that follows another."""
    if axis.same_as is not None:
        return 1
    return len(axis.numbers() if axis.values is None else axis.values)
