"""The joint result of a study: what its run measured, and what its designs cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsim import __version__
from archsim.api.map import map_network
from archsim.api.report.hardware import hardware_of, map_command
from archsim.api.report.published import published_of
from archsim.config.load import Setting
from archsim.config.study import Method, Study
from archsim.device import encoding_note
from archsim.errors import Code, ConfigError, DataError
from archsim.network import LayerGraph
from archsim.results.mapped import MapResult
from archsim.results.method_row import MethodRow
from archsim.results.recommend import is_candidate, leaders, with_choice
from archsim.results.report import JointDesign, JointResult
from archsim.util.files import is_file, read_json
from tsb.study import StudyRun, open_run
from tsb.study.behind import behind
from tsb.study.checks import check_same_settings
from tsb.study.citations import citations_of
from tsb.study.commands import train_command
from tsb.study.load import load_study
from tsb.study.method_line import method_line
from tsb.study.network import graph_of
from tsb.study.programming import cell_spec
from tsb.study.results import method_rows, missing, seed_results
from tsb.study.run import News, Step
from tsb.study.seed_result import SeedResult

#: A run: its folder, or a study with the folder of its run, which need not be there.
Run = str | Path | StudyRun
#: Units of a run that are named before the rest is counted.
_MOST_NAMES = 4
#: Results of every seed of a method: folder of the run, method, sigma.
_Seeds = Mapping[tuple[str, str, float], Sequence[SeedResult]]


def opened(run: Run) -> StudyRun:
    """Return a study and the folder of its run.

    Args:
        run: folder, or both; a folder that was never made is a run in which nothing is finished.

    Raises:
        DataError: not the folder of a run, or of a version that this one cannot read.
    """
    if isinstance(run, StudyRun):
        return run
    return open_run(run)


def planned(study: str | Study, folder: str | Path | None = None) -> StudyRun:
    """Return a study as it is, with what its folder has of it; nothing is trained or written.

    Args:
        study: preset name, YAML file or the study itself.
        folder: of its run; None: ``runs/NAME`` in the working directory.

    Raises:
        ConfigError: no such study, or the folder has results of it with other settings.
        DataError: the folder is another study's.
    """
    asked = study if isinstance(study, Study) else load_study(study)
    place = Path("runs") / asked.name if folder is None else Path(folder)
    if is_file(place / "study.json"):
        before = open_run(place).study
        if before.name != asked.name:
            raise DataError(
                f"{place}: the run of study '{before.name}', not of '{asked.name}'; "
                "give another --run",
                code=Code.WRONG_FILE,
                field=place,
                value=before.name,
                allowed=asked.name,
            )
        check_same_settings(asked, place)
    return StudyRun(asked, place)


def join(run: Run, *, chip: str | None = None, news: News | None = None) -> JointResult:
    """Put the accuracy of a study's run beside the cost of its designs.

    Methods that the run has no result for stand there with their cost alone.

    Args:
        run: folder of ``archsim train``, or what :func:`planned` returns.
        chip: preset or YAML file that the designs are priced on; None: the study's.
        news: told of every method that is mapped.

    Raises:
        DataError: not a run, or its results are damaged or of another version.
        ConfigError: a chip that does not fit the study's device.
    """
    run = opened(run)
    study = run.study
    measured = _measured(run)
    mapper = _Mapper(run, chip or study.chip, news or (lambda _: None))
    designs: list[JointDesign] = []
    points = [(sigma, method) for sigma in study.sigma for method in study.methods]
    for done, (sigma, method) in enumerate(points):
        row = measured.get((method.name, sigma), MethodRow(method=method.name, sigma=sigma))
        designs += mapper.designs(method, sigma, row)
        mapper.told(
            Step(
                stage="map",
                unit=f"{method.name}, sigma {sigma:g}",
                epoch=None,
                accuracy=None,
                done=done + 1,
                total=len(points),
            )
        )
    return JointResult(
        study.name,
        study.network,
        study.device,
        _compared(designs, _seeds([run])),
        gaps=_gaps(run),
        published=published_of(study, measured),
        sources=citations_of(study),
    )


def _measured(run: StudyRun) -> dict[tuple[str, float], MethodRow]:
    """Return the rows of a run by method and sigma.

    Raises:
        DataError: results that this version cannot read; with the command that makes them anew.
    """
    rows = with_choice(method_rows(run.study, run.folder))
    return {(row.method, row.sigma): row.without_nan() for row in rows}


def _seeds(runs: Sequence[StudyRun]) -> _Seeds:
    """Return the results of runs by folder, method and sigma, one per seed."""
    seeds: dict[tuple[str, str, float], list[SeedResult]] = {}
    for run in runs:
        for result in seed_results(run.study, run.folder):
            seeds.setdefault((str(run.folder), result.method, result.sigma), []).append(result)
    return seeds


def read_about(run: StudyRun) -> dict[str, Any]:
    """Return what a run says of how it was made, nothing where it says nothing.

    Args:
        run: which.
    """
    try:
        about = read_json(run.folder / "run.json")
    except (DataError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _gaps(run: StudyRun) -> tuple[str, ...]:
    """Say which results of a run are not there or of another version, and what makes them."""
    about = read_about(run)
    made_by = about.get("archsim", __version__)
    other: tuple[str, ...] = ()
    if not about and is_file(run.folder / "run.json"):
        other = (f"{run.folder / 'run.json'}: damaged: which version made the run is not known.",)
    if made_by != __version__:
        other = (
            f"{run.folder}: made by archsim {made_by}, this is {__version__}: accuracies are of "
            f"that version, costs of this one; {_train_command(run, anew=True)} makes them anew.",
        )
    return (*other, *_lacking(run))


def _lacking(run: StudyRun) -> tuple[str, ...]:
    backbones, methods = missing(run.study, run.folder)
    if not methods:
        return ()
    whole = len(run.study.methods) * len(run.study.sigma) * len(run.study.seeds)
    if len(methods) == whole:
        is_begun = is_file(run.folder / "study.json")
        trained = "nothing of it is finished" if is_begun else "there is no run yet"
        return (f"{run.folder}: {trained}; {_train_command(run)} measures the accuracies.",)
    names = [*(unit.folder for unit in backbones), *(unit.folder for unit in methods)]
    more = len(names) - _MOST_NAMES
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{run.folder}: {len(methods)} of {whole} results are missing ({listed}); "
        f"{_train_command(run)} goes on with them.",
    )


def _train_command(run: StudyRun, *, anew: bool = False) -> str:
    return train_command(run.study, run.folder, source=run.source, anew=anew)


class _Mapper:
    """Prices the methods of one study, each distinct design once."""

    def __init__(self, run: StudyRun, chip: str, told: News) -> None:
        self.run, self.chip, self.told = run, chip, told
        self.graph: LayerGraph = graph_of(run.study, run.folder)
        self.known: dict[tuple[str, tuple[Setting, ...]], MapResult] = {}
        self.priced_study = run.study.model_copy(update={"chip": chip})

    def designs(self, method: Method, sigma: float, measured: MethodRow) -> list[JointDesign]:
        """Return the placements of a method."""
        study = self.run.study
        if not method.corrections and measured.tune_seconds is not None:
            measured = replace(measured, tune_seconds=0.0)  # of a call that trains nothing
        hardware = hardware_of(self.priced_study, method, sigma)
        spec = cell_spec(study, sigma)
        stored = self.priced_study.resolve().chip.precision.encoding
        designs = []
        for placement in hardware.designs:
            mapped, command = None, ""
            if hardware.overrides is not None:
                mapped = self._map(placement, hardware.overrides)
                command = map_command(study, placement, self.chip, hardware.overrides)
            designs.append(
                JointDesign(
                    method=method.name,
                    sigma=sigma,
                    placement=placement,
                    measured=measured,
                    mapped=mapped,
                    base=method.name == study.baseline_name,
                    notes=hardware.notes,
                    run=str(self.run.folder),
                    device=study.device,
                    network=study.network,
                    data=study.data,
                    chip=self.chip,
                    encoding=spec.encoding,
                    chip_encoding=stored,
                    encoding_note=encoding_note(spec.weight_format, stored),
                    command=command,
                    about=method_line(study, method),
                )
            )
        return designs

    def _map(self, placement: str, overrides: tuple[Setting, ...]) -> MapResult:
        key = (placement, overrides)
        if key not in self.known:
            self.known[key] = map_network(
                self.graph,
                design=placement,
                chip=self.chip,
                device=self.run.study.device,
                overrides=overrides,
            )
        return self.known[key]


def _compared(designs: Sequence[JointDesign], seeds: _Seeds) -> tuple[JointDesign, ...]:
    """Say of every candidate how far it is behind the best one on the validation images.

    Args:
        designs: of all runs.
        seeds: results of all runs.
    """
    best = leaders(designs)
    return tuple(
        replace(
            design,
            behind=behind(
                seeds[_seed_key(best[design.case])],
                seeds[_seed_key(design)],
                same_chips=best[design.case].run == design.run,
            ),
        )
        if is_candidate(design)
        else design
        for design in designs
    )


def _seed_key(design: JointDesign) -> tuple[str, str, float]:
    return design.run, design.measured.method, design.sigma


def join_runs(
    runs: Sequence[Run],
    *,
    chip: str | None = None,
    allow_mixed: bool = False,
    news: News | None = None,
) -> JointResult:
    """Put several runs into one table.

    Args:
        runs: folders of ``archsim train``, or what :func:`planned` returns.
        chip: preset or YAML file that the designs are priced on; None: that of each study.
        allow_mixed: also runs of different devices, networks or data; every row then names its own.
        news: told of every method that is mapped.

    Raises:
        ConfigError: no run, or runs that do not belong into one table.
        DataError: as :func:`join`.
    """
    if not runs:
        raise ConfigError("no run; give the folder of archsim train", code=Code.EMPTY, field="runs")
    whole = [opened(run) for run in runs]
    alike = ["device", "network", "data", "bits_per_cell", "weight_bits", "encoding", "read_path"]
    for name in alike if chip is not None else [*alike, "chip"]:
        values = [getattr(run.study, name) for run in whole]
        if len(set(values)) > 1 and not allow_mixed:
            listed = ", ".join(f"{run.folder}: {v}" for run, v in zip(whole, values, strict=True))
            raise ConfigError(
                f"{name} differs ({listed}); allowed: runs of the same {name}, or --allow-mixed",
                code=Code.CONFLICT,
                field=name,
                value=values,
                allowed="--allow-mixed",
            )
    results = [join(run, chip=chip, news=news) for run in whole]
    if len(results) == 1:
        return results[0]
    names = _short_names([run.folder for run in whole])
    designs = [
        replace(design, method=f"{name} / {design.method}")
        for name, result in zip(names, results, strict=True)
        for design in result.designs
    ]
    return JointResult(
        " and ".join(dict.fromkeys(result.name for result in results)),
        " and ".join(dict.fromkeys(result.network for result in results)),
        " and ".join(dict.fromkeys(result.device for result in results)),
        _compared(designs, _seeds(whole)),
        gaps=tuple(line for result in results for line in result.gaps),
        published=tuple(dict.fromkeys(each for result in results for each in result.published)),
        sources=tuple(dict.fromkeys(each for result in results for each in result.sources)),
    )


def _short_names(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of paths that tell them apart."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(names):
            return names
    raise ConfigError(
        f"{folders[0]}: the same run is given twice; allowed: each once",
        code=Code.GIVEN_TWICE,
        field=folders[0],
    )
