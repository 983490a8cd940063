"""Options that several commands share: one name, one help text, one meaning."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.errors import ConfigError


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Design(StrEnum):
    """Placements of the shared block: :data:`archsim.arch.design.DESIGNS`, without its imports."""

    NONE = "none"
    COMMON = "common"
    SEPARATE = "separate"


_CHIP = "Chip and network"
_OUTPUT = "Output"

ChipOption = Annotated[
    str | None,
    typer.Option(
        "--chip",
        metavar="NAME|FILE",
        help="Chip preset or YAML file (archsim list chips). Default: rram-22nm.",
        rich_help_panel=_CHIP,
    ),
]
TechnologyOption = Annotated[
    str | None,
    typer.Option(
        "--technology",
        metavar="NAME|FILE",
        help="Replaces the chip's technology (archsim list technologies).",
        rich_help_panel=_CHIP,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME|FILE",
        help="Replaces the chip's memory device (archsim list devices).",
        rich_help_panel=_CHIP,
    ),
]
TsbOption = Annotated[
    str | None,
    typer.Option(
        "--tsb",
        metavar="NAME|FILE",
        help="Shared block (archsim list tsb). Default: the paper's for the network.",
        rich_help_panel=_CHIP,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override one setting, e.g. chip.adc.bits=6 or tsb.channels=64. Repeatable.",
        rich_help_panel=_CHIP,
    ),
]
InputShapeOption = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="C,H,W",
        help="Shape of one input, where the network does not say or to change it.",
        rich_help_panel=_CHIP,
    ),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How to write the result.", rich_help_panel=_OUTPUT)
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write the result to FILE, all of it or nothing.",
        rich_help_panel=_OUTPUT,
    ),
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug",
        envvar="ARCHSIM_DEBUG",
        help="Show the traceback of an error.",
        rich_help_panel=_OUTPUT,
    ),
]


def chip_settings(
    *,
    chip: str | None,
    technology: str | None,
    device: str | None,
    tsb: str | None,
    overrides: list[str] | None,
) -> dict[str, Any]:
    """Return the arguments of :mod:`archsim.pipeline` that the user gave."""
    given = {"chip": chip, "technology": technology, "device": device, "tsb": tsb}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return {**settings, "overrides": tuple(overrides or ())}


def parse_shape(text: str | None) -> tuple[int, ...] | None:
    """Read ``3,32,32``; a batch axis of one in front is dropped.

    Raises:
        ConfigError: not whole numbers above zero, or several inputs at once.
    """
    if text is None:
        return None
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ConfigError(
            f"--input-shape {text}: not a shape; allowed: whole numbers above zero, e.g. 3,32,32"
        )
    if len(shape) == 4:
        if shape[0] != 1:
            raise ConfigError(
                f"--input-shape {text}: a batch of {shape[0]}; costs are those of one input, so "
                f"give {','.join(map(str, shape[1:]))}"
            )
        return shape[1:]
    return shape
