"""Options that the commands about training and chips share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archsim.cli.options import choice_option
from archsim.config.choices import READ_PATHS
from archsim.errors import Code, ConfigError

if TYPE_CHECKING:
    from archsim.config.sweep import Sweep

_DATA = "Data"

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="A built-in set (archsim list data), MODULE:FUNCTION, a YAML description, or a file "
        "of arrays or text. Default: the network's.",
        show_default=False,
        rich_help_panel=_DATA,
    ),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="MODULE:FUNCTION",
        help="The network, where a file names code of yours: it is not run unless you name it too.",
        show_default=False,
    ),
]
OwnDataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="MODULE:FUNCTION",
        help="The data, where a file names code of yours: it is not run unless you name it too.",
        show_default=False,
        rich_help_panel=_DATA,
    ),
]
DataRootOption = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="FOLDER",
        help="Where the data lie; downloaded and cached if not given.",
        rich_help_panel=_DATA,
    ),
]
ReadPathOption = Annotated[
    str | None,
    choice_option(
        "--read-path",
        names=READ_PATHS,
        help="How accuracies take chips to be read: exact has converters, rows, inputs and wires, "
        "off leaves them out (docs/read-path.md). Default: the study's.",
        show_default=False,
    ),
]
ChipReadPathOption = Annotated[
    str | None,
    choice_option(
        "--read-path",
        names=("off", "exact"),
        help="How chips are read: exact has converters, rows, inputs and wires of --chip, off "
        "leaves them out. Default: off.",
        show_default=False,
    ),
]


def with_read_path(overrides: list[str] | None, read_path: str | None) -> list[str]:
    """Return settings of a study with its read path last.

    Args:
        overrides: ``path=value`` texts.
        read_path: of ``--read-path``; None keeps the study's.
    """
    said = [] if read_path is None else [f"study.read_path={read_path}"]
    return [*(overrides or ()), *said]


def sweep_read_path(sweep: Sweep, overrides: list[str] | None, read_path: str | None) -> list[str]:
    """Return settings of a sweep with the read path of its accuracies last.

    Args:
        sweep: with the settings.
        overrides: ``path=value`` texts.
        read_path: of ``--read-path``; None keeps the sweep's.

    Raises:
        ConfigError: a sweep without accuracies.
    """
    if read_path is not None and sweep.accuracy is None:
        raise ConfigError(
            f"--read-path {read_path} is how accuracies are read, and sweep '{sweep.name}' has "
            "none; allowed: with sweep.accuracy (study, method)",
            code=Code.CONFLICT,
            field="--read-path",
            value=read_path,
            allowed="sweeps with accuracies",
        )
    said = [] if read_path is None else [f"sweep.accuracy.read_path={read_path}"]
    return [*(overrides or ()), *said]


def read_by(chip: str | None, overrides: list[str] | None, read_path: str | None) -> dict[str, Any]:
    """Return the design that chips are read by.

    Args:
        chip: of ``--chip``.
        overrides: of ``--set``.
        read_path: of ``--read-path``.

    Raises:
        ConfigError: a design, and the read path off, which does not look at it.
    """
    for option, value in (("--chip", chip), ("--set", overrides)):
        if value and read_path != "exact":
            raise ConfigError(
                f"{option} is what chips are read by; allowed: with --read-path exact",
                code=Code.CONFLICT,
                field=option,
                value=value,
                allowed="--read-path exact",
            )
    return {"overrides": tuple(overrides or ()), **({} if chip is None else {"chip": chip})}
