"""``archsim validate``: the engine against reference runs, error per metric."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text
from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.validation import ValidationResult


@guarded
def validate_command(
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="DIR",
            help="Folder with chip.csv, layers.csv and networks/ of DNN+NeuroSim V1.4 runs.",
        ),
    ] = None,
    read_path: Annotated[
        Path | None,
        typer.Option(
            "--read-path",
            metavar="DIR",
            help="Folder with reference data of the read path: mvm_cases.csv, irdrop_*.csv, "
            "lenet3_accuracy*.csv.",
        ),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", metavar="FOLDER", help="With --read-path: where MNIST lies."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="With --read-path: weights of LeNet-3. Default: lenet3.safetensors below the "
            "data, or the repository's.",
        ),
    ] = None,
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
    """Compare with reference runs of the simulator, or with reference data of the read path.

    Prints the errors per metric and per setting, or per group. csv holds the errors per metric or
    case, as fractions; json everything.
    """
    if (reference is None) == (read_path is None):
        raise ConfigError(
            "archsim validate needs one of --reference DIR and --read-path DIR",
            code=Code.MISSING_KEY if reference is None else Code.GIVEN_TWICE,
            field="--reference",
            allowed="--reference DIR or --read-path DIR",
        )
    check_writable(out, plot)
    if plot is not None:
        from reports.figures.style import check_suffix

        check_suffix(plot)

    if read_path is not None:
        _validate_read_path(read_path, data_root, checkpoint, format, out)
        return

    from archsim.api.validate import validate

    result = validate(cast("Path", reference), chip=chip)
    _write(result, format, out)
    if plot is not None:
        from reports.figures.validation import save_validation

        save_validation(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _validate_read_path(
    folder: Path, data_root: Path | None, checkpoint: Path | None, format: Format, out: Path | None
) -> None:
    from archsim.api.validate import validate_read_path
    from reports.tables import read_path as tables

    result = validate_read_path(
        folder,
        data_root=data_root,
        checkpoint=checkpoint,
        said=lambda line: typer.echo(line, err=True),
    )
    if format is Format.JSON:
        deliver(json_text(result.to_dict()), out)
    elif format is Format.CSV:
        table = tables.cases(result)
        deliver(csv_text([column.key for column in table.columns], table.records()), out)
    else:
        from archsim.cli import render

        render.present(
            lambda console: render.show(console, render.grid(tables.groups(result))), out
        )


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
