"""``archsim evaluate``: the accuracies of a run, or of single chips."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli import evaluate_network as network_options
from archsim.cli import options
from archsim.cli.evaluate_output import write_chips, write_rows
from archsim.cli.guard import guarded
from archsim.cli.options import Format
from archsim.cli.output import check_writable
from archsim.cli.study_options import DataOption, DataRootOption, NetworkOption, read_by
from archsim.errors import Code, ConfigError
from archsim.util.checks import seed_of
from archsim.util.files import is_folder

#: How often corrections are written per chip, where nothing else is asked for.
_RUNS = 25


@guarded
def evaluate_command(
    run: Annotated[
        list[Path],
        typer.Argument(
            help="Folder of archsim train, chips of archsim deploy, or a trained network: a "
            "built-in name or MODULE:FUNCTION.",
            metavar="RUN|CHIP...|NETWORK",
        ),
    ],
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="Only this method of the run. Repeatable."),
    ] = None,
    max_verified: Annotated[
        float | None,
        typer.Option(
            "--max-verified",
            metavar="SHARE",
            help="Choose among methods that write-verify at most this share of the network's "
            "weights, e.g. 0.004.",
            show_default=False,
        ),
    ] = None,
    correction: Annotated[
        list[Path] | None,
        typer.Option("--correction", metavar="FILE", help="Of archsim tune, one per chip."),
    ] = None,
    data: DataOption = None,
    network: NetworkOption = None,
    data_root: DataRootOption = None,
    runs: Annotated[
        int | None,
        typer.Option(
            "--runs",
            min=1,
            help="How often corrections are written per chip. Default: 25.",
            show_default=False,
        ),
    ] = None,
    test_images: Annotated[
        int | None,
        typer.Option("--test-images", min=1, help="Default: all.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", help="Of the writing, 0 to 2^32 - 1. Default: 0.", show_default=False
        ),
    ] = None,
    read_path: Annotated[
        str | None,
        options.choice_option(
            "--read-path",
            names=("off", "exact"),
            help="How chips are read: exact has converters, rows, inputs and wires of --chip, off "
            "leaves them out. A run has its own. Default: off.",
            show_default=False,
        ),
    ] = None,
    checkpoint: network_options.CheckpointOption = None,
    metric: network_options.MetricOption = None,
    metric_direction: network_options.DirectionOption = None,
    chips: network_options.ChipsOption = None,
    ranges: network_options.RangesOption = None,
    percentile: network_options.PercentileOption = None,
    scaling: network_options.ScalingOption = None,
    write: network_options.WriteOption = None,
    repair: network_options.RepairOption = None,
    read_after: network_options.ReadAfterOption = None,
    read_noise: network_options.ReadNoiseOption = False,
    compensation: network_options.CompensationOption = None,
    calibrated_after: network_options.CalibratedOption = None,
    calibration: network_options.CalibrationOption = None,
    sigma: network_options.SigmaOption = None,
    encoding: options.EncodingOption = None,
    option: network_options.NetworkOptionsOption = None,
    chip: options.ChipOption = None,
    overrides: options.SetOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the gap against sigma (a run with several) or the methods; PNG, SVG or PDF.",
        ),
    ] = None,
    format: options.FormatOption = Format.TABLE,
    out: options.OutOption = None,
    debug: options.DebugOption = False,
) -> None:
    """Show the accuracies of a run, measure single chips, or put a trained network on chips.

    Accuracies are those of the test images; every choice is made on the validation images: for each
    sigma of a run, the method of the highest validation accuracy, within --max-verified.

    A NETWORK with its --checkpoint is measured as trained, rounded, on --chips, and after a
    --repair without labels; nothing is trained.
    """
    if seed is not None:
        seed_of(seed)
    check_writable(out, plot)
    of_network = {
        "checkpoint": checkpoint, "metric": metric, "metric_direction": metric_direction,
        "chips": chips, "ranges": ranges, "percentile": percentile, "scaling": scaling,
        "write": write, "repair": repair, "calibration": calibration, "sigma": sigma,
        "encoding": encoding, "read_after_s": read_after, "read_noise": read_noise or None,
        "compensation": compensation, "calibrated_after_s": calibrated_after,
    }  # fmt: skip
    if len(run) == 1 and network_options.is_network(str(run[0]), checkpoint):
        _check_unused(
            {
                "--method": method,
                "--max-verified": max_verified,
                "--correction": correction,
                "--network": network,
                "--runs": runs,
                "--read-path": None if read_path == "off" else read_path,
            },
            "runs and chips",
        )
        shared = {"data": data, "data_root": data_root, "test_images": test_images, "seed": seed}
        given = {**of_network, **shared, "chip": chip, "overrides": tuple(overrides or ())}
        network_options.write_network(
            str(run[0]), given, option=option, format=format, out=out, plot=plot
        )
        return
    unused = {
        f"--{name.removesuffix('_s').replace('_', '-')}": value
        for name, value in of_network.items()
    }
    _check_unused({**unused, "--option": option}, "a network")
    from archsim.api.evaluate import evaluated_rows

    folders = [path for path in run if is_folder(path)]
    if folders and len(run) > 1:
        raise ConfigError(
            f"{folders[0]} is a folder; allowed: one run at a time, or files of chips",
            code=Code.CONFLICT,
            field=folders[0],
            allowed="one run at a time, or files of chips",
        )
    if len(run) == 1 and run[0].suffix != ".safetensors":
        _check_unused(
            {
                "--correction": correction,
                "--data": data,
                "--data-root": data_root,
                "--test-images": test_images,
                "--runs": runs,
                "--seed": seed,
                "--read-path": read_path,
                "--chip": chip,
                "--set": overrides,
            },
            "files of chips",
        )
        rows = evaluated_rows(
            run[0], methods=method or (), max_verified=max_verified, network=network
        )
        write_rows(run[0], rows, format, out, plot=plot, max_verified=max_verified)
        return
    _check_unused({"--plot": plot, "--max-verified": max_verified}, "the folder of a run")
    if method:
        raise ConfigError(
            "--method is for the folder of a run; chips are measured as they are",
            code=Code.UNSUPPORTED,
            field="--method",
            value=method,
            allowed="the folder of a run",
        )
    from archsim.api.chips import evaluate_chips, network_of
    from archsim.api.trained import usual_data

    stored = network_of(run[0])
    measured = evaluate_chips(
        run,
        corrections=correction or (),
        data=data or usual_data(stored),
        data_root=data_root,
        network=network,
        runs=_RUNS if runs is None else runs,
        test_images=test_images,
        seed=seed or 0,
        read_path=read_path or "off",
        **read_by(chip, overrides, read_path),
    )
    write_chips(measured, format, out)


def _check_unused(given: dict[str, object], allowed: str) -> None:
    """Refuse options of something else that is evaluated.

    Raises:
        ConfigError: names the option.
    """
    for name, value in given.items():
        if value not in (None, []):
            raise ConfigError(
                f"{name} is for {allowed}; what is evaluated here does not take it",
                code=Code.UNSUPPORTED,
                field=name,
                value=value,
                allowed=allowed,
            )
