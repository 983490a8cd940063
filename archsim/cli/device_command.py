"""``archsim device fit``: a device file from measured cells."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, write_result

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.device.fit import Fitted


@guarded
def fit_command(
    measurements: Annotated[
        Path, typer.Argument(metavar="MEASUREMENTS.csv", help="One row per read of a cell.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DEVICE.yaml", help="Device file to write. Default: none."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Of the device. Default: that of the file.")
    ] = None,
    like: Annotated[
        str,
        typer.Option(
            "--like",
            metavar="NAME|FILE",
            help="Device for what is not measured: voltages, energies, times.",
        ),
    ] = "rram",
    quantiles: Annotated[
        bool,
        typer.Option("--quantiles", help="Keep the shape of the errors of each level."),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", metavar="K", help="Take rows within 2 K of it."),
    ] = None,
    plot: Annotated[
        Path | None,
        options.plot_option("levels, normal curves and mean errors"),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    debug: options.DebugOption = False,
) -> None:
    """Fit a device to measured cells: levels, spreads, drift, noise, stuck cells, write-verify.

    Columns: device; level or target_uS; measured_uS; and, where there are, cycle, pulse, time_s,
    temperature_K. Units are part of the names. Rows are sorted by device, level, cycle, pulse and
    time, and are read twice in pieces: any number of them.
    """
    check_writable(out, plot=plot)
    from archsim.api.fit import fit_device

    fitted = fit_device(
        measurements,
        out,
        name=name,
        like=like,
        quantiles=quantiles,
        temperature_K=temperature,
    )
    from reports.tables.fit import numbers

    write_result(
        fitted,
        format,
        None,
        rows=functools.partial(numbers, fitted),
        draw=functools.partial(_draw, fitted),
    )
    if plot is not None:
        from reports.figures.fit import save_fit

        save_fit(fitted, plot)
    for path in (out, plot):
        if path is not None:
            typer.echo(f"wrote {path}", err=True)


def _draw(fitted: Fitted, console: Console) -> None:
    from archsim.cli import render
    from reports.tables import fit as tables

    parts = [tables.levels(fitted), tables.numbers(fitted)]
    if fitted.residuals:
        parts.append(tables.residuals(fitted))
    render.show(console, render.stack(*map(render.grid, parts)))
    if fitted.notes:
        render.show(console, render.gap(render.bullets("Notes", list(fitted.notes))))


def device_app(help_of: Any) -> typer.Typer:
    """Return the command group.

    Args:
        help_of: makes a help text of a command's docstring.
    """
    group = typer.Typer(no_args_is_help=True)
    group.command("fit", help=help_of(fit_command))(fit_command)

    @group.callback()
    def _device() -> None:
        """Measured devices."""

    return group
