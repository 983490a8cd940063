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
from archsim.cli.output import check_writable, write_result
from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.read_path import ReadPathValidation
    from archsim.results.silicon import SiliconValidation
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
    silicon: Annotated[
        Path | None,
        typer.Option(
            "--silicon",
            metavar="FILE",
            help="Table of published macros (form: docs/silicon.md) for the silicon model.",
        ),
    ] = None,
    constants: Annotated[
        str | None,
        typer.Option(
            "--constants",
            metavar="NAME|FILE",
            help="With --silicon: constants of configs/silicon. Default: calibrated.",
        ),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            help="With --silicon: also predict every macro that the constants were fitted to "
            "without it."
        ),
    ] = True,
    refit: Annotated[
        Path | None,
        typer.Option(
            "--refit",
            metavar="FILE",
            help="With --silicon: fit the constants to the table, write them to FILE (YAML) and "
            "judge by them.",
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
        options.plot_option("predicted against reference values"),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Compare with reference runs, with reference data of the read path, or with published chips.

    Prints the errors per metric and per setting, per group, or per class of chips. csv holds the
    errors per metric or case, as fractions (of chips: factors); json everything.
    """
    given = [place for place in (reference, read_path, silicon) if place is not None]
    if len(given) != 1:
        raise ConfigError(
            "archsim validate needs one of --reference DIR, --read-path DIR and --silicon FILE",
            code=Code.GIVEN_TWICE if given else Code.MISSING_KEY,
            field="--reference",
            allowed="--reference DIR, --read-path DIR or --silicon FILE",
        )
    check_writable(out, refit, plot=plot)

    if read_path is not None:
        _validate_read_path(read_path, data_root, checkpoint, format, out)
        return

    if silicon is not None:
        _validate_silicon(silicon, constants, refit, leave_one_out, plot, format, out)
        return

    from archsim.api.validate import validate

    result = validate(cast("Path", reference), chip=chip)
    _write(result, format, out)
    if plot is not None:
        from reports.figures.validation import save_validation

        save_validation(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _validate_silicon(
    table: Path,
    constants: str | None,
    refit: Path | None,
    leave_one_out: bool,
    plot: Path | None,
    format: Format,
    out: Path | None,
) -> None:
    from archsim.api.validate import refit_silicon, validate_silicon

    if refit is not None:
        if constants is not None or refit.suffix not in (".yaml", ".yml"):
            raise ConfigError.of(
                Code.CONFLICT if constants else Code.WRONG_FORM,
                "--refit",
                str(refit),
                allowed="a .yaml file to write, without --constants",
            )
        refit_silicon(table, refit)
        typer.echo(f"wrote {refit}", err=True)
        constants = str(refit)
    result = validate_silicon(table, constants=constants, left_out=leave_one_out)
    from reports.tables.silicon import factors

    write_result(
        result,
        format,
        out,
        rows=functools.partial(factors, result),
        draw=functools.partial(_draw_silicon, result),
    )
    if plot is not None:
        from reports.figures.silicon import save_silicon

        save_silicon(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _draw_silicon(result: SiliconValidation, console: Console) -> None:
    from archsim.cli import render
    from reports.tables import silicon as tables

    parts = [tables.factors(result), tables.furthest(result)]
    if result.skipped:
        parts.append(tables.skipped(result))
    render.show(console, render.stack(*map(render.grid, parts)))
    notes = ["median and 90 %: of max(predicted / measured, measured / predicted)."]
    if result.has_left_out and result.calibrated:
        notes.append(
            f"{len(result.calibrated)} of these macros were in the fit: `left out` predicts each "
            "of them by constants that it had no part in."
        )
    render.show(console, render.gap(render.bullets("Notes", notes)))


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
    write_result(
        result,
        format,
        out,
        rows=functools.partial(tables.cases, result),
        draw=functools.partial(_draw_read_path, result),
    )


def _draw_read_path(result: ReadPathValidation, console: Console) -> None:
    from archsim.cli import render
    from reports.tables.read_path import groups

    render.show(console, render.grid(groups(result)))


def _write(result: ValidationResult, format: Format, out: Path | None) -> None:
    from reports.tables.analysis import validation

    write_result(
        result,
        format,
        out,
        rows=functools.partial(validation, result),
        draw=functools.partial(_draw, result),
    )


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
