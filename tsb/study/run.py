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
from archsim.config.resolve import validate_model
from archsim.config.study import Method, Study
from archsim.errors import Code, ConfigError, DataError, close_matches
from archsim.util.atomic_write import write_whole
from archsim.util.files import is_file, read_json
from archsim.util.workers import worker_pool
from tsb.cells.quantize import mapped_weights
from tsb.compute_device import CPU, compute_device, describe
from tsb.data import Dataset
from tsb.study.about import provenance
from tsb.study.checks import check_same_data, check_same_settings
from tsb.study.conditions import beyond_retention, conditions_of
from tsb.study.corrections import corrections_of
from tsb.study.estimate import CPU_MACS_PER_S, multiply_adds
from tsb.study.load import checked_study
from tsb.study.network import graph_of, module_of, network_macs
from tsb.study.programming import cell_model, write_choice
from tsb.study.results import missing
from tsb.study.units import BackboneUnit, MethodUnit, check_names
from tsb.study.work import dataset_of, method_unit, train_unit
from tsb.train.backbone_loss import NeftOvf
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
    path = place / _STUDY
    if study is None:
        return StudyRun(_read_study(path), place)
    checked_study(study)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE, place, problem=f"cannot be made: {error.strerror or error}"
        ) from error
    run = StudyRun(study, place)
    check_same_settings(study, place)
    known = _grown(_read_study(path), study) if is_file(path) else study
    write_whole(path, (known.model_dump_json(indent=1) + "\n").encode())
    return run


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


def run_study(
    run: StudyRun,
    *,
    data_root: str | None = None,
    jobs: int = 1,
    device: str = "cpu",
    news: News | None = None,
) -> None:
    """Compute whatever is missing.

    Args:
        run: study and folder.
        data_root: where the data are; None looks in the usual places and then downloads.
        jobs: processes; each uses one thread. One, if they compute on a GPU.
        device: where to compute: see :func:`tsb.compute_device.compute_device`. No part of what a
            result is known by: a run may go on elsewhere, and every result says where it was made.
        news: told of every epoch and unit.

    Raises:
        ArchsimError: whatever is wrong with network, data or settings, before anything is trained;
            also images that are not those of the folder's results.
    """
    place = compute_device(device, jobs=jobs)
    study = run.study
    _check(study, data_root)
    check_same_data(run.folder, dataset_of(study, data_root).content_hashes)
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
            _one_by_one(run, stage, units, data_root, told, place)
    else:
        _in_processes(run, stages, data_root, jobs, told)
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
            "--device cuda; what is stopped goes on where it was",
            stacklevel=3,
        )


def _check(study: Study, data_root: str | None) -> None:
    """Find what is wrong before hours of work."""
    from tsb.correction import make_carrier
    from tsb.correction.corrected import attach_all

    check_names(study)
    data = dataset_of(study, data_root)
    model, graph = module_of(study), graph_of(study)
    shape = tuple(data.train.images.shape[1:])
    wanted = getattr(model, "input_shape", shape)
    if tuple(wanted) != shape:
        raise ConfigError(
            f"study.data = '{study.data}' has images of {shape}, study.network = "
            f"'{study.network}' takes {tuple(wanted)}",
            code=Code.SHAPE_MISMATCH,
            field="study.data",
            value=study.data,
        )
    classes = getattr(model, "num_classes", data.num_classes)
    if classes != data.num_classes:
        raise ConfigError(
            f"study.data = '{study.data}' has {data.num_classes} classes, study.network = "
            f"'{study.network}' {classes}; set study.options.num_classes",
            code=Code.SHAPE_MISMATCH,
            field="study.data",
            value=study.data,
        )
    cell_model(study, study.sigma[0])
    conditions_of(study)
    if beyond_retention(study):
        warnings.warn(beyond_retention(study), stacklevel=3)
    _check_sizes(study, data)
    layers = mapped_weights(model)
    for method in study.methods:
        _check_layers(study, method, tuple(layers))
        corrections = corrections_of(study, method)
        attach_all(corrections, make_carrier(model, graph, rule=study.insertion))


def _check_sizes(study: Study, data: Dataset) -> None:
    """Find batches and subsets that the data cannot fill, and noise beyond the range."""
    sizes = {"tuning.batch_size": (study.tuning.batch_size, len(data.train))}
    for name, backbone in study.backbones.items():
        sizes[f"backbones.{name}.batch_size"] = (backbone.batch_size, len(data.train))
        for sigma in study.sigma if backbone.sigma is None else [backbone.sigma]:
            if backbone.objective == "neft-ovf" and sigma + max(NeftOvf().extra_sigmas) > 1:
                raise ConfigError(
                    f"study.backbones.{name}: neft-ovf adds up to {max(NeftOvf().extra_sigmas):g} "
                    f"to sigma = {sigma:g}; allowed: 1 together, the whole range",
                    code=Code.OUT_OF_RANGE,
                    field=f"study.backbones.{name}",
                    value=sigma,
                    allowed="1 together",
                )
    if study.images_per_run is not None:
        sizes["images_per_run"] = (study.images_per_run, len(data.test))
    for key, (asked, there) in sizes.items():
        if asked > there:
            raise ConfigError(
                f"study.{key} = {asked}; allowed: 1 to {there}, the images there are",
                code=Code.OUT_OF_RANGE,
                field=f"study.{key}",
                value=asked,
                allowed=f"1 to {there}",
            )


def _check_layers(study: Study, method: Method, names: tuple[str, ...]) -> None:
    """Find layers of a method that the network has not."""
    for name in method.copies:
        if name not in names:
            raise ConfigError(
                f"study.methods: copies of '{name}' in '{method.name}': '{study.network}' has no "
                f"such weight; allowed: {', '.join(names)}.{close_matches(name, names)}",
                code=Code.UNKNOWN_NAME,
                field="study.methods.copies",
                value=name,
                allowed=tuple(names),
            )
    choice = write_choice(method)
    if "last_layers" in choice.policy.takes and choice.last_layers > len(names):
        raise ConfigError(
            f"study.methods: last_layers = {method.last_layers} in '{method.name}'; allowed: 1 to "
            f"{len(names)}, the layers of '{study.network}'",
            code=Code.OUT_OF_RANGE,
            field="study.methods.last_layers",
            value=method.last_layers,
            allowed=f"1 to {len(names)}",
        )


def _one_by_one(
    run: StudyRun,
    stage: str,
    units: Sequence[BackboneUnit | MethodUnit],
    data_root: str | None,
    told: News,
    device: torch.device,
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

        _work(run.study, unit, run.folder, data_root, progress, device, reached)
        told(_finished(stage, unit.folder, done + 1, len(units)))


def _finished(stage: str, unit: str, done: int, total: int) -> Step:
    return Step(stage=stage, unit=unit, epoch=None, accuracy=None, done=done, total=total)


def _in_processes(
    run: StudyRun,
    stages: Mapping[str, Sequence[BackboneUnit | MethodUnit]],
    data_root: str | None,
    jobs: int,
    told: News,
) -> None:
    with worker_pool(jobs, resumes="the same command") as pool:
        for stage, units in stages.items():
            waiting: dict[Future[None], str] = {
                pool.submit(_work, run.study, unit, run.folder, data_root): unit.folder
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
) -> None:
    if isinstance(unit, BackboneUnit):
        train_unit(study, unit, folder, data_root, progress, device=device)
    else:
        method_unit(study, unit, folder, data_root, device=device, reached=reached)


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
