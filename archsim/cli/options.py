"""Options that several commands share: one name, one help text, one meaning."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from archsim.config.choices import ENCODINGS
from archsim.errors import Code, ConfigError, close_matches


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def choice_option(*flags: str, names: tuple[str, ...], **more: Any) -> Any:
    """Return an option whose value is one of a list that is kept elsewhere.

    Args:
        flags: as ``--design``.
        names: the list.
        **more: of :func:`typer.Option`.
    """

    def parse(text: str) -> str:
        if text not in names:
            known = ", ".join(map(repr, names))
            raise typer.BadParameter(f"'{text}' is not one of {known}.{close_matches(text, names)}")
        return text

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return typer.Option(
        *flags, parser=parse, metavar=f"<{'|'.join(names)}>", autocompletion=complete, **more
    )


def plot_option(drawn: str) -> Any:
    """Return the option ``--plot`` of a command.

    Args:
        drawn: what the figure shows, as in "Draw the floorplan".
    """
    return typer.Option(
        "--plot",
        metavar="FILE",
        help=f"Draw {drawn} (.png, .pdf or .svg).",
        rich_help_panel=_OUTPUT,
    )


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
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="|".join(ENCODINGS),
        help="Weights on cells. Default: the chip's, but magnitude, the literature's noise "
        "convention, where it stores an offset code.",
        show_default=False,
    ),
]
InputShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="[NAME=]C,H,W",
        help="Shape of one input, where the network does not say or to change it; a batch axis of "
        "1 may stand in front of C,H,W, or second (35,1,8) where the network takes time first. "
        "Repeatable, by NAME, for several inputs.",
        rich_help_panel=_CHIP,
    ),
]
InputDtypeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input-dtype",
        metavar="[NAME=]DTYPE",
        help="Number format of the input, e.g. int64 for token numbers. Default: the weights'.",
        rich_help_panel=_CHIP,
    ),
]
BatchAxisOption = Annotated[
    int | None,
    typer.Option(
        "--batch-axis",
        metavar="AXIS",
        min=0,
        max=3,
        help="Where the batch axis of the input lies: 1 for a module that takes time first "
        "(nn.LSTM without batch_first). Default: first.",
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
    """Return the arguments of :mod:`archsim.api.map` that the user gave."""
    given = {"chip": chip, "technology": technology, "device": device, "tsb": tsb}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return {**settings, "overrides": tuple(overrides or ())}


def parse_shapes(
    texts: list[str] | None,
) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
    """Read ``3,32,32``, or several of ``NAME=3,32,32``; see :func:`parse_shape`.

    Raises:
        ConfigError: not whole numbers above zero, a batch, or several shapes without names.
    """
    named = _by_name("--input-shape", texts, "3,32,32")
    if isinstance(named, str):
        return parse_shape(named)
    return None if named is None else {name: parse_shape(text) for name, text in named.items()}


def parse_dtypes(texts: list[str] | None) -> str | dict[str, str] | None:
    """Read ``int64``, or several of ``NAME=int64``.

    Raises:
        ConfigError: several formats without names, or an unknown one.
    """
    named = _by_name("--input-dtype", texts, "int64")
    for text in [named] if isinstance(named, str) else (named or {}).values():
        if text not in DTYPES:
            raise ConfigError.of(
                Code.UNKNOWN_NAME, "--input-dtype", text, problem="unknown", allowed=DTYPES
            )
    return named


#: Keys of :data:`archsim.network.inputs.DTYPES`, without its imports.
DTYPES = (
    "float32", "float16", "bfloat16", "float64", "int64", "int32", "int8", "uint8", "bool",
)  # fmt: skip


def _by_name(option: str, texts: list[str] | None, example: str) -> str | dict[str, str] | None:
    """One value without a name, or values by name."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    named: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or name.strip() in named:
            raise ConfigError(
                f"{option} {text}: several inputs need a name each; allowed: NAME={example}, "
                "every name once",
                code=Code.WRONG_FORM,
                field=option,
                value=text,
                allowed=f"NAME={example}",
            )
        named[name.strip()] = value
    return named


def parse_shape(text: str) -> tuple[int, ...]:
    """Read ``3,32,32``; a batch axis of one in front of four numbers or more is dropped.

    Raises:
        ConfigError: not whole numbers above zero, or several inputs at once.
    """
    try:
        shape = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ConfigError(
            f"--input-shape {text}: not a shape; allowed: whole numbers above zero, e.g. 3,32,32",
            code=Code.WRONG_FORM,
            field="--input-shape",
            value=text,
            allowed="whole numbers above zero",
        )
    if len(shape) < _WITH_BATCH:
        return shape
    if shape[0] != 1:
        raise ConfigError(
            f"--input-shape {text}: a batch of {shape[0]}; costs are those of one input, so give "
            f"{','.join(map(str, shape[1:]))}, or 1,{text} where there are four axes or more",
            code=Code.UNSUPPORTED,
            field="--input-shape",
            value=text,
        )
    return shape[1:]


#: From so many numbers on, the first is the batch.
_WITH_BATCH = 4
