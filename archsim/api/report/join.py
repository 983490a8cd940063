"""The joint result of a study: what its run measured, and what its designs cost."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsim import __version__
from archsim.api.map import map_network
from archsim.api.report.hardware import hardware_of, map_command
from archsim.api.report.published import published_of
from archsim.config.load import Setting, preset_names
from archsim.config.resolve import DEFAULT_CHIP
from archsim.config.study import Method, Study
from archsim.errors import ConfigError, DataError
from archsim.network import LayerGraph
from archsim.results.mapped import MapResult
from archsim.results.report import JointDesign, JointResult
from tsb.study import StudyRun, open_run, summarise, with_choice
from tsb.study.behind import behind
from tsb.study.checks import check_same_settings
from tsb.study.citations import citations_of
from tsb.study.load import load_study
from tsb.study.method_line import method_line
from tsb.study.network import graph_of
from tsb.study.results import method_rows, missing
from tsb.study.run import News, Step

#: A run: its folder, or a study with the folder of its run, which need not be there.
Run = str | Path | StudyRun
#: Units of a run that are named before the rest is counted.
_MOST_NAMES = 4
_Row = dict[str, Any]


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
    own = study if isinstance(study, Study) else load_study(study)
    place = Path("runs") / own.name if folder is None else Path(folder)
    if (place / "study.json").is_file():
        before = open_run(place).study
        if before.name != own.name:
            raise DataError(
                f"{place}: the run of study '{before.name}', not of '{own.name}'; "
                "give another --run"
            )
        check_same_settings(own, place)
    return StudyRun(own, place)


def join(run: Run, *, chip: str | None = None, news: News | None = None) -> JointResult:
    """Put the accuracy of a study's run beside the cost of its designs.

    Methods that the run has no result for stand there with their cost alone.

    Args:
        run: folder of ``archsim train``, or what :func:`planned` returns.
        chip: preset or YAML file; None: the default chip.
        news: told of every method that is mapped.

    Raises:
        DataError: not a run, or its results are damaged or of another version.
        ConfigError: a chip that does not fit the study's device.
    """
    own = opened(run)
    measured, results = _measured(own)
    mapper = _Mapper(own, chip or DEFAULT_CHIP, news or (lambda _: None))
    designs: list[JointDesign] = []
    units = [(sigma, method) for sigma in own.study.sigma for method in own.study.methods]
    for done, (sigma, method) in enumerate(units):
        row = measured.get((method.name, sigma), {"method": method.name, "sigma": sigma})
        designs += mapper.designs(method, sigma, row)
        mapper.told(
            Step(
                stage="map",
                unit=f"{method.name}, sigma {sigma:g}",
                epoch=None,
                accuracy=None,
                done=done + 1,
                total=len(units),
            )
        )
    return JointResult(
        own.study.name,
        own.study.network,
        own.study.device,
        _compared(designs, [results], [0] * len(designs)),
        gaps=_gaps(own),
        published=published_of(own.study, measured),
        sources=citations_of(own.study),
    )


def _measured(run: StudyRun) -> tuple[dict[tuple[str, float], _Row], dict[Any, list[_Row]]]:
    """Return the rows of a run, and its results by method and sigma, one per seed.

    Raises:
        DataError: results that this version cannot read; with the command that makes them anew.
    """
    try:
        frame = summarise(run.study, run.folder)
        results: dict[tuple[str, float], list[_Row]] = {}
        for row in method_rows(run.study, run.folder):
            results.setdefault((row["method"], row["sigma"]), []).append(row)
    except KeyError as error:
        raise DataError(
            f"{run.folder}: a result.json has no {error}: it is not of this version of archsim "
            f"({__version__}); {train_command(run, anew=True)} makes the results anew"
        ) from error
    if frame.empty:
        return {}, results
    rows = with_choice(frame).astype(object).to_dict("records")
    return {
        (str(row["method"]), float(row["sigma"])): {
            str(key): None if value != value else value for key, value in row.items()
        }
        for row in rows
    }, results


def train_command(run: StudyRun, *, anew: bool = False) -> str:
    """Return the command that works out what a run lacks.

    Args:
        run: which.
        anew: into another folder.
    """
    folder = "ANOTHER-FOLDER" if anew else shlex.quote(str(run.folder))
    return f"archsim train {_study_name(run)} --run {folder}"


def is_preset(study: Study) -> bool:
    """Whether a study is the one that its name stands for on the command line.

    Args:
        study: which.
    """
    return study.name in preset_names("study") and load_study(study.name) == study


def _study_name(run: StudyRun) -> str:
    """Return what names a study on the command line: its preset, or the file in its run."""
    if is_preset(run.study):
        return run.study.name
    own = run.folder / "study.json"
    return shlex.quote(str(own) if own.is_file() else run.source or "STUDY.yaml")


def read_about(run: StudyRun) -> dict[str, Any]:
    """Return what a run says of how it was made, nothing where it says nothing.

    Args:
        run: which.
    """
    try:
        found = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _gaps(run: StudyRun) -> tuple[str, ...]:
    """Say which results of a run are not there or of another version, and what makes them."""
    about = read_about(run)
    made_by = about.get("archsim", __version__)
    other: tuple[str, ...] = ()
    if not about and (run.folder / "run.json").is_file():
        other = (f"{run.folder / 'run.json'}: damaged: which version made the run is not known.",)
    if made_by != __version__:
        other = (
            f"{run.folder}: made by archsim {made_by}, this is {__version__}: accuracies are of "
            f"that version, costs of this one; {train_command(run, anew=True)} makes them anew.",
        )
    return (*other, *_lacking(run))


def _lacking(run: StudyRun) -> tuple[str, ...]:
    backbones, methods = missing(run.study, run.folder)
    if not methods:
        return ()
    whole = len(run.study.methods) * len(run.study.sigma) * len(run.study.seeds)
    if len(methods) == whole:
        is_begun = (run.folder / "study.json").is_file()
        trained = "nothing of it is finished" if is_begun else "there is no run yet"
        return (f"{run.folder}: {trained}; {train_command(run)} measures the accuracies.",)
    names = [*(unit.folder for unit in backbones), *(unit.folder for unit in methods)]
    more = len(names) - _MOST_NAMES
    listed = ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return (
        f"{run.folder}: {len(methods)} of {whole} results are missing ({listed}); "
        f"{train_command(run)} goes on with them.",
    )


class _Mapper:
    """Prices the methods of one study, each distinct design once."""

    def __init__(self, run: StudyRun, chip: str, told: News) -> None:
        self.run, self.chip, self.told = run, chip, told
        self.graph: LayerGraph = graph_of(run.study)
        self.known: dict[tuple[str, tuple[Setting, ...]], MapResult] = {}

    def designs(self, method: Method, sigma: float, measured: _Row) -> list[JointDesign]:
        """Return the placements of a method."""
        study = self.run.study
        if not method.corrections and measured.get("tune_seconds") is not None:
            measured = {**measured, "tune_seconds": 0.0}  # the time of a call that trains nothing
        hardware = hardware_of(study, method, sigma)
        found = []
        for design in hardware.designs:
            mapped, command = None, ""
            if hardware.overrides is not None:
                mapped = self._map(design, hardware.overrides)
                command = map_command(study, design, self.chip, hardware.overrides)
            found.append(
                JointDesign(
                    method=method.name,
                    sigma=sigma,
                    design=design,
                    measured=measured,
                    mapped=mapped,
                    base=method.name == study.baseline_name,
                    chosen=bool(measured.get("chosen")),
                    notes=hardware.notes,
                    run=str(self.run.folder),
                    device=study.device,
                    network=study.network,
                    data=study.data,
                    command=command,
                    about=method_line(study, method),
                )
            )
        return found

    def _map(self, design: str, overrides: tuple[Setting, ...]) -> MapResult:
        key = (design, overrides)
        if key not in self.known:
            self.known[key] = map_network(
                self.graph,
                design=design,
                chip=self.chip,
                device=self.run.study.device,
                overrides=overrides,
            )
        return self.known[key]


def _compared(
    designs: Sequence[JointDesign],
    results: Sequence[dict[tuple[str, float], list[_Row]]],
    run_of: Sequence[int],
) -> tuple[JointDesign, ...]:
    """Say of every priced design how far it is behind the best one on the validation images.

    Args:
        designs: of all runs.
        results: of each run: of every method and sigma, one per seed.
        run_of: the run of each design.
    """
    found = list(designs)
    groups: dict[tuple[float, str, str], list[int]] = {}
    for place, own in enumerate(designs):
        if own.measured.get("validation_accuracy") is not None and own.is_priced:
            groups.setdefault((own.sigma, own.network, own.data), []).append(place)
    for places in groups.values():
        best = max(places, key=lambda k: designs[k].measured["validation_accuracy"])
        for place in places:
            own = designs[place]
            noise = behind(
                results[run_of[best]][designs[best].measured["method"], own.sigma],
                results[run_of[place]][own.measured["method"], own.sigma],
                same_chips=run_of[best] == run_of[place],
            )
            if noise is not None:
                found[place] = replace(
                    own,
                    behind=noise.mean,
                    behind_noise=noise.half_width,
                    validation_images=noise.images,
                )
    return tuple(found)


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
        chip: preset or YAML file; None: the default chip.
        allow_mixed: also runs of different devices, networks or data; every row then names its own.
        news: told of every method that is mapped.

    Raises:
        ConfigError: no run, or runs that do not belong into one table.
        DataError: as :func:`join`.
    """
    if not runs:
        raise ConfigError("no run; give the folder of archsim train")
    own = [opened(run) for run in runs]
    for name in ("device", "network", "data", "bits_per_cell", "weight_bits"):
        values = [getattr(run.study, name) for run in own]
        if len(set(values)) > 1 and not allow_mixed:
            listed = ", ".join(f"{run.folder}: {v}" for run, v in zip(own, values, strict=True))
            raise ConfigError(
                f"{name} differs ({listed}); allowed: runs of the same {name}, or --allow-mixed"
            )
    results = [join(run, chip=chip, news=news) for run in own]
    if len(results) == 1:
        return results[0]
    names = _short_names([run.folder for run in own])
    designs, place_of = [], []
    for place, (name, result) in enumerate(zip(names, results, strict=True)):
        designs += [replace(each, method=f"{name} / {each.method}") for each in result.designs]
        place_of += [place] * len(result.designs)
    return JointResult(
        " and ".join(dict.fromkeys(result.name for result in results)),
        " and ".join(dict.fromkeys(result.network for result in results)),
        " and ".join(dict.fromkeys(result.device for result in results)),
        _compared(designs, [_measured(run)[1] for run in own], place_of),
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
    raise ConfigError(f"{folders[0]}: the same run is given twice; allowed: each once")
