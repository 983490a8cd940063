"""``archsim map``: one network on one chip."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, csv_text, deliver, json_text, write_file
from archsim.config.choices import PLACEMENTS
from archsim.util.checks import seed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from archsim.results.limits import Limit
    from archsim.results.mapped import MapResult
    from archsim.results.sensitivity import Elasticity, Interval
    from archsim.results.served import BlockQueue
    from archsim.results.silicon_interval import SiliconInterval
    from reports.tables.table import Table

_STDOUT = Path("-")


@guarded
def map_command(
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
    plot: Annotated[
        Path | None,
        options.plot_option(
            "the floorplan, the sensitivities if asked for, or when each layer works if the "
            "file's name begins with 'schedule'"
        ),
    ] = None,
    layer_energy: Annotated[
        Path | None,
        typer.Option(
            "--layer-energy",
            metavar="FILE",
            help="Write the energy of every layer and component as CSV.",
            rich_help_panel="Output",
        ),
    ] = None,
    queue: Annotated[
        Path | None,
        typer.Option(
            "--queue",
            metavar="FILE",
            help="Write which vector waits for which copy of a common block as CSV, or JSON if "
            "the file ends in .json, and say what the queue is made of.",
            rich_help_panel="Output",
        ),
    ] = None,
    sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="Which parameter moves what by how much (autograd)."),
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Intervals of the totals: the constants' uncertainty."),
    ] = False,
    samples: Annotated[int, typer.Option("--samples", min=2, help="Draws of --uncertainty.")] = 500,
    seed: Annotated[int, typer.Option("--seed", help="Of --uncertainty, 0 to 2^32 - 1.")] = 0,
    resolved: Annotated[
        Path | None,
        typer.Option(
            "--resolved",
            metavar="FILE|-",
            help="Write the complete configuration with its hash and sources as YAML; - prints it "
            "in place of the result.",
            rich_help_panel="Output",
        ),
    ] = None,
    debug: options.DebugOption = False,
) -> None:
    """Map one network onto one chip: tiles, area, energy, latency and write pulses.

    json holds everything; csv the rows of one table: the layers, or the sensitivities or intervals
    if asked for. An infeasible design says what is short and what to change, and ends with exit
    code 1.
    """
    seed_of(seed)
    _check_files(out, plot, resolved, layer_energy, queue)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    shape, dtype = options.parse_shapes(input_shape), options.parse_dtypes(input_dtype)
    settings["batch_axis"] = batch_axis

    from archsim.api.map import intervals as intervals_of
    from archsim.api.map import limits as limits_of
    from archsim.api.map import map_network, sensitivities, silicon_intervals
    from archsim.api.map import queue as queue_of

    result = map_network(network, design=design, input_shape=shape, input_dtype=dtype, **settings)
    report = _Report(
        result,
        sensitivities(result) if sensitivity and result.feasible else None,
        intervals_of(result, samples=samples, seed=seed)
        if uncertainty and result.feasible
        else None,
        silicon_intervals(result) if result.feasible else (),
        limits_of(result) if result.feasible and format is not Format.CSV else (),
        queue_of(result) if queue is not None and result.feasible else None,
    )
    if resolved is not None:
        deliver(_resolved_text(result), None if resolved == _STDOUT else resolved)
    if resolved != _STDOUT or out is not None:
        _write(report, format, out)
    if layer_energy is not None:
        _write_layer_energies(report, layer_energy)
    if queue is not None:
        _write_queue(report, queue)
    if plot is not None:
        _plot(report, plot)
    if not result.feasible:
        raise typer.Exit(1)


class _Report(NamedTuple):
    """What was asked for and could be computed."""

    result: MapResult
    elasticities: tuple[Elasticity, ...] | None
    intervals: tuple[Interval, ...] | None
    silicon: tuple[SiliconInterval, ...]
    limits: tuple[Limit, ...]
    queue: BlockQueue | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract, with the analyses where there are any."""
        data = self.result.to_dict()
        if self.silicon:
            data["silicon_interval"] = {entry.name: entry.to_dict() for entry in self.silicon}
        if self.limits:
            data["limits"] = {limit.total: limit.to_dict() for limit in self.limits}
        if self.elasticities is not None:
            data["sensitivity"] = [entry.to_dict() for entry in self.elasticities]
        if self.intervals is not None:
            data["uncertainty"] = {entry.name: entry.to_dict() for entry in self.intervals}
        if self.queue is not None:
            data["queue"] = self.queue.to_dict()
        return data


def _check_files(
    out: Path | None, plot: Path | None, resolved: Path | None, *more: Path | None
) -> None:
    check_writable(out, None if resolved == _STDOUT else resolved, *more, plot=plot)


def _write(report: _Report, format: Format, out: Path | None) -> None:
    if format is Format.TABLE:
        from archsim.cli import render

        render.present(functools.partial(_draw, report), out)
    elif format is Format.JSON:
        deliver(json_text(report.to_dict()), out)
    else:
        table = _csv_table(report)
        deliver(csv_text([column.key for column in table.columns], table.records()), out)
        for reason in report.result.infeasible_because:
            typer.echo(f"infeasible: {reason}", err=True)


def _csv_table(report: _Report) -> Table:
    from reports.tables import analysis as analysis_tables
    from reports.tables.mapped import layers as layer_table

    if report.elasticities is not None:
        return analysis_tables.sensitivity(report.elasticities)
    if report.intervals is not None:
        return analysis_tables.intervals(report.intervals)
    return layer_table(report.result)


def _draw(report: _Report, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from archsim.results.limits import LEFT_OUT
    from reports.tables.assumptions import assumptions, capacity
    from reports.tables.mapped import (
        COST_COLUMNS,
        SHAPE_COLUMNS,
        breakdown,
        component_use,
        heading,
        layer_overview,
        shortages,
        totals,
    )

    result = report.result
    render.show(console, Text(heading(result), style="bold"))
    if not result.feasible:
        render.show(console, render.gap(render.grid(shortages(result))))
        if result.capacity is not None:
            render.show(
                console, render.gap(render.bullets("Larger than the chip", capacity(result)))
            )
        return
    layers = layer_overview(result)
    shapes = render.grid(layers.select(SHAPE_COLUMNS, "Layers"))
    costs = render.grid(layers.select(COST_COLUMNS, "Layers, mapped"))
    boxes = [render.figures(group) for group in totals(result)]
    parts = [
        render.first_that_fits(console, [render.grid(layers), render.stack(shapes, costs)]),
        render.first_that_fits(console, [render.side_by_side(boxes), render.stack(*boxes)]),
        *_silicon(report),
        render.grid(breakdown(result), last_is_sum=True),
        render.grid(component_use(result), last_is_sum=True),
        *_analyses(report),
        *_queue(report),
        render.bullets("What limits", [limit.said for limit in report.limits] + [LEFT_OUT]),
        render.bullets("Assumed and left out", assumptions(result)),
    ]
    for part in parts:
        render.show(console, render.gap(part))


def _silicon(report: _Report) -> Iterator[RenderableType]:
    from archsim.cli import render
    from reports.tables.silicon_interval import silicon_intervals

    if report.silicon:
        yield render.grid(silicon_intervals(report.silicon))


def _queue(report: _Report) -> Iterator[RenderableType]:
    from archsim.cli import render
    from reports.tables.queue import queue_table

    if report.queue is not None:
        yield render.grid(queue_table(report.queue))
        yield render.bullets("The queue", [report.queue.limit])


#: Parameters shown in a terminal; json and csv hold all.
_MOST = 10


def _analyses(report: _Report) -> Iterator[RenderableType]:
    from archsim.cli import render
    from reports.tables import analysis as analysis_tables

    if report.elasticities is not None:
        yield render.grid(analysis_tables.sensitivity(report.elasticities, _MOST))
    if report.intervals is not None:
        yield render.grid(analysis_tables.intervals(report.intervals))


def _write_layer_energies(report: _Report, path: Path) -> None:
    from reports.tables.mapped import layer_energies

    if not report.result.feasible:
        typer.echo(f"{path}: not written, the design is infeasible", err=True)
        return
    table = layer_energies(report.result)
    text = csv_text([column.key for column in table.columns], table.records())
    write_file(path, text.encode("utf-8"))
    typer.echo(f"wrote {path}", err=True)


def _write_queue(report: _Report, path: Path) -> None:
    if report.queue is None:
        typer.echo(f"{path}: not written, the design is infeasible", err=True)
        return
    records = [one.record() for one in report.queue.served]
    as_json = path.suffix.lower() == ".json"
    text = json_text(report.queue.to_dict()) if as_json else csv_text(list(records[0]), records)
    write_file(path, text.encode("utf-8"))
    typer.echo(f"wrote {path}", err=True)


def _resolved_text(result: MapResult) -> str:
    from archsim import __version__

    head = (
        f"# archsim {__version__}: complete configuration\n"
        f"# network: {result.network}, design: {result.design}\n"
        f"# config hash: {result.resolved.config_hash}\n"
    )
    return head + result.resolved.dump()


def _plot(report: _Report, path: Path) -> None:
    if not report.result.feasible:
        typer.echo(f"{path}: not drawn, the design is infeasible", err=True)
        return
    if report.elasticities is not None:
        from reports.figures.sensitivity import save_sensitivity

        save_sensitivity(report.elasticities, path)
    elif path.name.startswith("schedule"):
        from archsim.api.map import schedule
        from reports.figures.schedule import save_schedule

        result = report.result
        overlap = result.resolved.chip.timing.overlap
        title = f"{result.network}, shared block {result.design}, overlap {overlap}: one image"
        save_schedule(title, schedule(result), path)
    else:
        from archsim.api.map import placement
        from reports.figures.floorplan import save_floorplan

        save_floorplan(report.result, placement(report.result), path)
    typer.echo(f"wrote {path}", err=True)
