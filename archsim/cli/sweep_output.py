"""What a sweep says before, while and after it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.cli.output import deliver, json_text

if TYPE_CHECKING:
    from archsim.api.sweep import Announcement
    from archsim.explore.accuracy.accuracy import Evaluated, Work
    from archsim.explore.query.result import SweepResult
    from archsim.explore.run.sweep import Progress
    from tsb.study.run import Step

#: Version of the JSON.
_SCHEMA = 1
#: Without a terminal, the steps of a training are said so seldom, s.
_QUIET_s = 30.0
_STAGE = "training"


def announce(announcement: Announcement) -> None:
    """Say what a sweep is going to do, on standard error.

    Args:
        announcement: what it said.
    """
    plan = announcement.plan
    points = f"{plan.combinations:,} combinations"
    if plan.points is not None and plan.points != plan.combinations:
        points = f"{plan.points:,} points of {points}"
    if announcement.left < 1:
        points += f", {announcement.left:.0%} of them left"
    seconds = plan.seconds * announcement.left
    who = f"with {announcement.jobs} process{'es' * (announcement.jobs > 1)}"
    if announcement.scheduler:
        who = f"of one core, on {announcement.scheduler}"
    else:
        seconds /= announcement.jobs
    took = f"about {_duration(seconds)} {who}, and some to begin"
    took = took if announcement.left else "nothing to do"
    typer.echo(
        f"{points}, {plan.parts} part{'s' * (plan.parts > 1)}; {took}, {_size(plan.bytes)}",
        err=True,
    )
    strategy = announcement.strategy
    if strategy.kind == "optuna":
        typer.echo(
            f"  {strategy.sampler}: {strategy.trials:,} trials, {strategy.population} at a time",
            err=True,
        )
    elif strategy.kind == "gradient":
        typer.echo(
            f"  then {strategy.starts} starts refined, {strategy.steps} steps of Adam each",
            err=True,
        )
    for name, count in plan.forbidden.items():
        typer.echo(f"  left out: {count:,}, {name}", err=True)
    if announcement.cases:
        typer.echo(f"  {_accuracies(announcement.cases)}", err=True)


def _accuracies(cases: Sequence[Work]) -> str:
    known = sum(work.known is not None for work in cases)
    text = f"{len(cases)} distinct accuracies, {known} of them known"
    seconds = sum(work.seconds for work in cases)
    if seconds:
        text += f"; the others take one core about {_duration(seconds)} more, by a first guess"
    return text


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


class SweepBars:
    """Progress on standard error: bars on a terminal, a line per tenth elsewhere."""

    def __enter__(self) -> SweepBars:
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
        self.said = time.monotonic()
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
        left = "" if step.left_s is None else f"about {_duration(step.left_s)} left"
        self._show("accuracies", step.done, step.of, left)

    def step(self, step: Step) -> None:
        """Show what a training for an accuracy has done: now and then, where there are no bars."""
        text = step.unit
        if step.epoch is not None:
            text += f", epoch {step.epoch}: {100 * (step.accuracy or 0):.2f} %"
        if self.shown:
            if _STAGE not in self.tasks:
                self.tasks[_STAGE] = self.progress.add_task(_STAGE, total=None, rate="")
            self.progress.update(self.tasks[_STAGE], rate=text)
        elif time.monotonic() - self.said > _QUIET_s:
            self.said = time.monotonic()
            typer.echo(f"  {step.stage}: {text}", err=True)

    def _show(self, stage: str, done: int, total: int, rate: str) -> None:
        if self.shown:
            if stage not in self.tasks:
                self.tasks[stage] = self.progress.add_task(stage, total=total, rate="")
            self.progress.update(self.tasks[stage], completed=done, rate=rate)
            return
        tenth = 10 * done // max(total, 1)
        if tenth > self.tenths.get(stage, 0) or done == total:
            self.tenths[stage] = tenth
            typer.echo(f"{stage} {done}/{total}{', ' * bool(rate)}{rate}", err=True)


def summary(done: SweepResult, format: Format) -> None:
    """Say what a sweep came to.

    Args:
        done: the sweep.
        format: table or JSON.
    """
    counts = done.store.counts()
    rows, front = done.pareto(columns=())
    if format is not Format.TABLE:
        top = {
            "schema": _SCHEMA,
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
    for note in done.accuracy_notes:
        typer.echo(f"  {note}")
    for name, count in done.infeasible_because().items() if front.infeasible else ():
        typer.echo(f"  infeasible: {count:,}, {name}")
    for line in refined_lines(done):
        typer.echo(f"  {line}")
    typer.echo(f"next: archsim sweep show {folder}")
