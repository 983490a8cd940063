"""Accuracy of the points of a sweep: each distinct case is trained and measured once.

Accuracy depends on few of a sweep's axes: network, bits of weights and cells, device and its sigma,
the shared block, what is write-verified. Points that agree in these share one case; its study runs
in a folder that is named by a hash of all that it depends on, in a cache that sweeps share. What
has not been evaluated stays empty.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archsim.analysis.row_groups import rows_of_study
from archsim.config.study import Study
from archsim.config.sweep import AccuracyOfPoints, Sweep
from archsim.device import WeightFormat, encoding_note
from archsim.errors import Code, ConfigError
from archsim.explore.accuracy.backbones import Backbones
from archsim.explore.accuracy.case_study import cache_folder, check_methods, run_folder, study_of
from archsim.explore.accuracy.clock import Clock
from archsim.explore.accuracy.effort import Effort
from archsim.explore.accuracy.on_cluster import train_on_cluster
from archsim.explore.run.part_file import joined, read_beside
from archsim.explore.run.store import Store
from archsim.explore.space.cases import AccuracyCase, all_cases
from archsim.explore.space.points import Space
from archsim.results.method_row import finite
from tsb.data import Dataset
from tsb.study.checks import check_same_data
from tsb.study.results import method_rows, seed_results
from tsb.study.run import News, open_run, run_study
from tsb.study.work import dataset_of

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the accuracies, fractions, in order.
COLUMNS = (
    "accuracy_mean",
    "accuracy_ci95_low",
    "accuracy_ci95_high",
    "accuracy_std_chip",
    "accuracy_validation",
    "accuracy_chips",
    "verified_weights",
)
#: Column that names the case of a row.
KEY = "accuracy_key"
_FILE = "accuracy.parquet"
_READ_OFF = (
    "read_path off: the accuracies leave out what converters, rows, inputs and wires do to what is "
    "read; sweep.accuracy.read_path=exact has it"
)
#: Columns beside key and numbers: what the case is, and the folder of its study's run.
_TEXTS = ("case", "run")


@dataclass(frozen=True)
class Work:
    """A case, the study that measures it, and what is known of it.

    Attributes:
        case: which.
        study: of its accuracy.
        folder: of the study's run, in the cache.
        known: accuracies, if they are there.
        seconds: estimated time of one core for what is missing, s; 0 where none is.
    """

    case: AccuracyCase
    study: Study
    folder: Path
    known: dict[str, Any] | None
    seconds: float = 0.0


@dataclass(frozen=True)
class Evaluated:
    """News of the evaluation of cases.

    Attributes:
        done: cases with an accuracy.
        of: all cases.
        case: the last one.
        seconds: since the evaluation began.
        left_s: estimated time until the last is done, s; None before one was trained.
    """

    done: int
    of: int
    case: AccuracyCase
    seconds: float
    left_s: float | None


def plan_cases(
    space: Space,
    *,
    cache: Path | None = None,
    data_root: str | None = None,
    max_minutes: float | None = None,
    keys: Collection[str] | None = None,
) -> list[Work]:
    """Check, before anything runs, that every case has a study, and say what there is to do.

    Args:
        space: of the sweep.
        cache: folder of accuracies; None is the user's.
        data_root: where the data of the study lie. They are read if a case has to be trained.
        max_minutes: no case is begun after so long; None: the sweep's own bound.
        keys: of the cases that are asked for; None: all that a point of the sweep may have.

    Returns:
        The cases, cheap ones first.

    Raises:
        ArchsimError: an unknown study or method, sizes that do not fit the network, or data that
            are missing or are not those of an accuracy in the cache.
    """
    asked = _asked(space.sweep)
    check_methods(asked)
    place = cache_folder() if cache is None else cache
    works = []
    for key, case in all_cases(space).items():
        study = study_of(case, asked)
        folder = run_folder(study, place)
        if keys is None or key in keys:
            works.append(Work(case, study, folder, _known(study, folder, data_root)))
    if not limit_s(space.sweep, max_minutes):
        return works
    return _cheap_first(works, data_root, Backbones(place))


def _cheap_first(works: list[Work], data_root: str | None, backbones: Backbones) -> list[Work]:
    """Order cases by the time that each takes alone, then say what it takes after those before."""
    alone = [(Effort(backbones).add(*_missing(work, data_root)), work) for work in works]
    together = Effort(backbones)
    return [
        replace(work, seconds=together.add(*_missing(work, data_root)))
        for _, work in sorted(alone, key=lambda pair: pair[0])
    ]


def _missing(work: Work, data_root: str | None) -> tuple[Study, Path, Dataset | None]:
    data = dataset_of(work.study, data_root) if work.known is None else None
    return work.study, work.folder, data


def evaluate_cases(
    space: Space,
    store: Store,
    *,
    cache: Path | None = None,
    data_root: str | None = None,
    max_minutes: float | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    news: Callable[[Evaluated], None] | None = None,
    steps: News | None = None,
    keys: Collection[str] | None = None,
) -> int:
    """Evaluate the cases that the rows of a store name, cheap ones first.

    Args:
        space: of the sweep.
        store: with its rows.
        cache: folder of accuracies; None is the user's.
        data_root: where the data of the study lie.
        max_minutes: no case is begun after so long; None: the sweep's own bound.
        jobs: processes.
        scheduler: address of a Dask scheduler, in place of processes here.
        news: told of every case that is done.
        steps: told of every epoch and unit inside, where they run here.
        keys: of the cases that are asked for; None: all that the rows name.

    Returns:
        Number of cases that have not been evaluated.

    Raises:
        ArchsimError: study, data or network do not fit.
    """
    named = named_cases(store) if keys is None else keys
    works = plan_cases(space, cache=cache, data_root=data_root, max_minutes=max_minutes, keys=named)
    clock = Clock(limit_s(space.sweep, max_minutes), sum(work.seconds for work in works))
    rows = _read(store)
    done = 0

    def settle(work: Work, known: dict[str, Any] | None) -> None:
        nonlocal done
        if known is not None or rows.get(work.case.key, {}).get(COLUMNS[0]) is None:
            about = {"case": json.dumps(work.case.as_json()), "run": str(work.folder)}
            rows[work.case.key] = {**about, **(known or {})}
        _write(store, rows)
        done += known is not None
        if news is not None and known is not None:
            news(Evaluated(done, len(works), work.case, clock.seconds, clock.left_s))

    for work in works:
        if work.known is not None:
            settle(work, work.known)
    missing = {work.case.key: work for work in works if work.known is None}
    todo = list(missing.values())
    for work in (
        _here(todo, clock, data_root, jobs, steps)
        if scheduler is None
        else _on_cluster(todo, clock, data_root, scheduler)
    ):
        clock.trained(work.seconds)
        settle(missing.pop(work.case.key), _known(work.study, work.folder, data_root))
    for work in missing.values():
        settle(work, None)
    return sum(rows[work.case.key].get(COLUMNS[0]) is None for work in works)


def _here(
    works: list[Work], clock: Clock, data_root: str | None, jobs: int, steps: News | None
) -> Iterator[Work]:
    """Train cases in processes of this machine while there is time, one after the other."""
    for work in works:
        if not clock.may_begin():
            return
        _train(work, Backbones(work.folder.parent), data_root, jobs, steps)
        yield work


def _on_cluster(
    works: list[Work], clock: Clock, data_root: str | None, scheduler: str
) -> Iterator[Work]:
    """Train cases on the workers of a Dask scheduler while there is time."""
    cases = [(work.study, work.folder) for work in works]
    if cases and clock.may_begin():
        done = train_on_cluster(scheduler, cases, data_root=data_root, may_begin=clock.may_begin)
        yield from (works[place] for place in done)


def named_cases(store: Store) -> set[str]:
    """Return the keys of the cases that feasible rows name.

    Args:
        store: with its rows.
    """
    stored = store.table([KEY, "feasible"])
    stored = stored.filter(stored.column("feasible"))
    return set(stored.column(KEY).combine_chunks().dictionary_decode().to_pylist())


def measured(store: Store) -> dict[str, float]:
    """Return the accuracies that have been measured, by key.

    Args:
        store: of a sweep.
    """
    rows = _read(store).items()
    return {key: row[COLUMNS[0]] for key, row in rows if row.get(COLUMNS[0]) is not None}


def _train(
    work: Work, backbones: Backbones, data_root: str | None, jobs: int, steps: News | None
) -> None:
    data = dataset_of(work.study, data_root)
    backbones.lend(work.study, work.folder, data)
    work.folder.parent.mkdir(parents=True, exist_ok=True)
    run = open_run(work.folder, work.study)
    run_study(run, data_root=data_root, jobs=jobs, rows_of=rows_of_study, news=steps)
    backbones.keep(work.study, work.folder, data)


def limit_s(sweep: Sweep, max_minutes: float | None) -> float:
    """Return the time after which no case is begun, s.

    Args:
        sweep: with accuracies.
        max_minutes: in place of the sweep's own bound.
    """
    minutes = _asked(sweep).max_minutes if max_minutes is None else max_minutes
    return math.inf if minutes is None else 60 * minutes


def _asked(sweep: Sweep) -> AccuracyOfPoints:
    if sweep.accuracy is None:
        raise ConfigError(
            "sweep.accuracy is not given; allowed: study and method",
            code=Code.MISSING_KEY,
            field="sweep.accuracy",
            allowed=("study", "method"),
        )
    return sweep.accuracy


def _known(study: Study, folder: Path, data_root: str | None) -> dict[str, Any] | None:
    """Return the accuracy of a study's method from its folder; None if it is not there yet.

    Raises:
        ConfigError: it was measured on other images than those of ``data_root``.
    """
    if not folder.is_dir() or len(seed_results(study, folder)) < len(study.seeds):
        return None
    if data_root is not None:
        check_same_data(folder, dataset_of(study, data_root).content_hashes)
    row = method_rows(study, folder)[0]
    low, high = finite(row.ci95_backbone_low), finite(row.ci95_backbone_high)
    if low is None or high is None:
        low, high = row.ci95_low, row.ci95_high
    values = (
        row.accuracy,
        low,
        high,
        row.std_chip,
        row.validation_accuracy,
        (row.chips or 0) * (row.seeds or 0),
        row.verified_weights,
    )
    return dict(zip(COLUMNS, map(finite, values), strict=True))


def _read(store: Store) -> dict[str, dict[str, Any]]:
    """Return what earlier runs found, by key: it is never replaced by nothing."""
    path = store.folder / _FILE
    if not path.is_file():
        return {}
    rows = read_beside(path, (KEY, *_TEXTS), COLUMNS).to_pylist()
    return {row.pop(KEY): row for row in rows}


def _write(store: Store, rows: Mapping[str, Mapping[str, Any]]) -> None:
    entries = list(rows.values())
    table = pa.table(
        {
            KEY: pa.array(list(rows), pa.string()),
            **{name: pa.array([row[name] for row in entries], pa.string()) for name in _TEXTS},
            **{
                name: pa.array([row.get(name) for row in entries], pa.float64()) for name in COLUMNS
            },
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    store.write_file(store.folder / _FILE, sink.getvalue().to_pybytes())


def sigmas(store: Store) -> dict[str, float]:
    """Return the sigma of every case that has been asked for, by key; nothing without accuracies.

    Args:
        store: of a sweep.
    """
    return {key: float(json.loads(row["case"])["sigma"]) for key, row in _read(store).items()}


def accuracy_notes(store: Store) -> tuple[str, ...]:
    """Return what to say of accuracies that assume another chip than the cost of their row.

    Another encoding, or reads without converters.

    Args:
        store: of a sweep.
    """
    notes: dict[str, None] = {}
    for row in _read(store).values():
        case = json.loads(row["case"])
        if "read" not in case:
            notes[_READ_OFF] = None
        if "chip_encoding" not in case:  # a store of before it was recorded
            continue
        form = WeightFormat(
            weight_bits=case["weight_bits"],
            bits_per_cell=case["bits_per_cell"],
            encoding=case["encoding"],
        )
        notes[encoding_note(form, case["chip_encoding"])] = None
    return tuple(note for note in notes if note)


def with_accuracy(store: Store, frame: pd.DataFrame) -> pd.DataFrame:
    """Join accuracies to rows that name them; NaN where they have not been evaluated.

    Args:
        store: of the rows.
        frame: rows with the column ``accuracy_key``, else it comes back as it is.
    """
    if KEY not in frame.columns:
        return frame
    path = store.folder / _FILE
    if not path.is_file():
        return frame.assign(**dict.fromkeys(COLUMNS, np.nan))
    return joined(frame, read_beside(path, (KEY,), COLUMNS), KEY, COLUMNS)
