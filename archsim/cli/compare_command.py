"""``archsim compare``: what the shared block costs, network by network."""

from __future__ import annotations

from typing import Annotated

import typer

from archsim.cli.options import (
    ChipOption,
    DebugOption,
    DeviceOption,
    Format,
    FormatOption,
    OutOption,
    SetOption,
    ShapeOption,
    TechnologyOption,
    TsbOption,
    parse_shape,
)
from archsim.cli.output import console, deliver, render, to_json
from archsim.config.resolve import DEFAULT_CHIP


def run(
    networks: Annotated[
        list[str] | None,
        typer.Argument(help="Networks; default: those of the TSB paper's Table 1."),
    ] = None,
    design: Annotated[
        list[str] | None,
        typer.Option("--design", help="Placements to compare; repeatable; default: all three."),
    ] = None,
    chip: ChipOption = DEFAULT_CHIP,
    technology: TechnologyOption = None,
    device: DeviceOption = None,
    tsb: TsbOption = None,
    overrides: SetOption = None,
    input_shape: ShapeOption = None,
    style: FormatOption = Format.TABLE,
    out: OutOption = None,
    debug: DebugOption = False,
) -> None:
    """Compare networks without the shared block, with one common and with separate blocks.

    Prints the EDP overhead, once with the latency of a single image and once with the pipeline
    period (what the paper's Table 1 calls latency). Exits with 1 if no row is feasible.
    """
    from archsim import pipeline
    from reports.tables import compare_csv, compare_table

    result = pipeline.compare(
        networks or pipeline.PAPER_NETWORKS,
        designs=design or pipeline.DESIGNS,
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb,
        overrides=tuple(overrides or ()),
        input_shape=parse_shape(input_shape),
    )
    if style is Format.JSON:
        deliver(to_json(result.to_dict()), out)
    elif style is Format.CSV:
        deliver(compare_csv(result), out)
    else:
        target = console()
        with target.capture() as captured:
            target.print(f"chip: {chip}", markup=False, highlight=False)
            render(compare_table(result), target)
            target.print(
                "E: dynamic and leakage energy of one image; latency: one image through all "
                "layers; period: between images; x: relative to the base",
                markup=False,
                highlight=False,
            )
            for entry in result.results:
                for reason in entry.infeasible_because:
                    target.print(
                        f"infeasible: {entry.network}, {entry.design}: {reason}",
                        markup=False,
                        highlight=False,
                    )
        deliver(captured.get(), out)
    if not any(entry.feasible for entry in result.results):
        raise typer.Exit(1)
