"""``archsim cliffs``: totals that jump for a step of one."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, write_result
from archsim.config.choices import PLACEMENTS

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.cliffs import CliffScan


@guarded
def cliffs_command(
    network: Annotated[
        str,
        typer.Argument(
            help="Built-in name (archsim list networks), timm:NAME, model.onnx, "
            "layers.csv or package.module:function."
        ),
    ] = "vgg8",
    design: Annotated[
        str,
        options.choice_option("--design", names=PLACEMENTS, help="Placement of the shared block."),
    ] = PLACEMENTS[0],
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="NAME",
            help="rows, cols, adc_bits, input_bits, weight_bits, cell_bits or outputs; "
            "repeatable. Default: all.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="Layer whose outputs are changed; repeatable. Default: the widest.",
            show_default=False,
        ),
    ] = None,
    span: Annotated[int, typer.Option("--span", help="Outputs fewer and more to try.")] = 32,
    threshold: Annotated[
        float, typer.Option("--threshold", help="Change of a total that is a jump, in per cent.")
    ] = 10.0,
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
    """Find sizes at which a total jumps for a step of one, and say what makes it jump.

    Rows, columns, bits and outputs of a layer are changed one at a time. A jump is a piece more or
    less (a tile, a crossbar, a cell per weight, a clock cycle), the share of a step in a small
    number, or a rule of the mapping, which chip.hierarchy.tile=auto and the banks of buffers mend.
    Sizes beside the network's own that would take fewer tiles stand below.
    """
    check_writable(out)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    shape, dtype = options.parse_shapes(input_shape), options.parse_dtypes(input_dtype)

    from archsim.api.cliffs import cliffs

    scan = cliffs(
        network,
        axes=tuple(axis or ()),
        layers=tuple(layer or ()),
        span=span,
        threshold=threshold / 100,
        design=design,
        input_shape=shape,
        input_dtype=dtype,
        batch_axis=batch_axis,
        **settings,
    )
    from reports.tables.cliffs import jumps

    write_result(
        scan,
        format,
        out,
        rows=functools.partial(jumps, scan),
        draw=functools.partial(_draw, scan),
    )


def _draw(scan: CliffScan, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables.cliffs import heading, jumps

    render.show(console, Text(heading(scan), style="bold"))
    if scan.jumps:
        render.show(console, render.gap(render.grid(jumps(scan), group_by="axis")))
    if scan.neighbours:
        said = [own.said for own in scan.neighbours]
        render.show(console, render.gap(render.bullets("Sizes that take fewer tiles", said)))
