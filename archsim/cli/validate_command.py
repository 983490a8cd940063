"""``archsim validate``: the engine against reference runs, error per metric."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.validation import ValidationResult


@guarded
def validate_command(
    reference: Annotated[
        Path,
        typer.Option(
            "--reference",
            metavar="DIR",
            help="Folder with chip.csv, layers.csv and networks/ of DNN+NeuroSim V1.4 runs.",
        ),
    ],
    chip: Annotated[
        str,
        typer.Option("--chip", metavar="NAME|FILE", help="Chip that each run's settings change."),
    ] = "neurosim-v1.4",
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw predicted against reference values (.png, .pdf or .svg).",
            rich_help_panel="Output",
        ),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Predict every reference run and print the errors per metric and per setting.

    csv holds the errors per metric, as fractions; json everything.
    """
    check_writable(out, plot)
    if plot is not None:
        from reports.figures.style import check_suffix

        check_suffix(plot)

    from archsim.api.validate import validate

    result = validate(reference, chip=chip)
    _write(result, format, out)
    if plot is not None:
        from reports.figures.validation import save_validation

        save_validation(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _write(result: ValidationResult, format: Format, out: Path | None) -> None:
    if format is Format.JSON:
        deliver(json_text(result.to_dict()), out)
    elif format is Format.CSV:
        from reports.tables.analysis import validation

        table = validation(result)
        deliver(csv_text([column.key for column in table.columns], table.records()), out)
    else:
        from archsim.cli import render

        render.present(functools.partial(_draw, result), out)


def _draw(result: ValidationResult, console: Console) -> None:
    from archsim.cli import render
    from reports.tables import analysis as analysis_tables

    tables = [collect(result) for collect in (
        analysis_tables.validation, analysis_tables.factors, analysis_tables.worst
    )]  # fmt: skip
    render.show(console, render.stack(*map(render.grid, tables)))
    left_out = Counter(reason for _, reason in result.skipped)
    notes = [f"Left out: {count} runs, {reason}." for reason, count in left_out.items()]
    if result.refusals:
        notes.append(
            f"Refused by the reference: {result.refusals} runs, {result.refusals_agree} of them "
            "infeasible here too."
        )
    if notes:
        render.show(console, render.gap(render.bullets("Notes", notes)))
