"""``archsim evaluate NETWORK``: a trained network on chips, without training."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli.options import Format, choice_option
from archsim.cli.output import check_writable, write_result
from archsim.config.choices import COMPENSATIONS, SCALINGS

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.results.network_accuracy import NetworkAccuracy

_PANEL = "A trained network"
_option = functools.partial(typer.Option, show_default=False, rich_help_panel=_PANEL)
_choice = functools.partial(choice_option, show_default=False, rich_help_panel=_PANEL)


CheckpointOption = Annotated[
    Path | None,
    _option(
        "--checkpoint",
        metavar="FILE",
        help="Trained weights of NETWORK, safetensors. Default: those that its function gives.",
    ),
]
MetricOption = Annotated[
    str | None,
    _option(
        "--metric",
        metavar="NAME|MODULE:FUNCTION",
        help="archsim list task-metrics. Default: top-1, for values mse.",
    ),
]
DirectionOption = Annotated[
    str | None,
    _choice(
        "--metric-direction",
        names=("higher", "lower"),
        help="Which end of a MODULE:FUNCTION is better, where it does not say it.",
    ),
]
ChipsOption = Annotated[
    int | None,
    _option(
        "--chips",
        min=1,
        help="Programmed chips. Default: 8.",
    ),
]
RangesOption = Annotated[
    str | None,
    _choice(
        "--ranges",
        names=("max", "percentile", "mse", "histogram"),
        help="Ranges of inputs from calibration items: archsim list range-rules. Default: max.",
    ),
]
PercentileOption = Annotated[
    float | None,
    _option(
        "--percentile",
        help="Of --ranges percentile, per cent. Default: 99.99.",
    ),
]
ScalingOption = Annotated[
    str | None,
    _choice(
        "--scaling",
        names=SCALINGS,
        help="What shares a full-scale conductance. Default: tensor.",
    ),
]
WriteOption = Annotated[
    str | None,
    _option(
        "--write",
        metavar="POLICY",
        help="Which weights are write-verified, e.g. all (archsim list policies). Default: none.",
    ),
]
RepairOption = Annotated[
    str | None,
    _option(
        "--repair",
        metavar="NAME+NAME",
        help="Without labels: archsim list repairs. Default: none.",
    ),
]
ReadAfterOption = Annotated[
    float | None,
    _option(
        "--read-after",
        metavar="SECONDS",
        help="Time from programming to the reads: cells drift. Default: read at once.",
    ),
]
ReadNoiseOption = Annotated[
    bool,
    _option(
        "--read-noise",
        help="Read the cells of each chip once, with the device's read noise.",
    ),
]
CompensationOption = Annotated[
    str | None,
    _choice(
        "--compensation",
        names=COMPENSATIONS,
        help="Of drift, from reference reads: archsim list compensations. Default: none.",
    ),
]
CalibratedOption = Annotated[
    float | None,
    _option(
        "--calibrated-after",
        metavar="SECONDS",
        help="Time from programming to the measurement of compensation and repairs. Default: that "
        "of the reads.",
    ),
]
CalibrationOption = Annotated[
    int | None,
    _option(
        "--calibration",
        min=1,
        help="Training items behind ranges and repairs. Default: 128.",
    ),
]
SigmaOption = Annotated[
    float | None,
    _option(
        "--sigma",
        help="Spread of one pulse. Default: the device's.",
    ),
]
NetworkOptionsOption = Annotated[
    list[str] | None,
    _option(
        "--option",
        metavar="NAME=VALUE",
        help="Of the network, where the checkpoint does not say it. Repeatable.",
    ),
]


def is_network(name: str, checkpoint: Path | None) -> bool:
    """Whether what is evaluated is a network, neither a run nor a chip.

    Args:
        name: of the first argument.
        checkpoint: of ``--checkpoint``.
    """
    if checkpoint is not None:
        return True
    from archsim.network import zoo
    from archsim.util.files import path_exists

    return not path_exists(Path(name)) and (":" in name or name in zoo.names())


def write_network(
    network: str,
    given: dict[str, Any],
    *,
    option: list[str] | None,
    format: Format,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Measure a network and write its stages.

    Args:
        network: its name.
        given: arguments of ``archsim.evaluate_network``; None for those that were not given.
        option: options of the network, ``NAME=VALUE``.
        format: of the output.
        out: file; None for standard output.
        plot: file of the figure; None for none.
    """
    from archsim.api.pretrained import evaluate_network
    from archsim.config.load import parse_options

    check_writable(plot=plot)
    result = evaluate_network(
        network,
        **{name: value for name, value in given.items() if value is not None},
        options=parse_options(option or ()),
        progress=lambda line: typer.echo(line, err=True),
    )
    from reports.tables.network_accuracy import STAGE_COLUMNS

    keys = [column.key for column in STAGE_COLUMNS]
    write_result(
        result,
        format,
        out,
        rows=lambda: [{key: getattr(stage, key) for key in keys} for stage in result.stages],
        draw=functools.partial(_draw, result),
    )
    if plot is not None:
        from reports.figures.network_accuracy import save_stages

        save_stages(result, plot)
        typer.echo(f"wrote {plot}", err=True)


def _draw(result: NetworkAccuracy, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables import network_accuracy as tables

    render.show(console, Text(tables.heading(result), style="bold"))
    render.show(console, Text(tables.rounding(result)))
    render.show(console, render.gap(render.grid(tables.stages(result))))
    if result.price is not None:
        render.show(console, render.gap(render.grid(tables.price(result.price))))
    said = tables.choice(result)
    if said:
        render.show(console, render.gap(Text(said)))
    render.show(console, render.gap(render.bullets("How to read it", result.notes)))
