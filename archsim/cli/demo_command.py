"""``archsim demo``: the main job, with no clone and no download."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.report_command import make_command

#: What ``--quick`` leaves of the shipped study.
_QUICK = ("study.chips=2", "study.runs=2", "study.tuning.steps=30")


@guarded
def demo_command(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="FOLDER", help="Where everything is written.")
    ] = Path("archsim-demo"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Fewer chips, runs and steps: to see it work, not to conclude from."
        ),
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of the training.")] = 1,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Train LeNet-3, program chips, repair them, price every design, and write the joint report.

    Uses the part of MNIST that archsim ships. Interrupted runs resume. The same as archsim report
    tsb-lenet3 --run FOLDER.
    """
    make_command(
        targets=["tsb-lenet3"],
        run=folder,
        overrides=list(_QUICK) if quick else None,
        jobs=jobs,
        format=format,
        out=out,
        debug=debug,
    )
