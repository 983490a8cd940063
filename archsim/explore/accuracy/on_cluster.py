"""Accuracies on a Dask cluster: the study of a case is a task, its run comes back as files.

Workers share no folder with this process: they are sent the backbones that there are, and give back
what they made. A backbone that cases have in common is trained by one of them, before the others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from archsim.analysis.row_groups import rows_of_study
from archsim.config.checked import validate_model
from archsim.config.study import Study
from archsim.errors import Code, ConfigError, DataError
from archsim.explore.accuracy.backbones import Backbones
from archsim.explore.accuracy.case_study import run_folder
from archsim.explore.run import executors
from archsim.util.atomic_write import write_whole
from archsim.util.consent import said, saying
from tsb.data import Dataset
from tsb.study.load import checked_study
from tsb.study.results import backbone_folder
from tsb.study.run import open_run, run_study
from tsb.study.units import backbone_units
from tsb.study.work import RESULT, dataset_of

#: Files of a run by their path below it.
Files = dict[str, bytes]
#: A study, and the folder of its run in the cache.
Case = tuple[Study, Path]


def train_on_cluster(
    scheduler: str,
    cases: Sequence[Case],
    *,
    data_root: str | None,
    may_begin: Callable[[], bool],
) -> Iterator[int]:
    """Run the studies of cases on a cluster, and put what they made into their folders.

    Args:
        scheduler: address of the Dask scheduler.
        cases: which; they are sent in this order.
        data_root: where the data lie, here and on the workers.
        may_begin: asked before a case is sent.

    Yields:
        Places of cases that are done, in the order in which they end.

    Raises:
        ArchsimError: the cluster is not there, or not alike; data or network do not fit.
    """
    client = executors.connect(scheduler)
    try:
        for wave in _waves(cases, data_root):
            calls = _calls(cases, wave, data_root, may_begin)
            for place, files in executors.on_cluster(client, run_case, calls):
                _received(cases[place], files, data_root)
                yield place
    finally:
        client.close()


def _waves(cases: Sequence[Case], data_root: str | None) -> Iterator[list[int]]:
    """Yield the cases that train a backbone or need none, and then those that wait for one."""
    claimed: set[Path] = set()
    first: list[int] = []
    later: list[int] = []
    for place, (study, folder) in enumerate(cases):
        data, backbones = dataset_of(study, data_root), Backbones(folder.parent)
        wanted = {
            backbones.place(study, unit, data)
            for unit in backbone_units(study)
            if not backbones.known(study, unit, data)
        }
        (later if wanted & claimed else first).append(place)
        claimed |= wanted
    yield first
    if later:
        yield later


def _calls(
    cases: Sequence[Case],
    wave: Sequence[int],
    data_root: str | None,
    may_begin: Callable[[], bool],
) -> Iterator[tuple[str, int, Files]]:
    for place in wave:
        if not may_begin():
            return
        study, folder = cases[place]
        data = dataset_of(study, data_root)
        folder.parent.mkdir(parents=True, exist_ok=True)
        Backbones(folder.parent).lend(study, folder, data)
        about = {
            "study": study.model_dump(mode="json"),
            "run": folder.name,
            "torch": torch.__version__,
            "images": dict(data.content_hashes),
            "data_root": data_root,
            "code": sorted(said()),
        }
        held = [backbone_folder(folder, unit) for unit in backbone_units(study)]
        yield json.dumps(about), place, _files(folder, held)


def run_case(description: str, place: int, sent: Files) -> tuple[int, Files]:
    """Run the study of a case, in whatever process.

    Args:
        description: study, and what must be alike here.
        place: of the case among all.
        sent: files of its backbones.

    Returns:
        The place, and the files that are new.

    Raises:
        ConfigError: this process has another version, other presets or other images.
    """
    about = json.loads(description)
    with saying(about["code"]), TemporaryDirectory(prefix="archsim-") as made:
        study = checked_study(validate_model(Study, about["study"], "study"))
        folder = Path(made) / about["run"]
        data = dataset_of(study, about["data_root"])
        _check_alike(about, run_folder(study, Path(made)).name, data)
        _write(folder, sent)
        run = open_run(folder, study)
        run_study(run, data_root=about["data_root"], jobs=1, rows_of=rows_of_study)
        files = _files(folder, [folder])
    return place, {name: content for name, content in files.items() if name not in sent}


def _check_alike(about: Mapping[str, object], run: str, data: Dataset) -> None:
    """Refuse a worker that would measure something else."""
    here = {"torch": torch.__version__, "run": run, "images": dict(data.content_hashes)}
    for key, said_of in (
        ("torch", "PyTorch"),
        ("run", "archsim or other presets (hash of the run)"),
        ("images", "images"),
    ):
        if here[key] != about[key]:
            raise ConfigError(
                f"this worker has another version of {said_of}: {here[key]}, not {about[key]}; "
                "install the same",
                code=Code.CONFLICT,
                field=key,
                value=str(here[key]),
                allowed=str(about[key]),
            )


def _received(case: Case, files: Files, data_root: str | None) -> None:
    """Put what a worker made into the folder of a case; what is there stays."""
    study, folder = case
    open_run(folder, study)
    new = {name: content for name, content in files.items() if not (folder / name).is_file()}
    _write(folder, new)
    Backbones(folder.parent).keep(study, folder, dataset_of(study, data_root))


def _files(folder: Path, below: Sequence[Path]) -> Files:
    found = [path for place in below for path in sorted(place.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _write(folder: Path, files: Files) -> None:
    """Write files, results last: a unit without one is not there.

    Raises:
        DataError: a name that leads out of the folder, or a full disk.
    """
    for name in sorted(files, key=lambda name: (Path(name).name == RESULT, name)):
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise DataError.of(Code.WRONG_FORM, name, problem="leads out of the folder of a run")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, files[name])
