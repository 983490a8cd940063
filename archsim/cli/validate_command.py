"""``archsim validate``: the engine against reference runs, error per metric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archsim.cli.options import DebugOption, Format, FormatOption, OutOption
from archsim.cli.output import console, deliver, render, to_json


def run(
    reference: Annotated[
        Path,
        typer.Option(
            "--reference",
            metavar="DIR",
            help="Folder with chip.csv, layers.csv and networks/ of DNN+NeuroSim V1.4 runs.",
        ),
    ],
    chip: Annotated[
        str, typer.Option("--chip", help="Preset that each run's settings are applied to.")
    ] = "neurosim-v1.4",
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw predicted against reference."),
    ] = None,
    style: FormatOption = Format.TABLE,
    out: OutOption = None,
    debug: DebugOption = False,
) -> None:
    """Predict every valid reference run and print the errors per metric and per setting."""
    from archsim.pipeline import validate
    from reports import tables

    result = validate(reference, chip=chip)
    if plot is not None:
        from reports.figures.validation import save_validation

        save_validation(result, plot)
    if style is Format.JSON:
        deliver(to_json(result.to_dict()), out)
        return
    summary = tables.validation_table(result.summary(), f"Errors of {chip} against {reference}")
    if style is Format.CSV:
        deliver(summary.to_csv(), out)
        return
    target = console()
    with target.capture() as captured:
        render(summary, target)
        render(tables.factor_table(result), target)
        render(tables.worst_table(result), target)
        for reason in dict.fromkeys(reason for _, reason in result.skipped):
            count = sum(reason == other for _, other in result.skipped)
            target.print(f"left out: {count} runs, {reason}", markup=False, highlight=False)
        if result.refusals:
            target.print(
                f"refused by the reference: {result.refusals} runs, "
                f"{result.refusals_agree} of them infeasible here too",
                markup=False,
                highlight=False,
            )
    deliver(captured.get(), out)
