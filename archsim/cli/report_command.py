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
from archsim.cli.study_options import (
    DataRootOption,
    NetworkOption,
    OwnDataOption,
    ReadPathOption,
    with_read_path,
)
from archsim.errors import Code, DataError
from archsim.util.files import is_file, read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from archsim.api.report.write import Report


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
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="FOLDER",
            help="Of the study's run. Default: runs/NAME.",
            show_default=False,
        ),
    ] = None,
    chip: options.ChipOption = None,
    sweep: Annotated[
        list[Path] | None,
        typer.Option(
            "--sweep",
            metavar="FOLDER",
            help="Of archsim sweep: adds curves along the size of the block and the bits of a "
            "cell. Repeatable.",
        ),
    ] = None,
    no_train: Annotated[
        bool,
        typer.Option("--no-train", help="Take what the run has; without one, hardware alone."),
    ] = False,
    allow_mixed: Annotated[
        bool,
        typer.Option("--allow-mixed", help="Also runs of different devices, networks or data."),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of the training.")] = 1,
    network: NetworkOption = None,
    data: OwnDataOption = None,
    data_root: DataRootOption = None,
    read_path: ReadPathOption = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Override one setting of the study, e.g. study.chips=4. Repeatable.",
        ),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Write the joint report of a study: every design with its accuracy and its cost.

    The folder holds index.html (one file, opens from disk), every table as CSV and Parquet, every
    figure as PNG, SVG and PDF, report.json and the resolved study.
    """
    check_writable(out, folder_option="--folder")
    from archsim.api.report.run import report
    from archsim.cli.train_command import StudyBars

    asked = targets or ["tsb-lenet3"]
    try:
        with StudyBars() as bars:
            written = report(
                asked[0] if len(asked) == 1 else asked,
                folder=folder,
                run=run,
                chip=chip,
                sweeps=sweep or (),
                allow_mixed=allow_mixed,
                train=not no_train,
                overrides=with_read_path(overrides, read_path),
                data_root=data_root,
                jobs=jobs,
                network=network,
                data=data,
                commands=[shlex.join(["archsim", *sys.argv[1:]])],
                news=bars.news,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command resumes where it was", err=True)
        raise
    for line in written.result.gaps:
        typer.echo(f"missing: {line}", err=True)
    for line in written.result.warnings:
        typer.echo(line, err=True)
    _show(written, format, out)
    priced = [design.mapped for design in written.result.designs if design.mapped is not None]
    reasons = dict.fromkeys(reason for mapped in priced for reason in mapped.infeasible_because)
    for reason in reasons:
        typer.echo(f"infeasible: {reason}", err=True)
    typer.echo(f"wrote {written.folder}; open {written.page}", err=True)
    if priced and not any(mapped.feasible for mapped in priced):
        raise typer.Exit(1)


def _show(report: Report, format: Format, out: Path | None) -> None:
    from reports.tables.report import designs, methods

    sigmas = list(dict.fromkeys(design.sigma for design in report.result.designs))
    if format is Format.JSON:
        content = json.loads((report.folder / "report.json").read_text(encoding="utf-8"))
        deliver(json_text(content), out)
        return
    if format is Format.CSV:
        records = report.result.records()
        deliver(csv_text(list(records[0]), records), out)
        return
    from rich.text import Text

    from archsim.cli import render

    def draw(console: Any) -> None:
        heading = f"{report.result.name}: {report.result.subject}"
        render.show(console, Text(heading, style="bold"))
        for text in report.sentences:
            render.show(console, Text(text))
        for text in report.result.reads:
            render.show(console, Text(text))
        for sigma in sigmas:
            render.show(console, render.gap(render.grid(designs(report.result, sigma))))
        lines = [f"{method}: {about}" for method, about in methods(report.result).rows]
        if lines:
            render.show(console, render.gap(render.bullets("Methods", lines)))

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
    from archsim.results.report_diff import diff

    differences = diff(_report(before), _report(after))
    if format is Format.JSON:
        deliver(json_text(differences.to_dict()), out)
        return
    from archsim.cli import render
    from reports.tables.report_diff import in_short, inputs, moved

    if format is Format.CSV:
        table = moved(differences)
        deliver(csv_text([column.key for column in table.columns], table.records()), out)
        return

    def draw(console: Any) -> None:
        render.show(console, render.bullets(f"{before} and {after}", in_short(differences)))
        for table in (inputs(differences), moved(differences)):
            if table.rows:
                render.show(console, render.gap(render.grid(table)))

    render.present(draw, out)


def _report(folder: Path) -> dict[str, Any]:
    from archsim.results.report_file import check_report

    path = folder / "report.json"
    if not is_file(path):
        raise DataError(
            f"{folder}: not the folder of a report (no report.json)",
            code=Code.MISSING_FILE,
            field=folder,
        )
    try:
        content = read_json(path)
    except ValueError as error:
        raise DataError.of(Code.DAMAGED_FILE, path, problem=f"damaged: {error}") from error
    return check_report(content, str(path))


def report_app(help_of: Callable[..., str]) -> typer.Typer:
    """Return the command group: ``archsim report X`` is ``archsim report make X``.

    Args:
        help_of: makes a help text of a command.
    """
    group = typer.Typer(cls=DefaultCommand.of("make"))
    also = "Another command: archsim report diff --help"
    group.command("make", help=help_of(make_command), epilog=also)(make_command)
    group.command("diff", help=help_of(diff_command))(diff_command)
    return group
