"""Run a study: what is missing in its folder is computed, in as many processes as wanted.

Every unit writes its result last and atomically, so that a run which was killed at any moment goes
on where it was; backbones also go on from their last epoch.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from archsim import __version__
from archsim.config.checked import validate_model
from archsim.config.study import Study
from archsim.errors import Code, ConfigError, DataError
from archsim.network.own_code import is_code
from archsim.util.atomic_write import remove_temporary, write_whole
from archsim.util.files import is_file, read_json
from archsim.util.workers import worker_pool
from tsb.compute_device import CPU, compute_device, describe
from tsb.data import Dataset
from tsb.study.about import provenance
from tsb.study.checks import check_same_data, check_same_settings
from tsb.study.estimate import CPU_MACS_PER_S, multiply_adds
from tsb.study.load import checked_study
from tsb.study.network import graph_of, network_macs
from tsb.study.read_path import RowsOf
from tsb.study.results import missing
from tsb.study.runnable import check_runnable
from tsb.study.stored_graph import keep_graph
from tsb.study.units import BackboneUnit, MethodUnit
from tsb.study.work import dataset_of, method_unit, train_unit
from tsb.train.settings import EpochRecord

_STUDY = "study.json"
_ABOUT = "run.json"
_S_PER_h = 3600
#: From how many hours on a CPU a run says so before it begins.
_LONG_h = 1.0


@dataclass(frozen=True)
class StudyRun:
    """A study, the folder of its results, and the file or preset that it is from, if known."""

    study: Study
    folder: Path
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One piece of news from a run.

    Attributes:
        stage: ``backbones`` or ``methods``.
        unit: name of the unit.
        epoch: finished epochs of a backbone, None for a unit that is done.
        accuracy: noisy validation accuracy after that epoch.
        done: units of this stage that are finished.
        total: units of this stage.
        phase: of a unit of ``methods``, which is over; None for a unit that is done.
    """

    stage: str
    unit: str
    epoch: int | None
    accuracy: float | None
    done: int
    total: int
    phase: str | None = None


News = Callable[[Step], None]


def open_run(folder: Path | str, study: Study | None = None) -> StudyRun:
    """Open the folder of a run, or make it.

    A study may grow: methods, sigmas and seeds that are new are computed, what is there is kept.

    Args:
        folder: of the run.
        study: None takes the folder's own; else it becomes the folder's.

    Raises:
        ConfigError: an unknown name, or the folder holds results of this study's units with other
            settings.
        DataError: not a run, damaged, or it cannot be made.
    """
    place = Path(folder)
    if study is None:
        return StudyRun(_read_study(place / _STUDY), place)
    check_same_settings(checked_study(study), place)
    return _written(study, place)


def _written(study: Study, place: Path) -> StudyRun:
    """Make the folder of a run, or let its study grow."""
    path = place / _STUDY
    known = _grown(_read_study(path), study) if is_file(path) else study
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE, place, problem=f"cannot be made: {error.strerror or error}"
        ) from error
    write_whole(path, (known.model_dump_json(indent=1) + "\n").encode())
    return StudyRun(study, place)


def _grown(before: Study, now: Study) -> Study:
    """Return the study of a folder after another call: what it had stays, with what is new.

    Methods and backbones of the same name are those of now (their results, if there are any, have
    the same settings: that is checked).
    """
    names = {method.name for method in now.methods}
    methods = [method for method in before.methods if method.name not in names]
    order = {method.name: place for place, method in enumerate(before.methods)}
    methods = sorted(
        [*methods, *now.methods], key=lambda method: order.get(method.name, len(order))
    )
    return now.model_copy(
        update={
            "methods": methods,
            "backbones": {**before.backbones, **now.backbones},
            "sigma": sorted({*before.sigma, *now.sigma}),
            "seeds": sorted({*before.seeds, *now.seeds}),
            # Without one it is the first method, which stays the first.
            "baseline": before.baseline,
        }
    )


def _read_study(path: Path) -> Study:
    if not is_file(path):
        raise DataError.of(
            Code.MISSING_FILE,
            path.parent,
            problem=f"not the folder of a run (no {path.name}); archsim train makes one",
        )
    try:
        document = read_json(path)
    except ValueError as error:
        raise DataError.of(
            Code.DAMAGED_FILE, path, problem=f"not the study of a run: {error}"
        ) from error
    if not isinstance(document, dict):
        raise DataError.of(
            Code.DAMAGED_FILE, path, problem=f"not the study of a run: {type(document).__name__}"
        )
    try:
        return checked_study(validate_model(Study, document, "study"))
    except ConfigError as error:
        raise DataError(
            f"{path}: no study of this version of archsim ({__version__}): {error}\n"
            "archsim train STUDY --run ANOTHER-FOLDER makes the run anew",
            code=Code.WRONG_FILE,
            field=path,
        ) from error


def begin_run(
    folder: Path | str,
    study: Study,
    *,
    data_root: str | None = None,
    jobs: int = 1,
    device: str = "cpu",
    rows_of: RowsOf | None = None,
    news: News | None = None,
) -> StudyRun:
    """Open the folder of a run and compute whatever is missing; see :func:`run_study`.

    Nothing is written for a study that is refused.

    Args:
        folder: of the run, made if it is not there.
        study: becomes the folder's, as in :func:`open_run`.
        data_root: where the data are; None looks in the usual places and then downloads.
        jobs: processes; each uses one thread. One, if they compute on a GPU.
        device: where to compute.
        rows_of: rows that the study's chip reads together, as mapped; a function of a module, for
            other processes. None where the study has no read path.
        news: told of every epoch and unit.

    Raises:
        ArchsimError: as those two.
    """
    place = compute_device(device, jobs=jobs)
    _check(checked_study(study), Path(folder), data_root)
    run = _written(study, Path(folder))
    _compute(run, data_root, jobs, place, rows_of, news)
    return run


def run_study(
    run: StudyRun,
    *,
    data_root: str | None = None,
    jobs: int = 1,
    device: str = "cpu",
    rows_of: RowsOf | None = None,
    news: News | None = None,
) -> None:
    """Compute whatever is missing.

    Args:
        run: study and folder.
        data_root: where the data are; None looks in the usual places and then downloads.
        jobs: processes; each uses one thread. One, if they compute on a GPU.
        device: where to compute: see :func:`tsb.compute_device.compute_device`. No part of what a
            result is known by: a run may go on elsewhere, and every result says where it was made.
        rows_of: rows that the study's chip reads together, as mapped; a function of a module, for
            other processes. None where the study has no read path.
        news: told of every epoch and unit.

    Raises:
        ArchsimError: whatever is wrong with network, data or settings, before anything is trained;
            also images that are not those of the folder's results.
    """
    place = compute_device(device, jobs=jobs)
    _check(run.study, run.folder, data_root)
    _compute(run, data_root, jobs, place, rows_of, news)


def _check(study: Study, folder: Path, data_root: str | None) -> None:
    """Find what is wrong before anything is trained."""
    check_runnable(study, data_root)
    check_same_settings(study, folder)
    check_same_data(folder, dataset_of(study, data_root).content_hashes)


def _compute(
    run: StudyRun,
    data_root: str | None,
    jobs: int,
    place: torch.device,
    rows_of: RowsOf | None,
    news: News | None,
) -> None:
    study = run.study
    remove_temporary(run.folder)
    if is_code(study.network):
        keep_graph(graph_of(study), run.folder)
    backbones, methods = missing(study, run.folder)
    if not backbones and not methods:
        return
    if place.type == "cpu":
        _warn_if_long(study, [*backbones, *methods], dataset_of(study, data_root), jobs)
    begin = time.time()
    told = news or (lambda _: None)
    stages: dict[str, Sequence[BackboneUnit | MethodUnit]] = {
        "backbones": backbones,
        "methods": methods,
    }
    if jobs == 1:
        for stage, units in stages.items():
            _one_by_one(run, stage, units, data_root, told, place, rows_of)
    else:
        _in_processes(run, stages, data_root, jobs, told, rows_of)
    _write_about(run, begin, dataset_of(study, data_root).note, jobs, describe(place))


def _warn_if_long(
    study: Study, units: Sequence[BackboneUnit | MethodUnit], data: Dataset, jobs: int
) -> None:
    """Say roughly how long a large network takes on a CPU."""
    work = multiply_adds(study, units, data, network_macs(study))
    busy = min(jobs, os.cpu_count() or 1)
    hours = work / (CPU_MACS_PER_S * busy) / _S_PER_h
    if hours >= _LONG_h:
        warnings.warn(
            f"study '{study.name}': {work:.1e} multiply-adds are left, roughly {hours:.0f} hours "
            f"on a CPU with {busy} of {CPU_MACS_PER_S:.1e} a second. A GPU takes them with "
            "--device cuda; what is stopped resumes where it was",
            stacklevel=3,
        )


def _one_by_one(
    run: StudyRun,
    stage: str,
    units: Sequence[BackboneUnit | MethodUnit],
    data_root: str | None,
    told: News,
    device: torch.device,
    rows_of: RowsOf | None,
) -> None:
    for done, unit in enumerate(units):

        def progress(record: EpochRecord, at: int = done, name: str = unit.folder) -> None:
            told(
                Step(
                    stage=stage,
                    unit=name,
                    epoch=record.epoch,
                    accuracy=record.noisy_accuracy,
                    done=at,
                    total=len(units),
                )
            )

        def reached(phase: str, at: int = done, name: str = unit.folder) -> None:
            told(replace(_finished(stage, name, at, len(units)), phase=phase))

        _work(run.study, unit, run.folder, data_root, progress, device, reached, rows_of)
        told(_finished(stage, unit.folder, done + 1, len(units)))


def _finished(stage: str, unit: str, done: int, total: int) -> Step:
    return Step(stage=stage, unit=unit, epoch=None, accuracy=None, done=done, total=total)


def _in_processes(
    run: StudyRun,
    stages: Mapping[str, Sequence[BackboneUnit | MethodUnit]],
    data_root: str | None,
    jobs: int,
    told: News,
    rows_of: RowsOf | None,
) -> None:
    with worker_pool(jobs, resumes="the same command") as pool:
        for stage, units in stages.items():
            waiting: dict[Future[None], str] = {
                pool.submit(
                    _work, run.study, unit, run.folder, data_root, rows_of=rows_of
                ): unit.folder
                for unit in units
            }
            for done, future in enumerate(as_completed(waiting)):
                future.result()
                told(_finished(stage, waiting[future], done + 1, len(units)))


def _work(
    study: Study,
    unit: BackboneUnit | MethodUnit,
    folder: Path,
    data_root: str | None,
    progress: Callable[[EpochRecord], None] | None = None,
    device: torch.device = CPU,
    reached: Callable[[str], None] = lambda _: None,
    rows_of: RowsOf | None = None,
) -> None:
    if isinstance(unit, BackboneUnit):
        train_unit(study, unit, folder, data_root, progress, device=device)
    else:
        method_unit(study, unit, folder, data_root, rows_of=rows_of, device=device, reached=reached)


def _write_about(run: StudyRun, begin: float, note: str, jobs: int, computed_on: str) -> None:
    about = {
        **provenance(),
        "torch": torch.__version__,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds_of_last_call": time.time() - begin,
        "jobs": jobs,
        "computed_on": computed_on,
        "data_note": note,
    }
    write_whole(run.folder / _ABOUT, (json.dumps(about, indent=1) + "\n").encode())
