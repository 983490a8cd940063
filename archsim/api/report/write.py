"""The folder of a joint report: page, tables, figures and ``report.json``."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from archsim.api.map import sensitivities
from archsim.api.report.figures import Drawing, drawings
from archsim.api.report.inputs import inputs_of, provenance_of
from archsim.api.report.join import Run, opened
from archsim.config.load import preset_names
from archsim.config.sweep import Sweep, load_sweep
from archsim.errors import Code, DataError
from archsim.results.recommend import detailed_design
from archsim.results.report import JointResult
from archsim.results.sensitivity import Elasticity
from archsim.results.size_curves import SizeCurves
from archsim.util.atomic_write import is_temporary, write_whole
from archsim.util.files import read_json
from archsim.util.lock import LOCK
from reports import page
from reports.page.notebook import html_of
from reports.tables.report import answer, beside
from reports.tables.report_breakdown import breakdown_tables
from tsb.study import StudyRun
from tsb.study.commands import is_preset
from tsb.study.run import News, Step

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
            raise DataError(
                f"figure '{name}{suffix}'; allowed: {', '.join(self.figures)}",
                code=Code.UNKNOWN_NAME,
                field="figure",
                value=f"{name}{suffix}",
                allowed=tuple(self.figures),
            )
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
            raise DataError(
                f"{place}: cannot be made: {error.strerror or error}",
                code=Code.CANNOT_WRITE,
                field=place,
            ) from error
    _remove_former(place)
    whole = [opened(run) for run in runs]
    writer = _Writer(result, place, whole, tuple(curves), answer(result))
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
        inside = sorted(
            path.name for path in place.iterdir() if not (is_temporary(path) or path.name == LOCK)
        )
    except OSError as error:
        raise DataError(
            f"{place}: cannot be made: {error.strerror or error}",
            code=Code.CANNOT_WRITE,
            field=place,
        ) from error
    if not os.access(place, os.W_OK):
        raise DataError(
            f"{place}: must not be written; choose another --folder",
            code=Code.CANNOT_WRITE,
            field=place,
            allowed="--folder",
        )
    # What a report that was stopped leaves: its report.json and its page come last.
    begun = [name for name in inside if name in ("tables", "figures") or _STUDY.match(name)]
    if "report.json" not in inside and begun != inside:
        other = next(name for name in inside if name not in begun)
        raise DataError(
            f"{place}: holds '{other}' and no report of archsim; choose another --folder",
            code=Code.IN_THE_WAY,
            field=place,
            value=other,
            allowed="--folder",
        )


def _remove_former(place: Path) -> None:
    """Remove tables and figures of the report that was here: what is new may have fewer."""
    try:
        former = set(read_json(place / "report.json")["files"])
    except (DataError, ValueError, KeyError, TypeError):
        return
    for folder in ("tables", "figures"):
        for path in (place / folder).glob("*"):
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
                {"parameter": each.path, "value": each.value, "stepped_to": each.stepped_to}
                | each.values
                for each in moves
            ]
            tables["sensitivity"] = pd.DataFrame(rows)
        if self.curves:
            rows = [row for each in self.curves for row in each.rows()]
            tables["size-curves"] = pd.DataFrame(rows)
        if self.result.published:
            records = [row for each in beside(self.result.published) for row in each.records()]
            tables["published"] = pd.DataFrame(records)
        for name, table in tables.items():
            path = self.place / "tables" / f"{name}.csv"
            write_whole(path, table.to_csv(index=False).encode())
            table.to_parquet(path.with_suffix(".parquet"), index=False)

    def figure(self, drawing: Drawing) -> None:
        """Draw a figure, write it in all formats, and keep it for the page."""
        from reports.figures.style import save

        figure = drawing.draw()
        for suffix in _SUFFIXES:
            save(figure, self.place / "figures" / f"{drawing.name}{suffix}")
        if drawing.on_page:
            self.drawn.append(
                page.from_figure(
                    figure, title=drawing.title, alt=drawing.alt, caption=drawing.caption
                )
            )

    def made_by(self, said: Sequence[str]) -> list[str]:
        """Return what makes runs, sweeps and the report again, of the files of this folder.

        Args:
            said: the command of the report itself.
        """
        lines = []
        for number, run in enumerate(self.runs):
            name = run.study.name
            if not is_preset(run.study):
                name = str(self.place / _yaml_name("study", number, len(self.runs)))
            lines.append(f"archsim train {shlex.quote(name)} --run {shlex.quote(str(run.folder))}")
        for number, curves in enumerate(self.curves):
            name = curves.name
            if not _is_preset(curves.sweep):
                name = str(self.place / _yaml_name("sweep", number, len(self.curves)))
            lines.append(
                f"archsim sweep {shlex.quote(name)} --out {shlex.quote(curves.folder)} --resume"
            )
        return [*lines, *said]

    def studies(self) -> None:
        """Write the resolved studies and sweeps."""
        studies = [run.study.model_dump(mode="json") for run in self.runs]
        sweeps = [each.sweep for each in self.curves]
        for kind, every in (("study", studies), ("sweep", sweeps)):
            for number, settings in enumerate(every):
                said = yaml.safe_dump(settings, sort_keys=False)
                write_whole(self.place / _yaml_name(kind, number, len(every)), said.encode())

    def json(self) -> None:
        """Write ``report.json``: what ``archsim report --format json`` prints."""
        content = {
            **self.result.to_dict(),
            "answer": list(self.sentences),
            "cases": [case._asdict() for case in self.result.cases()],
            "curves": [row for each in self.curves for row in each.rows()],
            "inputs": inputs_of(self.result, self.runs, self.curves),
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
            provenance=provenance_of(self.runs),
            figures=self.drawn,
            comparisons=beside(self.result.published),
            curves=self.curves,
        )
        page.save(content, self.place / "index.html")


def _call(write: Callable[[Drawing], None], drawing: Drawing) -> Callable[[], None]:
    return lambda: write(drawing)
