"""``archsim.report``: from a study, or the folders of runs, to the folder of a joint report."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from archsim.api.report.join import join_runs, opened, planned
from archsim.api.report.size_curves import size_curves
from archsim.api.report.write import Report, check_report_folder, write_report
from archsim.api.train import DEFAULT_STUDY, said_code
from archsim.api.train import train as train_study
from archsim.config.overrides import Overrides, as_texts
from archsim.config.resolve import device_name
from archsim.config.study import Study
from archsim.errors import Code, ConfigError, DataError
from archsim.network.own_code import check_is, check_said
from archsim.results.metrics import check_published
from archsim.results.size_curves import SizeCurves
from archsim.util.atomic_write import remove_temporary
from archsim.util.consent import saying
from archsim.util.files import is_folder
from archsim.util.lock import locked
from tsb.data.load import check_data_said
from tsb.study import StudyRun
from tsb.study.load import load_study
from tsb.study.network import graph_of
from tsb.study.run import News


def report(
    targets: str | Path | Study | Sequence[str | Path] = DEFAULT_STUDY,
    *,
    folder: str | Path | None = None,
    run: str | Path | None = None,
    chip: str | None = None,
    sweeps: Sequence[str | Path] = (),
    allow_mixed: bool = False,
    train: bool = True,
    overrides: Overrides = (),
    data_root: str | Path | None = None,
    jobs: int = 1,
    network: str | None = None,
    data: str | None = None,
    commands: Sequence[str] = (),
    news: News | None = None,
) -> Report:
    """Write the joint report of a study or of runs: what a study's run lacks is trained first.

    Args:
        targets: a study (preset name, YAML file or itself), or folders of runs, which are taken as
            they are.
        folder: of the report; None: ``report`` in that of the first run.
        run: folder of the study's run; None: ``runs/NAME``.
        chip: preset or YAML file that the designs are priced on; None: the study's.
        sweeps: folders of sweeps, for the curves along block size and bits per cell.
        allow_mixed: also runs of different devices, networks or data in one table.
        train: whether the study is trained; else what its run has is taken, be it nothing.
        overrides: ``path=value`` settings of the study, e.g. ``study.chips=4``.
        data_root: where the data lie; None looks in the usual places and then downloads.
        jobs: processes of the training.
        network: of the study or a run; must be said where it is ``package.module:function`` and
            only a file names it, unless the folder of the run keeps its layers.
        data: of the study that is trained; must be said likewise.
        commands: that make the report, for the page.
        news: told of every step of training, mapping and writing.

    Raises:
        ArchsimError: whatever is wrong with study, runs, sweeps or folder.
    """
    curves = [size_curves(each) for each in sweeps]
    settings = as_texts(overrides)
    runs = _runs(targets, run, settings, train)
    _check_sweeps(runs, curves, allow_mixed)
    _check_network(network, runs)
    check_is(data, runs[0].study.data, runs[0].folder, "data")
    place = runs[0].folder / "report" if folder is None else Path(folder)
    for study_run in runs:
        check_published(study_run.study)
        study_run.study.model_copy(update={"chip": chip or study_run.study.chip}).resolve()
    asked = targets if isinstance(targets, Study) else None
    trains = train and not _are_runs(targets)
    with ExitStack() as locks:
        if trains:
            locks.enter_context(locked(runs[0].folder, option="--run"))
        locks.enter_context(locked(place, option="--folder"))
        locks.enter_context(saying(said_code(asked, settings, network, data)))
        check_report_folder(place)
        remove_temporary(place)
        return _written(
            runs, place, curves,
            chip=chip, allow_mixed=allow_mixed, train=trains, data_root=data_root, jobs=jobs,
            commands=commands, news=news,
        )  # fmt: skip


def _check_network(network: str | None, runs: Sequence[StudyRun]) -> None:
    """Refuse a network that was said and is of none of the runs."""
    others = [run for run in runs if run.study.network != network]
    if len(others) == len(runs):
        check_is(network, runs[0].study.network, runs[0].folder)


def _written(
    runs: list[StudyRun],
    place: Path,
    curves: Sequence[SizeCurves],
    *,
    chip: str | None,
    allow_mixed: bool,
    train: bool,
    data_root: str | Path | None,
    jobs: int,
    commands: Sequence[str],
    news: News | None,
) -> Report:
    """Train what is missing, join and write."""
    for study_run in runs:  # before hours of work
        graph_of(study_run.study, study_run.folder)
    if train:
        for study_run in runs:
            check_said(study_run.study.network)
            check_data_said(study_run.study.data)
        runs = [
            train_study(
                study_run.study,
                out=study_run.folder,
                data_root=data_root,
                jobs=jobs,
                priced_on=chip,
                news=news,
            )
            for study_run in runs
        ]
    result = join_runs(runs, chip=chip, allow_mixed=allow_mixed, news=news)
    return write_report(result, place, runs=runs, commands=commands, curves=curves, news=news)


def _listed(targets: str | Path | Study | Sequence[str | Path]) -> list[str | Path | Study]:
    return [targets] if isinstance(targets, str | Path | Study) else list(targets)


def _are_runs(targets: str | Path | Study | Sequence[str | Path]) -> bool:
    """Whether all targets are folders of runs."""
    return all(
        not isinstance(target, Study) and is_folder(Path(target)) for target in _listed(targets)
    )


def _runs(
    targets: str | Path | Study | Sequence[str | Path],
    folder: str | Path | None,
    overrides: list[str],
    train: bool,
) -> list[StudyRun]:
    """Return studies with their folders, before anything is trained."""
    listed = _listed(targets)
    if _are_runs(targets):
        if folder is not None or overrides:
            raise ConfigError(
                f"{listed[0]} is the folder of a run: its settings are its own; allowed: a study "
                "with --run and --set",
                code=Code.CONFLICT,
                field=listed[0],
                value=overrides or folder,
                allowed="a study with --run and --set",
            )
        return [opened(target) for target in listed if not isinstance(target, Study)]
    if len(listed) > 1:
        wrong = next(
            target for target in listed if isinstance(target, Study) or not is_folder(Path(target))
        )
        raise DataError(
            f"{wrong}: not the folder of a run; allowed: folders of archsim train",
            code=Code.MISSING_FILE,
            field=wrong,
        )
    asked = listed[0]
    if not isinstance(asked, Study) and _is_lost_folder(str(asked)):
        raise DataError(
            f"{asked}: there is no such folder; allowed: the folder of a run, or a study by its "
            "name or YAML file",
            code=Code.MISSING_FILE,
            field=asked,
        )
    study = asked if isinstance(asked, Study) else load_study(str(asked), overrides)
    if train:
        place = Path("runs") / study.name if folder is None else Path(folder)
        return [StudyRun(study, place)]
    source = "" if overrides or isinstance(asked, Study) else str(asked)
    return [replace(planned(study, folder), source=source)]


def _is_lost_folder(asked: str) -> bool:
    """Whether a word can only mean a folder, and none is there."""
    path = Path(asked)
    return len(path.parts) > 1 and path.suffix not in (".yaml", ".yml", ".json")


def _check_sweeps(
    runs: Sequence[StudyRun], curves: Sequence[SizeCurves], allow_mixed: bool
) -> None:
    """Refuse sweeps of another network or device beside the designs of a report."""
    if allow_mixed:
        return
    here = {
        "network": {run.study.network for run in runs},
        "device": {device_name(device=run.study.device) for run in runs},
    }
    for sweep_curves in curves:
        for what, there in (("network", sweep_curves.networks), ("device", sweep_curves.devices)):
            others = set(there) - here[what]
            if others:
                ours = ", ".join(sorted(here[what]))
                raise ConfigError(
                    f"{sweep_curves.folder}: a sweep of {what} {', '.join(sorted(others))}, "
                    f"the report is of {what} {ours}; allowed: a sweep of the same {what}, or "
                    "--allow-mixed",
                    code=Code.CONFLICT,
                    field=sweep_curves.folder,
                    value=sorted(others),
                    allowed=(ours, "--allow-mixed"),
                )
