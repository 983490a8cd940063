"""``archsim train``: backbones, chips, corrections and accuracy of a study."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archsim.cli import options
from archsim.cli.evaluate_output import write_run
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable
from archsim.cli.study_options import (
    DataRootOption,
    NetworkOption,
    OwnDataOption,
    ReadPathOption,
    with_read_path,
)

#: ``tsb.study.work.PHASES``, without its imports.
_PHASES = ("program", "repair", "evaluate")

if TYPE_CHECKING:
    from tsb.study.run import News, Step


@guarded
def train_command(
    study: Annotated[
        str | None,
        typer.Argument(
            help="Study, by name (archsim list studies) or YAML file. Default: tsb-lenet3.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method", help="Only this method of the study (and its baseline). Repeatable."
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="FOLDER",
            help="Folder of the run; an existing run is resumed. Default: runs/NAME.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes, each with one thread.")
    ] = 1,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="WHERE",
            help="Where to compute: cpu, cuda, cuda:N, or auto (a GPU if there is one). The "
            "device of the cells is study.device.",
        ),
    ] = "cpu",
    network: NetworkOption = None,
    data: OwnDataOption = None,
    data_root: DataRootOption = None,
    read_path: ReadPathOption = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="Override one setting, e.g. study.chips=4 or study.sigma=[0.1,0.2]. Repeatable.",
        ),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Train a study: backbones, chips, corrections, and their accuracy on the test images.

    What the folder of the run already has is kept: an interrupted run resumes where it was.
    Ends with the table of archsim evaluate, and writes results.csv and learning-curves.png.
    """
    check_writable(out, folder_option="--run")
    from archsim.api.train import DEFAULT_STUDY, run_place, train
    from archsim.util.consent import saying
    from archsim.util.lock import locked
    from tsb.study.load import load_study

    asked, settings = study or DEFAULT_STUDY, with_read_path(overrides, read_path)
    place = run_place(load_study(asked, settings), run)
    try:
        with locked(place, option="--run"):
            with StudyBars() as bars:
                done = train(
                    asked,
                    out=place,
                    methods=method or (),
                    overrides=settings,
                    data_root=data_root,
                    jobs=jobs,
                    device=device,
                    network=network,
                    data=data,
                    news=bars.news,
                )
            with saying([done.study.network]):
                write_run(done.folder, format, out)
    except KeyboardInterrupt:
        typer.echo("stopped; the same command resumes where it was", err=True)
        raise


class StudyBars:
    """One progress bar per stage on a terminal, a line per unit elsewhere; on standard error."""

    def __enter__(self) -> StudyBars:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.shown = sys.stderr.isatty()
        self.progress = Progress(
            TextColumn("{task.fields[stage]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=Console(file=sys.stderr),
            disable=not self.shown,
        )
        self.tasks: dict[str, int] = {}
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    @property
    def news(self) -> News:
        """What to call with every step."""
        return self._show

    def _show(self, step: Step) -> None:
        text = step.unit
        if step.epoch is not None:
            text += f", epoch {step.epoch}: {100 * (step.accuracy or 0):.2f} % (noisy validation)"
        if not self.shown:
            if step.phase is None:
                typer.echo(f"{step.stage} {step.done}/{step.total}: {text}", err=True)
            return
        done = step.done + (step.phase is not None)
        for stage in _bars_of(step):
            self._update(stage, text, done, step.total)

    def _update(self, stage: str, text: str, done: int, total: int) -> None:
        from rich.progress import TaskID

        if stage not in self.tasks:
            self.tasks[stage] = self.progress.add_task(text, total=total, stage=stage)
        self.progress.update(
            TaskID(self.tasks[stage]), completed=done, total=total, description=text
        )


def _bars_of(step: Step) -> tuple[str, ...]:
    """Return the bars that a step moves: a method is programmed, repaired and evaluated."""
    if step.stage == "backbones":
        return ("train",)
    if step.stage != "methods":
        return (step.stage,)
    return _PHASES if step.phase is None else (step.phase,)
