"""``archsim sweep``: a design space, point by point; ``archsim sweep show``: answers about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.groups import DefaultCommand
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable
from archsim.cli.study_options import DataRootOption, OwnDataOption, sweep_read_path
from archsim.cli.sweep_output import SweepBars, announce, summary
from archsim.errors import Code, ConfigError


@guarded
def run_command(
    sweep: Annotated[
        str,
        typer.Argument(help="Sweep, by name (archsim list sweeps) or YAML file."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Folder of the results. Default: sweeps/NAME.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what the folder has.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=1,
            help="Processes. Default: all cores where there is much to do.",
            show_default=False,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Run on a Dask cluster, e.g. tcp://10.0.0.1:8786, in place of processes here.",
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", help="Replaces the sweep's network.")
    ] = None,
    data: OwnDataOption = None,
    axes: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="PATH=VALUES",
            help="Add or replace an axis, e.g. chip.adc.bits=[4,5,6]. Repeatable.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Override a setting of the base design, or one of the sweep "
            "(sweep.fidelity=hardware). Repeatable.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Run also more than 10^8 combinations.")
    ] = False,
    max_minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", min=0, help="Begin no accuracy after so long."),
    ] = None,
    accuracy_cache: Annotated[
        Path | None,
        typer.Option(
            "--accuracy-cache",
            metavar="FOLDER",
            help="Where accuracies are kept and looked for. Default: the user's cache.",
            show_default=False,
        ),
    ] = None,
    data_root: DataRootOption = None,
    read_path: Annotated[
        str | None,
        options.choice_option(
            "--read-path",
            names=("off", "exact"),
            help="How accuracies take chips to be read: exact has converters, rows, inputs and "
            "wires of each point, off leaves them out. Default: the sweep's.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option("--format", help="How to write the summary.")
    ] = Format.TABLE,
    debug: options.DebugOption = False,
) -> None:
    """Run a sweep: every point of a design space, priced, and if wanted with its accuracy.

    Says first how many points there are, how long they take and how large they get. Ctrl-C and
    even a kill lose at most the parts in flight; --resume goes on. The results are Parquet files
    below FOLDER/parts, for archsim sweep show, pandas, polars or DuckDB.
    """
    from archsim.api.sweep import sweep as run_sweep
    from archsim.config.sweep import load_sweep

    if format is Format.CSV:
        raise ConfigError(
            "--format csv is for archsim sweep show; allowed: table, json",
            code=Code.UNSUPPORTED,
            field="--format",
            value="csv",
            allowed=("table", "json"),
        )
    asked = load_sweep(sweep, overrides or (), axes or (), network=network)
    settings = sweep_read_path(asked, overrides, read_path)
    place = out or Path("sweeps") / asked.name
    try:
        with SweepBars() as bars:
            done = run_sweep(
                sweep,
                out=place,
                overrides=settings,
                axes=axes or (),
                network=network,
                data=data,
                resume=resume,
                jobs=jobs,
                scheduler=scheduler,
                yes=yes,
                data_root=data_root,
                accuracy_cache=accuracy_cache,
                max_minutes=max_minutes,
                announce=announce,
                news=bars.news,
                evaluated=bars.evaluated,
                steps=bars.step,
            )
    except KeyboardInterrupt:
        kept = f"what is done is kept in {place}, --resume goes on"
        typer.echo(f"stopped; {kept if place.exists() else 'nothing was done yet'}", err=True)
        raise
    summary(done, format)


_SHOW = "Question"


@guarded
def show_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    pareto: Annotated[
        str | None,
        typer.Option(
            "--pareto",
            metavar="OBJECTIVES",
            help="Front of these, e.g. edp,area,accuracy or min:edp,max:accuracy_mean. Default: "
            "the sweep's objectives.",
            show_default=False,
            rich_help_panel=_SHOW,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Only such points, e.g. 'area_mm2 < 50'. Replaces the sweep's constraints. "
            "Repeatable.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    cheapest: Annotated[
        str | None,
        typer.Option(
            "--cheapest",
            metavar="RESULT",
            help="Point with the least of a result.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    effects: Annotated[
        str | None,
        typer.Option(
            "--effects",
            metavar="RESULT",
            help="What each parameter does to a result.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="POINT,POINT",
            help="What changed between two points.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    point: Annotated[
        int | None,
        typer.Option(
            "--point",
            help="One point, and the command that maps it by itself.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    most: Annotated[
        int, typer.Option("--top", min=1, help="Points shown in a table on the terminal.")
    ] = 20,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw it (.png, .pdf or .svg).", rich_help_panel="Output"
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page",
            metavar="FILE",
            help="Write one self-contained HTML page of the front, with the command of every "
            "point on it.",
            rich_help_panel="Output",
        ),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(
            "--figure",
            metavar="KIND",
            help="pareto, parallel, or X,Y: a heat map of two parameters. Default: pareto.",
            show_default=False,
            rich_help_panel="Output",
        ),
    ] = None,
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour",
            metavar="PARAMETER",
            help="Colours of the Pareto figure.",
            rich_help_panel="Output",
        ),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Show the points of a sweep that matter: its Pareto front, or the answer to a question.

    json and csv hold all points of the answer, in SI units with the unit in the name.
    """
    from archsim.api.sweep import open_sweep
    from archsim.cli import sweep_show as answers

    check_writable(out, plot)
    check_writable(page)
    asked = {"--cheapest": cheapest, "--effects": effects, "--compare": compare, "--point": point}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) > 1 or (given and pareto is not None):
        options = [*given, *(["--pareto"] if pareto else [])]
        raise ConfigError.of(Code.CONFLICT, ", ".join(options), problem="one question at a time")
    if plot is None and (figure or colour):
        option = "--figure" if figure else "--colour"
        raise ConfigError(f"{option} without --plot FILE", code=Code.CONFLICT, field=option)
    if page is not None and given:
        raise ConfigError(
            f"--page is of fronts, not of {given[0]}",
            code=Code.CONFLICT,
            field="--page",
            value=given[0],
        )
    if plot is not None and given:
        raise ConfigError(
            f"--plot draws fronts and heat maps, not {given[0]}",
            code=Code.CONFLICT,
            field="--plot",
            value=given[0],
        )
    result = open_sweep(folder)
    question = answers.Question(result, where, format, out, most)
    question.announce()
    if cheapest is not None:
        question.cheapest(cheapest)
    elif effects is not None:
        question.effects(effects)
    elif compare is not None:
        question.compare(compare)
    elif point is not None:
        question.point(point)
    else:
        if page is not None:
            question.page(pareto, page)
        question.front(pareto, plot, figure or "pareto", colour)


def sweep_app(help_of: Any) -> typer.Typer:
    """Return the command group.

    Args:
        help_of: makes a help text of a command's docstring.
    """
    group = typer.Typer(cls=DefaultCommand.of("run"))
    also = "Another command: archsim sweep show --help"
    group.command("run", help=help_of(run_command), epilog=also)(run_command)
    group.command("show", help=help_of(show_command))(show_command)
    return group
