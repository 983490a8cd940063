"""``archsim sweep``: a design space, point by point; ``archsim sweep show``: answers about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli import options
from archsim.cli.groups import DefaultCommand
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable, deliver, json_text
from archsim.cli.study_options import DataRootOption
from archsim.errors import ConfigError

if TYPE_CHECKING:
    from archsim.explore.accuracy import Evaluated
    from archsim.explore.sweep import Progress
    from archsim.pipeline_sweep import Announcement, SweepResult

#: Version of the JSON of these commands.
SCHEMA = 1


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
    from archsim import pipeline_sweep as pipeline
    from archsim.config.sweep import load_sweep

    if format is Format.CSV:
        raise ConfigError("--format csv is for archsim sweep show; allowed: table, json")
    asked = load_sweep(sweep, overrides or (), axes or (), network=network)
    place = out or Path("sweeps") / asked.name
    try:
        with _Bars() as bars:
            done = pipeline.sweep(
                asked,
                out=place,
                resume=resume,
                jobs=jobs,
                scheduler=scheduler,
                yes=yes,
                data_root=data_root,
                accuracy_cache=accuracy_cache,
                max_minutes=max_minutes,
                announce=_announce,
                news=bars.news,
                evaluated=bars.evaluated,
            )
    except KeyboardInterrupt:
        typer.echo(f"stopped; what is done is kept in {place}, --resume goes on", err=True)
        raise
    _summary(done, format)


def _announce(found: Announcement) -> None:
    plan = found.plan
    points = f"{plan.combinations:,} combinations"
    if plan.points is not None and plan.points != plan.combinations:
        points = f"{plan.points:,} points of {points}"
    seconds = plan.seconds / found.jobs
    typer.echo(
        f"{points}, {plan.parts} part{'s' * (plan.parts > 1)}; about {_duration(seconds)} with "
        f"{found.jobs} process{'es' * (found.jobs > 1)}, {_size(plan.bytes)}",
        err=True,
    )
    own = found.strategy
    if own.kind == "optuna":
        typer.echo(f"  {own.sampler}: {own.trials:,} trials, {own.population} at a time", err=True)
    elif own.kind == "gradient":
        typer.echo(f"  then {own.starts} starts refined, {own.steps} steps of Adam each", err=True)
    for name, count in plan.forbidden.items():
        typer.echo(f"  left out: {count:,}, {name}", err=True)
    if found.cases:
        typer.echo(
            f"  {found.cases} distinct accuracies, each a training of its own unless the cache has "
            "it: not in that time",
            err=True,
        )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    if seconds < 6000:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 1000 or unit == "GB":
            return f"{count:.3g} {unit}"
    return ""


class _Bars:
    """Progress on standard error: bars on a terminal, a line per tenth elsewhere."""

    def __enter__(self) -> _Bars:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.shown = sys.stderr.isatty()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rate]}"),
            console=Console(file=sys.stderr),
            disable=not self.shown,
        )
        self.tasks: dict[str, Any] = {}
        self.tenths: dict[str, int] = {}
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def news(self, step: Progress) -> None:
        """Show a finished part."""
        rate = f"{step.combinations / max(step.seconds, 1e-9):,.0f} points/s"
        self._show("parts", step.parts, step.of, rate)

    def evaluated(self, step: Evaluated) -> None:
        """Show an accuracy."""
        self._show("accuracies", step.done, step.of, _duration(step.seconds))

    def _show(self, stage: str, done: int, total: int, rate: str) -> None:
        if self.shown:
            if stage not in self.tasks:
                self.tasks[stage] = self.progress.add_task(stage, total=total, rate="")
            self.progress.update(self.tasks[stage], completed=done, rate=rate)
            return
        tenth = 10 * done // max(total, 1)
        if tenth > self.tenths.get(stage, 0) or done == total:
            self.tenths[stage] = tenth
            typer.echo(f"{stage} {done}/{total}, {rate}", err=True)


def _summary(done: SweepResult, format: Format) -> None:
    counts = done.store.counts()
    rows, front = done.pareto()
    if format is not Format.TABLE:
        top = {
            "schema": SCHEMA,
            "sweep": done.sweep.name,
            "hash": done.store.hash,
            "folder": str(done.store.folder),
            **counts,
            "infeasible": front.infeasible,
            "not_evaluated": front.not_evaluated,
            "front": int(front.mask.sum()),
            "knee": None if front.knee is None else int(rows["point"].iloc[front.knee]),
        }
        deliver(json_text(top), None)
        return
    from archsim.cli.sweep_show import refined_lines

    folder = done.store.folder
    left = f", {front.not_evaluated:,} not evaluated" if front.not_evaluated else ""
    typer.echo(
        f"{folder}: {counts['rows']:,} points, {front.infeasible:,} of them infeasible{left}; "
        f"{int(front.mask.sum()):,} on the front of {', '.join(done.sweep.objectives)}"
    )
    for line in refined_lines(done):
        typer.echo(f"  {line}")
    typer.echo(f"next: archsim sweep show {folder}")


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
    figure: Annotated[
        str,
        typer.Option(
            "--figure",
            help="pareto, parallel, or X,Y: a heat map of two parameters.",
            rich_help_panel="Output",
        ),
    ] = "pareto",
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
    from archsim.cli import sweep_show as answers
    from archsim.pipeline_sweep import open_sweep

    check_writable(out, plot)
    asked = {"--cheapest": cheapest, "--effects": effects, "--compare": compare, "--point": point}
    given = [name for name, value in asked.items() if value is not None]
    if len(given) > 1 or (given and pareto is not None):
        raise ConfigError(
            f"{', '.join([*given, *(['--pareto'] if pareto else [])])}: one question at a time"
        )
    if plot is not None and given:
        raise ConfigError(f"--plot draws fronts and heat maps, not {given[0]}")
    result = open_sweep(folder)
    question = answers.Question(result, where, format, out, most)
    if cheapest is not None:
        question.cheapest(cheapest)
    elif effects is not None:
        question.effects(effects)
    elif compare is not None:
        question.compare(compare)
    elif point is not None:
        question.point(point)
    else:
        question.front(pareto, plot, figure, colour)


def sweep_app(help_of: Any) -> typer.Typer:
    """Return the command group.

    Args:
        help_of: makes a help text of a command's docstring.
    """
    group = typer.Typer(cls=DefaultCommand.of("run"))
    group.command("run", help=help_of(run_command))(run_command)
    group.command("show", help=help_of(show_command))(show_command)
    return group
