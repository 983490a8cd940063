"""``archsim deploy``: a trained network onto chips, whose errors are frozen from then on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from tsb.write_verify.policy.text import policies_in_a_word


@guarded
def deploy_command(
    network: Annotated[
        str,
        typer.Argument(
            help="Built-in name (archsim list networks), timm:NAME, or package.module:function"
        ),
    ],
    checkpoint: Annotated[
        Path, typer.Option("--checkpoint", metavar="FILE", help="Trained weights, safetensors.")
    ],
    folder: Annotated[
        Path, typer.Option("--chips-to", metavar="FOLDER", help="Where the chips are written.")
    ] = Path("chips"),
    chips: Annotated[int, typer.Option("--chips", min=1, help="How many.")] = 8,
    seed: Annotated[
        int,
        typer.Option("--seed", help="Of the first chip, 0 to 2^32 - 1; the others count up."),
    ] = 0,
    chip: options.ChipOption = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device", metavar="NAME|FILE", help="Replaces the chip's; archsim list devices"
        ),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(
            "--sigma", help="Spread of one pulse. Default: the device's.", show_default=False
        ),
    ] = None,
    bits_per_cell: Annotated[
        int | None,
        typer.Option("--bits-per-cell", min=1, max=8, help="Replaces the chip's."),
    ] = None,
    encoding: options.EncodingOption = None,
    scaling: Annotated[
        str,
        typer.Option("--scaling", help="What shares a full-scale conductance: tensor or column."),
    ] = "tensor",
    write: Annotated[
        str,
        typer.Option(
            "--write",
            metavar="|".join(policies_in_a_word()),
            help="Which weights are write-verified (archsim list policies).",
        ),
    ] = "none",
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Of the network, where the checkpoint does not say it, e.g. widths=[16,32,64]. "
            "Repeatable.",
        ),
    ] = None,
    input_shape: options.InputShapeOption = None,
    input_dtype: options.InputDtypeOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Program a trained network onto chips, once: each file holds what its cells really hold."""
    from archsim.api.chips import deploy_chips
    from archsim.config.load import parse_options
    from archsim.config.resolve import DEFAULT_CHIP

    for path in deploy_chips(
        network,
        checkpoint,
        folder,
        chips=chips,
        seed=seed,
        chip=chip or DEFAULT_CHIP,
        device=device,
        sigma=sigma,
        bits_per_cell=bits_per_cell,
        encoding=encoding,
        scaling=scaling,
        write=write,
        options=parse_options(option or ()),
        input_shape=options.parse_shapes(input_shape),
        input_dtype=options.parse_dtypes(input_dtype),
    ):
        typer.echo(f"wrote {path}")
