"""``archsim tune``: train corrections for programmed chips."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.study_options import (
    ChipReadPathOption,
    DataOption,
    DataRootOption,
    NetworkOption,
    read_by,
)
from archsim.util.checks import seed_of


@guarded
def tune_command(
    chips: Annotated[
        list[Path], typer.Argument(help="Files of archsim deploy.", metavar="CHIP...")
    ],
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="Corrections joined by + (archsim list corrections), options after a colon, e.g. "
            "tsb:channels=8+biases.",
        ),
    ] = "tsb",
    folder: Annotated[
        Path,
        typer.Option("--corrections-to", metavar="FOLDER", help="Where they are written."),
    ] = Path("corrections"),
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Write-verify what they write to cells.")
    ] = True,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Of Adam.")] = 300,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="Of the first step.")
    ] = 1e-2,
    sigma: Annotated[
        float | None,
        typer.Option(
            "--sigma",
            help="Noise of what lies in cells during training. Default: that of its writing.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    network: NetworkOption = None,
    data_root: DataRootOption = None,
    read_path: ChipReadPathOption = None,
    chip: options.ChipOption = None,
    overrides: options.SetOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of images and noise, 0 to 2^32 - 1.")] = 0,
    debug: options.DebugOption = False,
) -> None:
    """Train corrections for programmed chips, each against its own errors.

    Inserts the shared block as the identity, trains only what the method names, and keeps it where
    the validation images do not get worse. With --read-path exact they are trained on what the
    converters of --chip say, straight through them.
    """
    seed_of(seed)
    read = read_by(chip, overrides, read_path)
    from rich.console import Console
    from rich.progress import Progress

    from archsim.api.chips import network_of, tune_chips
    from archsim.api.trained import usual_data

    stored = network_of(chips[0])
    with Progress(console=Console(file=sys.stderr), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(method, total=steps)
        paths = tune_chips(
            chips,
            method,
            folder,
            data=data or usual_data(stored),
            data_root=data_root,
            network=network,
            verify=verify,
            steps=steps,
            learning_rate=learning_rate,
            sigma=sigma,
            seed=seed,
            read_path=read_path or "off",
            **read,
            progress=lambda step, loss: bar.update(
                task, completed=step, description=f"{method}, loss {loss:.4f}"
            ),
        )
    for path in paths:
        typer.echo(f"wrote {path}")
