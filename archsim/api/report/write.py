"""The folder of a joint report: page, tables, figures and ``report.json``."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from archsim import __version__
from archsim.api.map import sensitivities
from archsim.api.report.figures import Drawing, drawings
from archsim.api.report.join import Run, opened, read_about
from archsim.config.load import preset_names
from archsim.config.study import Study
from archsim.config.sweep import Sweep, load_sweep
from archsim.errors import DataError
from archsim.results.recommend import detailed_design
from archsim.results.report import JointResult
from archsim.results.sensitivity import Elasticity
from archsim.results.size_curves import SizeCurves
from archsim.util.atomic_write import is_temporary, write_whole
from reports import page
from reports.page.notebook import html_of
from reports.tables.report import answer, beside
from reports.tables.report_breakdown import breakdown_tables
from tsb.study import StudyRun
from tsb.study.about import provenance
from tsb.study.commands import is_preset
from tsb.study.run import News, Step

#: Keys of a study that no number depends on.
_NO_INPUTS = {"description", "published", "published_claims", "published_costs"}
#: Names that the resolved studies and sweeps are written to.
_STUDY = re.compile(r"^(study|sweep)(-\d+)?\.yaml$")
#: Endings that every figure is written with.
_SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Report:
    """A joint report that was written.

    Attributes:
        result: all designs.
        folder: where it lies.
        sentences: the answer in words.
        curves: of the sweeps that were given.
    """

    result: JointResult
    folder: Path
    sentences: tuple[str, ...]
    curves: tuple[SizeCurves, ...] = ()

    @property
    def page(self) -> Path:
        """The page, one file that opens from disk."""
        return self.folder / "index.html"

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures, for :meth:`figure`."""
        return tuple(sorted(path.stem for path in (self.folder / "figures").glob("*.svg")))

    def figure(self, name: str, suffix: str = ".svg") -> Path:
        """Return the file of a figure.

        Args:
            name: one of :attr:`figures`.
            suffix: .png, .svg or .pdf.

        Raises:
            DataError: there is none of this name.
        """
        path = self.folder / "figures" / f"{name}{suffix}"
        if not path.is_file():
            raise DataError(f"figure '{name}{suffix}'; allowed: {', '.join(self.figures)}")
        return path

    def __repr__(self) -> str:
        """One line: what was reported, and where it lies."""
        count = len(self.result.designs)
        return f"Report({self.result.name}, {count} designs, {str(self.page)!r})"

    def _repr_html_(self) -> str:
        """Show answer, table and main figures in a notebook."""
        shown = [name for name in self.figures if name.startswith("accuracy-cost")]
        drawn = [self.figure(name, ".png").read_bytes() for name in shown]
        return html_of(self.result, self.sentences, str(self.page), drawn)


def write_report(
    result: JointResult,
    folder: str | Path,
    *,
    runs: Sequence[Run],
    commands: Sequence[str] = (),
    curves: Sequence[SizeCurves] = (),
    news: News | None = None,
) -> Report:
    """Write page, tables, figures and ``report.json`` of a joint result.

    Args:
        result: of :func:`archsim.api.report.join.join_runs`.
        folder: made if it is not there.
        runs: that the result comes from.
        commands: that make it.
        curves: of sweeps, of :func:`archsim.api.report.size_curves.size_curves`.
        news: told of every piece that is written.

    Raises:
        DataError: the folder cannot be written.
    """
    place = Path(folder)
    check_report_folder(place)
    for name in ("tables", "figures"):
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{place}: cannot be made: {error.strerror or error}") from error
    _remove_former(place)
    own = [opened(run) for run in runs]
    writer = _Writer(result, place, own, tuple(curves), answer(result))
    writer.commands = writer.made_by(commands)
    pieces = writer.pieces()
    for done, (name, write) in enumerate(pieces):
        write()
        if news is not None:
            news(
                Step(
                    stage="report",
                    unit=name,
                    epoch=None,
                    accuracy=None,
                    done=done + 1,
                    total=len(pieces),
                )
            )
    return Report(result, place, writer.sentences, writer.curves)


def check_report_folder(place: Path) -> None:
    """Make the folder of a report, or refuse one that holds something else.

    Args:
        place: of the report.

    Raises:
        DataError: it cannot be made, or holds files and no report.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        inside = sorted(path.name for path in place.iterdir() if not is_temporary(path))
    except OSError as error:
        raise DataError(f"{place}: cannot be made: {error.strerror or error}") from error
    if not os.access(place, os.W_OK):
        raise DataError(f"{place}: must not be written; choose another --folder")
    # What a report that was stopped leaves: its report.json and its page come last.
    begun = [name for name in inside if name in ("tables", "figures") or _STUDY.match(name)]
    if "report.json" not in inside and begun != inside:
        other = next(name for name in inside if name not in begun)
        raise DataError(
            f"{place}: holds '{other}' and no report of archsim; choose another --folder"
        )


def _remove_former(place: Path) -> None:
    """Remove tables and figures of the report that was here: what is new may have fewer."""
    try:
        former = json.loads((place / "report.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for folder in ("tables", "figures"):
        for path in (place / folder).iterdir():
            if f"{folder}/{path.name}" in former:
                path.unlink(missing_ok=True)


def _files(place: Path) -> list[str]:
    return sorted(
        f"{folder}/{path.name}"
        for folder in ("tables", "figures")
        for path in (place / folder).iterdir()
    )


def _yaml_name(kind: str, place: int, count: int) -> str:
    return f"{kind}.yaml" if count == 1 else f"{kind}-{place + 1}.yaml"


def _is_preset(sweep: dict[str, Any]) -> bool:
    """Whether a sweep is the one that its name stands for."""
    name = str(sweep.get("name", ""))
    if name not in preset_names("sweep"):
        return False
    return load_sweep(name) == Sweep.model_validate(sweep)


@dataclass
class _Writer:
    """Writes the pieces of one report."""

    result: JointResult
    place: Path
    runs: Sequence[StudyRun]
    curves: tuple[SizeCurves, ...]
    sentences: tuple[str, ...]
    commands: list[str] = field(default_factory=list)
    drawn: list[page.PageFigure] = field(default_factory=list)

    def pieces(self) -> list[tuple[str, Callable[[], None]]]:
        """Return what is to be written: a name, and what writes it; the page is last."""
        detailed = detailed_design(self.result)
        mapped = None if detailed is None else detailed.mapped
        moves: tuple[Elasticity, ...] = ()
        if mapped is not None:
            moves = sensitivities(mapped)
        figures = list(drawings(self.result, self.runs, self.curves, moves))
        return [
            ("tables", lambda: self.tables(moves)),
            *((f"figure {each.name}", _call(self.figure, each)) for each in figures),
            ("studies", self.studies),
            ("report.json", self.json),
            ("index.html", self.page),
        ]

    def tables(self, moves: Sequence[Elasticity]) -> None:
        """Write every table as CSV and Parquet."""
        import pandas as pd

        designs = self.result.frame().assign(notes=lambda frame: frame["notes"].map("; ".join))
        tables = {"designs": designs, **breakdown_tables(self.result)}
        if moves:
            rows = [
                {"parameter": own.path, "value": own.value, "stepped_to": own.stepped_to}
                | own.values
                for own in moves
            ]
            tables["sensitivity"] = pd.DataFrame(rows)
        if self.curves:
            rows = [row for own in self.curves for row in own.rows()]
            tables["size-curves"] = pd.DataFrame(rows)
        if self.result.published:
            records = [row for own in beside(self.result.published) for row in own.records()]
            tables["published"] = pd.DataFrame(records)
        for name, table in tables.items():
            path = self.place / "tables" / f"{name}.csv"
            write_whole(path, table.to_csv(index=False).encode())
            table.to_parquet(path.with_suffix(".parquet"), index=False)

    def figure(self, own: Drawing) -> None:
        """Draw a figure, write it in all formats, and keep it for the page."""
        from reports.figures.style import save

        figure = own.draw()
        for suffix in _SUFFIXES:
            save(figure, self.place / "figures" / f"{own.name}{suffix}")
        if own.on_page:
            self.drawn.append(
                page.from_figure(figure, title=own.title, alt=own.alt, caption=own.caption)
            )

    def made_by(self, said: Sequence[str]) -> list[str]:
        """Return what makes runs, sweeps and the report again, of the files of this folder.

        Args:
            said: the command of the report itself.
        """
        found = []
        for number, run in enumerate(self.runs):
            name = run.study.name
            if not is_preset(run.study):
                name = str(self.place / _yaml_name("study", number, len(self.runs)))
            found.append(f"archsim train {shlex.quote(name)} --run {shlex.quote(str(run.folder))}")
        for number, own in enumerate(self.curves):
            name = own.name
            if not _is_preset(own.sweep):
                name = str(self.place / _yaml_name("sweep", number, len(self.curves)))
            found.append(
                f"archsim sweep {shlex.quote(name)} --out {shlex.quote(own.folder)} --resume"
            )
        return [*found, *said]

    def studies(self) -> None:
        """Write the resolved studies and sweeps."""
        studies = [run.study.model_dump(mode="json") for run in self.runs]
        sweeps = [own.sweep for own in self.curves]
        for kind, every in (("study", studies), ("sweep", sweeps)):
            for number, own in enumerate(every):
                said = yaml.safe_dump(own, sort_keys=False)
                write_whole(self.place / _yaml_name(kind, number, len(every)), said.encode())

    def json(self) -> None:
        """Write ``report.json``: what ``archsim report --format json`` prints."""
        content = {
            **self.result.to_dict(),
            "answer": list(self.sentences),
            "cases": [own._asdict() for own in self.result.cases()],
            "curves": [row for own in self.curves for row in own.rows()],
            "inputs": _inputs(self.result, self.runs, self.curves),
            "commands": self.commands,
            "files": _files(self.place),
        }
        text = json.dumps(content, indent=1, allow_nan=False, default=str) + "\n"
        write_whole(self.place / "report.json", text.encode())

    def page(self) -> None:
        """Write the page."""
        content = page.collect(
            self.result,
            answer=self.sentences,
            question=(
                f"How should {self.result.network} be trained, programmed and repaired on "
                f"{self.result.device} cells, and what does that cost?"
            ),
            commands=self.commands,
            provenance=_provenance(self.runs),
            figures=self.drawn,
            comparisons=beside(self.result.published),
            curves=self.curves,
        )
        page.save(content, self.place / "index.html")


def _call(write: Callable[[Drawing], None], own: Drawing) -> Callable[[], None]:
    return lambda: write(own)


def _provenance(runs: Sequence[StudyRun]) -> list[tuple[str, str]]:
    """Return versions, seeds and hashes: a name and a value each."""
    found = [
        ("archsim", f"{__version__}, commit {provenance()['commit'] or 'unknown'}"),
        ("Python", platform.python_version()),
    ]
    for run in runs:
        about = read_about(run)
        seeds = ", ".join(map(str, run.study.seeds))
        found.append((f"run {run.folder}", f"study {run.study.name}, hash {study_hash(run.study)}"))
        if about:
            found.append(
                (
                    "made by",
                    f"archsim {about.get('archsim')}, commit {about.get('commit') or 'unknown'}, "
                    f"PyTorch {about.get('torch')}, on {about.get('computed_on')}, "
                    f"finished {about.get('finished')}",
                )
            )
        found.append(
            ("seeds", f"{seeds}; {run.study.chips} chips per seed, {run.study.runs} runs per chip")
        )
        found.append(("data", " ".join([run.study.data, about.get("data_note") or ""]).strip()))
    return found


def study_hash(study: Study) -> str:
    """Return sixteen hex digits of SHA-256 over the canonical JSON of a study.

    Args:
        study: which.
    """
    canonical = json.dumps(study.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _inputs(
    result: JointResult, runs: Sequence[StudyRun], curves: Sequence[SizeCurves]
) -> dict[str, Any]:
    """Everything that the numbers depend on."""
    mapped = [own.mapped for own in result.designs if own.mapped]
    chips = {each.resolved.config_hash: each.resolved.chip.name for each in mapped}
    return {
        "archsim": __version__,
        "studies": [run.study.model_dump(mode="json", exclude=_NO_INPUTS) for run in runs],
        "runs": [
            {"name": run.study.name}
            | {key: read_about(run).get(key) for key in ("archsim", "torch", "commit")}
            for run in runs
        ],
        "sweeps": [own.sweep for own in curves],
        "chips": sorted(set(chips.values())),
        "configurations": sorted(chips),
        **_settings(result),
    }


def _settings(result: JointResult) -> dict[str, Any]:
    """Return the settings that all priced designs share, and what each has beside them."""
    known: dict[str, dict[str, Any]] = {}
    of: dict[str, dict[str, Any]] = {}
    for own in result.designs:
        if own.mapped is not None:
            resolved = own.mapped.resolved
            key = resolved.config_hash
            if key not in known:
                known[key] = resolved.settings()
            of[own.name] = known[key]
    first = next(iter(known.values()), {})
    shared = {
        path: value
        for path, value in first.items()
        if all(path in own and own[path] == value for own in known.values())
    }
    return {
        "settings": shared,
        "settings_of": {
            name: {path: value for path, value in own.items() if path not in shared}
            for name, own in of.items()
        },
    }
