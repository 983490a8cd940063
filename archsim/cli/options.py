"""Options that every command shares."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from archsim.errors import ConfigError


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


ChipOption = Annotated[
    str, typer.Option("--chip", help="Chip preset (archsim list chips) or a YAML file.")
]
TechnologyOption = Annotated[
    str | None, typer.Option("--technology", help="Replaces the chip's technology.")
]
DeviceOption = Annotated[str | None, typer.Option("--device", help="Replaces the chip's device.")]
TsbOption = Annotated[
    str | None,
    typer.Option("--tsb", help="Shared-block preset or a YAML file; default: the network's own."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="For example chip.adc.bits=6; repeatable."),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the result.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write to a file instead.")
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", envvar="ARCHSIM_DEBUG")
]
ShapeOption = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="C,H,W",
        help="Input shape of a network that does not know it (a leading 1 is the batch).",
    ),
]


def parse_shape(text: str | None) -> tuple[int, ...] | None:
    """Parse ``3,224,224`` or ``1,3,224,224``.

    Raises:
        ConfigError: not two to four positive whole numbers, or a batch other than 1.
    """
    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--input-shape {text}: not whole numbers; allowed: for example 3,224,224"
        ) from error
    if len(shape) == 4:
        if shape[0] != 1:
            raise ConfigError(f"--input-shape {text}: batch {shape[0]}; allowed: 1")
        shape = shape[1:]
    if not shape or min(shape) < 1:
        raise ConfigError(f"--input-shape {text}: sizes must be >= 1")
    return shape
