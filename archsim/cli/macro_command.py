"""``archsim macro``: one array with its periphery as published macros report it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, write_result

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.macro import MacroResult


@guarded
def macro_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="Preset (archsim list macros) or YAML file.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Override one setting, e.g. macro.adc_bits=5. Repeatable.",
        ),
    ] = None,
    constants: Annotated[
        str | None,
        typer.Option(
            "--constants",
            metavar="NAME|FILE",
            help="Constants of configs/silicon. Default: calibrated.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        options.plot_option("the energy over cell resistance, rows read and supply"),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Price one bank: cells, drivers, converters, accumulation and control.

    Energy, time and operations per invocation, area, TOPS, TOPS/W and TOPS/mm2, also per bit, with
    the intervals that hold 80 % and 90 % of published chips; beside what was measured.
    """
    check_writable(out, plot=plot)
    from archsim.api.macro import macro

    result = macro(name, overrides=settings or (), constants=constants)
    from reports.tables.macro import figures

    write_result(
        result,
        format,
        out,
        rows=functools.partial(figures, result),
        draw=functools.partial(_draw, result),
    )
    if plot is not None:
        from archsim.api.macro_curves import macro_curves
        from reports.figures.macro_curves import save_macro_curves

        save_macro_curves(macro_curves(name, overrides=settings or (), constants=constants), plot)
        typer.echo(f"wrote {plot}", err=True)


def _draw(result: MacroResult, console: Console) -> None:
    from archsim.cli import render
    from reports.tables import macro as tables

    shown = tables.figures(result)
    keys = [column.key for column in shown.columns if column.key != "key"]
    parts = [shown.select(keys), tables.parts(result)]
    if result.measured:
        parts.append(tables.measured(result))
    render.show(console, render.stack(*map(render.grid, parts)))
    notes = [f"Source: {result.citation}", *result.warnings]
    render.show(console, render.gap(render.bullets("Notes", notes)))
