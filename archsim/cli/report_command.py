"""``archsim report``: accuracy, hardware and programming of the same designs in one place."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.groups import DefaultCommand
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text
from archsim.cli.study_options import DataRootOption
from archsim.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archsim.joint_diff import ReportDiff
    from archsim.pipeline_report_write import Report


@guarded
def make_command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STUDY|RUN...",
            help="A study, by name or YAML file (what its run lacks is trained), or folders of "
            "runs. Default: tsb-lenet3.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            help="Of the report. Default: RUN/report.",
            show_default=False,
        ),
    ] = None,
    chip: options.ChipOption = None,
    allow_mixed: Annotated[
        bool,
        typer.Option("--allow-mixed", help="Also runs of different devices or networks."),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of the training.")] = 1,
    data_root: DataRootOption = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Write the joint report of a study: every design with its accuracy and its cost.

    The folder holds index.html (one file, opens from disk), every table as CSV and Parquet, every
    figure as PNG, SVG and PDF, report.json and the resolved study.
    """
    check_writable(out)
    from archsim import pipeline_report as pipeline
    from archsim.pipeline_report_write import write_report

    runs = _runs(targets or ["tsb-lenet3"], jobs, data_root)
    result = pipeline.join_runs(runs, chip=chip, allow_mixed=allow_mixed)
    report = write_report(
        result,
        folder or runs[0] / "report",
        runs=runs,
        commands=[shlex.join(["archsim", *sys.argv[1:]])],
    )
    _show(report, format, out)
    typer.echo(f"wrote {report.folder}", err=True)


def _runs(targets: list[str], jobs: int, data_root: Path | None) -> list[Path]:
    folders = [Path(target) for target in targets if (Path(target) / "study.json").is_file()]
    if len(folders) == len(targets):
        return folders
    if len(targets) > 1:
        wrong = next(text for text in targets if not (Path(text) / "study.json").is_file())
        raise DataError(f"{wrong}: not the folder of a run; allowed: folders of archsim train")
    from archsim import pipeline_study
    from archsim.cli.train_command import Bars

    with Bars() as bars:
        done = pipeline_study.train(targets[0], data_root=data_root, jobs=jobs, news=bars.news)
    return [done.folder]


def _show(report: Report, format: Format, out: Path | None) -> None:
    from reports.joint_tables import designs

    sigmas = list(dict.fromkeys(own.sigma for own in report.result.designs))
    if format is Format.JSON:
        content = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
        deliver(json_text(content), out)
        return
    if format is Format.CSV:
        rows = report.result.rows()
        deliver(csv_text(list(rows[0]), rows), out)
        return
    from rich.text import Text

    from archsim.cli import render

    def draw(console: Any) -> None:
        for text in report.sentences:
            render.show(console, Text(text))
        for sigma in sigmas:
            render.show(console, render.gap(render.grid(designs(report.result, sigma))))

    render.present(draw, out)


@guarded
def diff_command(
    before: Annotated[Path, typer.Argument(help="Folder of a report.")],
    after: Annotated[Path, typer.Argument(help="Folder of another.")],
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Say what differs between two reports: inputs, and numbers, beyond noise or not."""
    check_writable(out)
    from archsim.joint_diff import diff

    found = diff(_report(before), _report(after))
    if format is Format.JSON:
        deliver(json_text(found.to_dict()), out)
        return
    from archsim.cli import render
    from reports.diff_tables import inputs, moved

    if format is Format.CSV:
        table = moved(found)
        deliver(csv_text([own.key for own in table.columns], table.records()), out)
        return

    def draw(console: Any) -> None:
        for table in (inputs(found), moved(found)):
            render.show(console, render.gap(render.grid(table)))
        render.show(console, render.gap(render.bullets("In short", _in_short(found))))

    render.present(draw, out)


def _in_short(found: ReportDiff) -> list[str]:
    beyond = sum(own.beyond_noise for own in found.moved)
    lines = [
        f"{len(found.inputs)} inputs differ; {len(found.moved)} numbers moved, {beyond} of them "
        f"beyond noise; {found.unmoved} are the same."
    ]
    for names, where in ((found.only_before, "first"), (found.only_after, "second")):
        if names:
            lines.append(f"Only in the {where}: {'; '.join(names)}.")
    return lines


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    if not path.is_file():
        raise DataError(f"{folder}: not the folder of a report (no report.json)")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: damaged: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a report")
    return content


def report_app(help_of: Callable[..., str]) -> typer.Typer:
    """Return the command group: ``archsim report X`` is ``archsim report make X``.

    Args:
        help_of: makes a help text of a command.
    """
    group = typer.Typer(cls=DefaultCommand.of("make"))
    group.command("make", help=help_of(make_command))(make_command)
    group.command("diff", help=help_of(diff_command))(diff_command)
    return group
