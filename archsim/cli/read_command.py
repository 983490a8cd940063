"""``archsim read``: a network as a chip reads it, and what limits its accuracy."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, write_result
from archsim.cli.study_options import DataOption, DataRootOption
from tsb.write_verify.policy.text import policies_in_a_word

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.reading import ReadResult


@guarded
def read_command(
    network: Annotated[
        str, typer.Argument(help="Built-in name (archsim list networks) or package.module:function")
    ],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", metavar="FILE", help="Trained weights, safetensors.")
    ],
    images: Annotated[
        int, typer.Option("--images", help="Test images, spread over all of them.")
    ] = 200,
    chips: Annotated[int, typer.Option("--chips", help="Programmed chips.")] = 2,
    seed: Annotated[
        int,
        typer.Option("--seed", help="Of the first chip, 0 to 2^32 - 1; the others count up."),
    ] = 0,
    sigma: Annotated[
        float | None,
        typer.Option(
            "--sigma", help="Spread of one pulse. Default: the device's.", show_default=False
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option("--encoding", help="Weights on cells. Default: the chip's."),
    ] = None,
    write: Annotated[
        str,
        typer.Option(
            "--write",
            metavar="|".join(policies_in_a_word()),
            help="Which weights are write-verified (archsim list policies).",
        ),
    ] = "none",
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Of the network, where the checkpoint does not say it, e.g. widths=[16,32,64]. "
            "Repeatable.",
        ),
    ] = None,
    data: DataOption = None,
    data_root: DataRootOption = None,
    chip: options.ChipOption = None,
    technology: options.TechnologyOption = None,
    device: options.DeviceOption = None,
    overrides: options.SetOption = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    plot: Annotated[
        Path | None,
        options.plot_option("column sums, ranges and wires of every layer"),
    ] = None,
    debug: options.DebugOption = False,
) -> None:
    """Read a trained network exactly: column sums, converters, and what limits its accuracy.

    Every layer's sums are shown with the range and the codes of its converter; the accuracy read
    exactly stands beside that with the read path off, and with each effect off in turn, all on the
    same images and chips. csv is the table of the layers.
    """
    check_writable(out, plot=plot)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=None, overrides=overrides
    )
    from archsim.api.read import read
    from archsim.config.load import parse_options

    result = read(
        network,
        checkpoint,
        data=data,
        data_root=data_root,
        images=images,
        chips=chips,
        seed=seed,
        sigma=sigma,
        encoding=encoding,
        write=write,
        options=parse_options(option or ()),
        progress=lambda line: typer.echo(line, err=True),
        **settings,
    )
    from reports.tables.reading import slices

    write_result(
        result,
        format,
        out,
        rows=functools.partial(slices, result),
        draw=functools.partial(_draw, result),
    )
    if plot is not None:
        from reports.figures.reading import save_reading

        save_reading(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _draw(result: ReadResult, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables import reading as tables

    render.show(console, Text(tables.heading(result), style="bold"))
    render.show(console, Text(tables.converter(result)))
    render.show(console, render.gap(render.grid(tables.accuracies(result))))
    render.show(console, render.gap(render.bullets("What limits accuracy", result.explanation)))
    if result.warnings:
        render.show(console, render.gap(render.bullets("Warnings", result.warnings)))
    render.show(console, render.gap(render.grid(tables.slices(result), group_by="layer")))
    render.show(console, render.gap(render.bullets("How to read it", tables.notes(result))))
