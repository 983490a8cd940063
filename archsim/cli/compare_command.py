"""``archsim compare``: networks without, with a common and with separate shared blocks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text
from archsim.config.choices import PLACEMENTS

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
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Compare the shared block's designs: base, (C) common, (S) separate.

    Area, energy, latency, period and both energy-delay products (EDP), and what programming takes
    under the chip's write-verify policy, absolute and relative to the base. The exit code is 1 only
    when no row is feasible.
    """
    check_writable(out)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    shape, dtype = options.parse_shapes(input_shape), options.parse_dtypes(input_dtype)
    settings["batch_axis"] = batch_axis

    from archsim.api.compare import PAPER_NETWORKS, compare

    wanted = {PLACEMENTS[0], *(design or PLACEMENTS)}
    designs = [name for name in PLACEMENTS if name in wanted]
    names = networks or PAPER_NETWORKS
    result = compare(names, designs=designs, input_shape=shape, input_dtype=dtype, **settings)
    _write(result, format, out)
    if not any(one.feasible for one in result.results):
        raise typer.Exit(1)


def _write(result: CompareResult, format: Format, out: Path | None) -> None:
    if format is Format.JSON:
        deliver(json_text(result.to_dict()), out)
    elif format is Format.CSV:
        rows = result.rows()
        deliver(csv_text(list(rows[0]), rows), out)
    else:
        from archsim.cli import render

        render.present(functools.partial(_draw, result), out)


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
    programmed = tables.programming(result)
    layouts: list[RenderableType] = [
        render.grid(programmed, group_by="network"),
        render.stack(*(render.grid(half) for half in tables.programming_halves(programmed))),
    ]
    render.show(console, render.gap(render.first_that_fits(console, layouts)))
    notes = [*(f"Infeasible: {line}." for line in tables.reasons(result)), *tables.COMPARE_NOTES]
    render.show(console, render.gap(render.bullets("Notes", notes)))
