"""``archsim compare``: networks without, with a common and with separate shared blocks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, write_result
from archsim.config.choices import BY_PLACEMENT, PLACEMENTS
from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from archsim.results.compared import CompareResult


@guarded
def compare_command(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...",
            help="Built-in names, timm:NAME, model.onnx, layers.csv or package.module:function. "
            "Default: the networks of the TSB paper, lenet3 vgg8 resnet18-cifar-nodown.",
            show_default=False,
        ),
    ] = None,
    design: Annotated[
        list[str] | None,
        options.choice_option(
            "--design",
            names=PLACEMENTS,
            help="Placement to compare with the base (none); repeatable. Default: all.",
            show_default=False,
        ),
    ] = None,
    chip: options.ChipOption = None,
    technology: options.TechnologyOption = None,
    device: options.DeviceOption = None,
    tsb: options.TsbOption = None,
    overrides: options.SetOption = None,
    input_shape: options.InputShapeOption = None,
    input_dtype: options.InputDtypeOption = None,
    batch_axis: options.BatchAxisOption = None,
    copies: Annotated[
        str | None,
        typer.Option(
            "--copies",
            metavar="N,fill,auto",
            help="Copies of the shared block to compare, e.g. 1,fill,auto: tsb.copies "
            "(archsim schema tsb); default is null there. Default: as the shared block says.",
            show_default=False,
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        options.plot_option("the EDP of the copies against area and against cells written"),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Compare the shared block's designs: base, (C) common, (S) separate.

    Area, energy, latency, period and both energy-delay products (EDP), and what programming takes
    under the chip's write-verify policy, absolute and relative to the base. The exit code is 1 only
    when no row is feasible.
    """
    check_writable(out, plot=plot)
    numbers = _copies_of(copies)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    shape, dtype = options.parse_shapes(input_shape), options.parse_dtypes(input_dtype)
    settings["batch_axis"] = batch_axis

    from archsim.api.compare import PAPER_NETWORKS, compare

    wanted = {PLACEMENTS[0], *(design or PLACEMENTS)}
    designs = [name for name in PLACEMENTS if name in wanted]
    names = networks or PAPER_NETWORKS
    result = compare(
        names, designs=designs, copies=numbers, input_shape=shape, input_dtype=dtype, **settings
    )
    write_result(result, format, out, rows=result.rows, draw=functools.partial(_draw, result))
    if plot is not None:
        from reports.figures.copies import save_copies

        save_copies(result, plot)
        typer.echo(f"wrote {plot}", err=True)
    if not any(one.feasible for one in result.results):
        raise typer.Exit(1)


def _copies_of(text: str | None) -> list[int | str | None]:
    """Read ``1,fill,auto``; what a number of copies may be, the schema says."""
    if text is None:
        return []
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        allowed = "numbers, fill, auto or default, with commas between"
        raise ConfigError.of(Code.WRONG_FORM, "--copies", text, allowed=allowed)
    return [
        int(word) if word.isascii() and word.isdigit() else None if word == BY_PLACEMENT else word
        for word in dict.fromkeys(words)
    ]


def _draw(result: CompareResult, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables import compare as tables

    table = tables.comparison(result)
    choices: list[RenderableType] = [
        render.grid(tables.beside(table, " "), group_by="network"),
        render.grid(tables.beside(table, "\n"), group_by="network"),
        render.stack(*(render.grid(half) for half in tables.halves(table))),
    ]
    chip = result.results[0].resolved
    render.show(
        console,
        Text(f"chip {chip.chip.name} ({chip.technology.name}, {chip.device.name})", style="bold"),
    )
    render.show(console, render.gap(render.first_that_fits(console, choices)))
    layouts: list[RenderableType]
    if any(one.design != PLACEMENTS[0] for one in result.results):
        from reports.tables.copies import copies, copies_halves

        counted = copies(result)
        layouts = [
            render.grid(counted, group_by="network"),
            render.stack(*(render.grid(half) for half in copies_halves(counted))),
        ]
        render.show(console, render.gap(render.first_that_fits(console, layouts)))
    programmed = tables.programming(result)
    layouts = [
        render.grid(programmed, group_by="network"),
        render.stack(*(render.grid(half) for half in tables.programming_halves(programmed))),
    ]
    render.show(console, render.gap(render.first_that_fits(console, layouts)))
    notes = [*(f"Infeasible: {line}." for line in tables.reasons(result)), *tables.COMPARE_NOTES]
    render.show(console, render.gap(render.bullets("Notes", notes)))
