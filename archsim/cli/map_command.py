"""``archsim map``: one network on one chip, layer by layer and in total."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from archsim.cli.output import console, deliver, render, to_json, write_atomically
from archsim.config.resolve import DEFAULT_CHIP
from archsim.errors import ConfigError

if TYPE_CHECKING:
    from archsim.results import MapResult
    from archsim.sensitivity import Elasticity, Interval


def run(
    network: Annotated[
        str, typer.Argument(help="Zoo name (archsim list networks) or package.module:function.")
    ] = "vgg8",
    design: Annotated[
        str, typer.Option("--design", help="Shared block: none, common or separate.")
    ] = "none",
    chip: ChipOption = DEFAULT_CHIP,
    technology: TechnologyOption = None,
    device: DeviceOption = None,
    tsb: TsbOption = None,
    overrides: SetOption = None,
    input_shape: ShapeOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the floorplan, or the top ten with --sensitivity (PNG, SVG or PDF).",
        ),
    ] = None,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Which parameter moves what, from autograd.")
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Intervals from the constants' uncertainty.")
    ] = False,
    samples: Annotated[int, typer.Option("--samples", help="Draws for --uncertainty.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Seed for --uncertainty.")] = 0,
    resolved: Annotated[
        Path | None,
        typer.Option(
            "--resolved", metavar="FILE", help="Write the full configuration as YAML, too."
        ),
    ] = None,
    style: FormatOption = Format.TABLE,
    out: OutOption = None,
    debug: DebugOption = False,
) -> None:
    """Map a network onto a chip: tiles per layer, area, energy, latency, EDP and write pulses.

    --format csv writes the layers; --format json everything. An infeasible design says what is
    short and what to change, and exits with 1.
    """
    from archsim import pipeline

    result = pipeline.map_network(
        network,
        design=design,
        chip=chip,
        technology=technology,
        device=device,
        tsb=tsb,
        overrides=overrides or (),
        input_shape=parse_shape(input_shape),
    )
    elasticities = pipeline.sensitivities(result) if sensitivity and result.feasible else None
    intervals = (
        pipeline.intervals(result, samples=samples, seed=seed)
        if uncertainty and result.feasible
        else None
    )
    if resolved is not None:
        text = f"# config_hash: {result.resolved.config_hash}\n{result.resolved.dump()}"
        write_atomically(resolved, text.encode())
    if plot is not None and result.feasible:
        _plot(result, elasticities, plot)
    if style is Format.JSON:
        deliver(to_json(_as_dict(result, elasticities, intervals)), out)
    elif style is Format.CSV:
        deliver(_as_csv(result, elasticities, intervals), out)
    else:
        deliver_tables(result, elasticities, intervals, out)
    if plot is not None and result.feasible and style is Format.TABLE:
        typer.echo(f"figure written to {plot}")
    if not result.feasible:
        raise typer.Exit(1)


def _as_dict(
    result: MapResult,
    elasticities: tuple[Elasticity, ...] | None,
    intervals: tuple[Interval, ...] | None,
) -> dict[str, Any]:
    value = result.to_dict()
    if elasticities is not None:
        value["sensitivity"] = [entry.to_dict() for entry in elasticities]
    if intervals is not None:
        value["uncertainty"] = {entry.name: entry.to_dict() for entry in intervals}
    return value


def _as_csv(
    result: MapResult,
    elasticities: tuple[Elasticity, ...] | None,
    intervals: tuple[Interval, ...] | None,
) -> str:
    from reports.tables import interval_table, layer_csv, sensitivity_table

    if not result.feasible:
        raise ConfigError(
            "an infeasible design has no layers to write as csv; use --format json or table: "
            + "; ".join(result.infeasible_because)
        )
    if elasticities is not None:
        return sensitivity_table(elasticities).to_csv()
    if intervals is not None:
        return interval_table(intervals).to_csv()
    return layer_csv(result)


def _plot(result: MapResult, elasticities: tuple[Elasticity, ...] | None, path: Path) -> None:
    if elasticities is not None:
        from reports.figures.sensitivity import save_sensitivity

        save_sensitivity(elasticities, path)
        return
    from reports.figures.floorplan import save_floorplan

    from archsim import pipeline

    save_floorplan(result, pipeline.placement(result), path)


def deliver_tables(
    result: MapResult,
    elasticities: tuple[Elasticity, ...] | None,
    intervals: tuple[Interval, ...] | None,
    out: Path | None,
) -> None:
    """Print the tables of a mapped network, or write them to a file as text."""
    from reports import tables

    target = console()
    with target.capture() as captured:
        for line in _header(result):
            target.print(line, markup=False, highlight=False)
        if result.feasible:
            render(tables.layer_table(result), target)
            render(tables.breakdown_table(result), target)
            render(tables.totals_table(result), target)
        if elasticities is not None:
            render(tables.sensitivity_table(elasticities, most=10), target)
        if intervals is not None:
            render(tables.interval_table(intervals), target)
        for line in _footer(result):
            target.print(line, markup=False, highlight=False)
    deliver(captured.get(), out)


def _header(result: MapResult) -> list[str]:
    chip = result.resolved.chip
    lines = [
        f"{result.network} on {chip.name} ({result.resolved.technology.name}, "
        f"{result.resolved.device.name}, {chip.crossbar.rows}x{chip.crossbar.cols} crossbars), "
        f"shared block: {result.design}"
    ]
    if result.design != "none":
        block = result.resolved.tsb
        count = sum(kind == "tsb" for kind in result.plan.kinds)
        lines.append(
            f"TSB: {block.channels} channels, depth {block.depth}, inserted {count} times "
            f"(rule {block.insertion})"
        )
    return lines


def _footer(result: MapResult) -> list[str]:
    lines = []
    if not result.feasible:
        lines.append("INFEASIBLE")
        lines += [f"  {reason}" for reason in result.infeasible_because]
    unmapped = result.graph.unmapped
    if unmapped:
        names = ", ".join(f"{op.name} ({op.op})" for op in unmapped)
        lines.append(f"not mapped and not priced: {names}")
    chip = result.resolved.chip
    lines.append(
        f"write-verify: {chip.programming.policy}; stages "
        + ("pipelined" if chip.timing.pipeline else "one after another")
        + f"; config {result.resolved.config_hash}"
    )
    return lines
