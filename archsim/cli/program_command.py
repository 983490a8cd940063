"""``archsim program``: write a network's weights once, verified by a policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import options
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable
from archsim.cli.program_output import show_curve, show_programmed
from archsim.config.choices import GRANULARITIES, PLACEMENTS, WITH_BLOCK
from archsim.errors import Code, ConfigError
from tsb.write_verify.policy.none import NoWeights
from tsb.write_verify.policy.registry import names_of, names_taking, policies, policy_named

#: Nothing is verified unless a policy is named.
_NONE = NoWeights.name
_DATA = "Data"


@guarded
def program_command(
    network: Annotated[
        str,
        typer.Argument(
            help="Built-in name (archsim list networks), timm:NAME, or package.module:function"
        ),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Trained weights, safetensors. Without it the initial weights are programmed.",
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="|".join(names_of(policies())),
            help="Who is write-verified (archsim list policies).",
        ),
    ] = _NONE,
    fraction: Annotated[
        float | None,
        typer.Option(
            "--fraction",
            help="Share of the weights, 0 to 1, for the policies by score "
            f"({', '.join(names_taking('fraction'))}). Default: 0.1.",
            show_default=False,
        ),
    ] = None,
    last_layers: Annotated[
        int | None,
        typer.Option(
            "--last-layers",
            help=f"How many, for {', '.join(names_taking('last_layers'))}. Default: 1.",
            show_default=False,
        ),
    ] = None,
    granularity: Annotated[
        str | None,
        options.choice_option(
            "--granularity",
            names=GRANULARITIES,
            help="Single weights, or whole rows or subarrays, for the policies by score. "
            "Default: weight.",
            show_default=False,
        ),
    ] = None,
    encoding: options.EncodingOption = None,
    design: Annotated[
        str,
        options.choice_option(
            "--design",
            names=PLACEMENTS,
            help=f"With {' or '.join(WITH_BLOCK)}: a shared block too.",
        ),
    ] = PLACEMENTS[0],
    curve: Annotated[
        Path | None,
        typer.Option(
            "--curve",
            metavar="FOLDER",
            help="Measure accuracy against the fraction for all policies, on a uniform and a "
            "non-uniform device: CSV files and a figure.",
        ),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option(
            "--instances",
            help="Chips per point of the curve, 2 or more. Default: 50.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="archsim list data. Default: the network's.",
            show_default=False,
            rich_help_panel=_DATA,
        ),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(
            "--data-root",
            metavar="FOLDER",
            help="Where the data lie; downloaded and cached if not given and needed.",
            rich_help_panel=_DATA,
        ),
    ] = None,
    score_images: Annotated[
        int | None,
        typer.Option(
            "--score-images",
            rich_help_panel=_DATA,
            help="For the scores. Default: 2000.",
            show_default=False,
        ),
    ] = None,
    test_images: Annotated[
        int | None,
        typer.Option(
            "--test-images",
            rich_help_panel=_DATA,
            help="For the accuracy. Default: all.",
            show_default=False,
        ),
    ] = None,
    chips: Annotated[
        int | None,
        typer.Option(
            "--chips",
            rich_help_panel=_DATA,
            help="Programmed chips whose accuracy is averaged; 0 for none. Default: 20.",
            show_default=False,
        ),
    ] = None,
    images_per_chip: Annotated[
        int | None,
        typer.Option(
            "--images-per-chip",
            rich_help_panel=_DATA,
            help="Test images of each chip, drawn anew for each. Default: all, for every chip.",
            show_default=False,
        ),
    ] = None,
    half_width: Annotated[
        float | None,
        typer.Option(
            "--half-width",
            metavar="POINTS",
            rich_help_panel=_DATA,
            help="Program no more chips once the 95 % interval of the mean is that narrow, e.g. "
            "0.1 percentage points. Default: all of --chips.",
            show_default=False,
        ),
    ] = None,
    read_after: Annotated[
        float | None,
        typer.Option(
            "--read-after",
            metavar="SECONDS",
            rich_help_panel=_DATA,
            help="Time from programming to the reads of the accuracy: cells drift, uncompensated. "
            "Default: right after programming.",
            show_default=False,
        ),
    ] = None,
    read_path: Annotated[
        str | None,
        options.choice_option(
            "--read-path",
            names=("off", "exact"),
            rich_help_panel=_DATA,
            help="How the chips of the accuracy are read: exact has converters, rows, inputs and "
            "wires, in the chip's encoding; off leaves them out. Default: off.",
            show_default=False,
        ),
    ] = None,
    clip_at_zero: Annotated[
        bool,
        typer.Option(
            "--clip-at-zero",
            help="Cells whose conductance would fall below zero stay at zero. Default: they do "
            "not, which is the literature's convention.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of all randomness, 0 to 2^32 - 1.")] = 0,
    chip: options.ChipOption = None,
    technology: options.TechnologyOption = None,
    device: options.DeviceOption = None,
    tsb: options.TsbOption = None,
    input_shape: options.InputShapeOption = None,
    input_dtype: options.InputDtypeOption = None,
    overrides: options.SetOption = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Program a network: write pulses, verify reads, time, energy, and what it does to accuracy."""
    check_writable(out)
    settings = options.chip_settings(
        chip=chip, technology=technology, device=device, tsb=tsb, overrides=overrides
    )
    unused = {
        "--policy": policy != _NONE,
        "--fraction": fraction is not None,
        "--last-layers": last_layers is not None,
        "--granularity": granularity is not None,
        "--encoding": encoding is not None,
        "--chips": chips is not None,
        "--images-per-chip": images_per_chip is not None,
        "--half-width": half_width is not None,
        "--read-after": read_after is not None,
        "--read-path": read_path is not None,
        "--clip-at-zero": clip_at_zero,
        "--format": format is not Format.TABLE,
        "--out": out is not None,
        "--design": design != PLACEMENTS[0],
        "--input-shape": input_shape is not None,
        "--input-dtype": input_dtype is not None,
    }
    _check_curve(curve, unused, instances)
    _check_policy(policy, fraction, last_layers, granularity)

    from archsim.api.program.run import CurveRequest, program

    if curve is not None:
        show_curve(
            CurveRequest(
                network=network,
                checkpoint=checkpoint,
                data=data,
                data_root=data_root,
                score_images=2000 if score_images is None else score_images,
                test_images=test_images,
                instances=50 if instances is None else instances,
                seed=seed,
            ),
            settings,
            curve,
        )
        return
    result = program(
        network,
        checkpoint=checkpoint,
        policy=policy,
        fraction=0.1 if fraction is None else fraction,
        last_layers=1 if last_layers is None else last_layers,
        granularity=granularity or GRANULARITIES[0],
        encoding=encoding,
        design=design,
        input_shape=options.parse_shapes(input_shape),
        input_dtype=options.parse_dtypes(input_dtype),
        data=data,
        data_root=data_root,
        score_images=score_images,
        test_images=test_images,
        chips=chips,
        images_per_chip=images_per_chip,
        half_width=None if half_width is None else half_width / 100,
        read_after_s=read_after,
        clip_at_zero=clip_at_zero,
        read_path=read_path or "off",
        seed=seed,
        **settings,
    )
    show_programmed(result, format, out)


def _check_policy(
    name: str,
    fraction: float | None,
    last_layers: int | None,
    granularity: str | None,
) -> None:
    """Refuse options that the policy does not use.

    Raises:
        ConfigError: an unknown policy, a fraction outside 0 to 1, or an option of other policies.
    """
    policy = policy_named(name, field="--policy")
    if fraction is not None and not 0 <= fraction <= 1:
        raise ConfigError(
            f"--fraction {fraction:g}; allowed: 0 to 1",
            code=Code.OUT_OF_RANGE,
            field="--fraction",
            value=fraction,
            allowed="0 to 1",
        )
    given = {"fraction": fraction, "granularity": granularity, "last_layers": last_layers}
    for field, value in given.items():
        if value is not None and field not in policy.takes:
            raise ConfigError(
                f"--{field.replace('_', '-')} {value} with --policy {name}, which takes none; "
                f"allowed with: {', '.join(names_taking(field))}",
                code=Code.CONFLICT,
                field=f"--{field.replace('_', '-')}",
                value=value,
                allowed=names_taking(field),
            )


def _check_curve(curve: Path | None, unused: dict[str, bool], instances: int | None) -> None:
    """Refuse options that the curve, which has all policies and fractions, does not use.

    Raises:
        ConfigError: names the option.
    """
    if curve is None:
        if instances is not None:
            raise ConfigError(
                f"--instances {instances} is for --curve FOLDER; without it the number of chips "
                "is --chips",
                code=Code.CONFLICT,
                field="--instances",
                value=instances,
                allowed="--curve",
            )
        return
    for option, given in unused.items():
        if given:
            raise ConfigError(
                f"{option} is not used with --curve, which has policies, fractions, chips, files "
                "and the encoding of the chip (--set chip.precision.encoding=...) of its own",
                code=Code.CONFLICT,
                field=option,
                allowed="without --curve",
            )
