"""What ``archsim program`` shows and writes: numbers of one programming, and the curve."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.cli.output import check_writable, json_text, write_file, write_result
from archsim.errors import Code, DataError
from archsim.util.lock import locked

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.api.program.run import CurveRequest
    from archsim.results.programmed import ProgramResult

#: Files of ``--curve``: accuracy of every instance, what each policy needs, the figure.
_RUNS, _SPEED, _FIGURE = "runs.csv", "speed_up.csv", "write_verify_curve.png"
#: What they are of: network, checkpoint, configuration, data, seed.
_ABOUT = "about.json"


#: Chips below which an interval of the mean says little.
_FEW_CHIPS = 10


def show_programmed(result: ProgramResult, format: Format, out: Path | None) -> None:
    """Write what programming took.

    Args:
        result: of :func:`archsim.api.program.run.program`.
        format: table, JSON or CSV.
        out: file; None prints.
    """
    from archsim.results.programmed import ACCURACY_KEYS

    row = result.to_dict()
    accuracy = row.pop("accuracy") or {}
    row |= {f"accuracy_{key}": accuracy.get(key) for key in ACCURACY_KEYS}
    write_result(result, format, out, rows=lambda: [row], draw=functools.partial(_draw, result))


def _draw(result: ProgramResult, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables import program as tables

    render.show(console, Text(tables.heading(result), style="bold"))
    boxes = [render.figures(tables.effort(result)), render.figures(tables.quality(result))]
    shown = render.first_that_fits(console, [render.side_by_side(boxes), render.stack(*boxes)])
    render.show(console, render.gap(shown))
    lines = (*tables.read_notes(result), *tables.PROGRAM_NOTES, *result.notes)
    render.show(console, render.gap(render.bullets("Assumed and left out", lines)))


def show_curve(request: CurveRequest, settings: dict[str, Any], folder: Path) -> None:
    """Measure the curve, write it, and show the speed-up.

    Args:
        request: network, data and sizes.
        settings: chip and overrides.
        folder: for the files; made if it is not there.

    Raises:
        ArchsimError: a folder that cannot be made, or whatever is wrong with the request.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError.of(
            Code.CANNOT_WRITE,
            "--curve",
            folder,
            problem=f"not a folder that can be made: {error.strerror or error}",
        ) from error
    with locked(folder, option="--curve"):
        _show_curve(request, settings, folder)


def _show_curve(request: CurveRequest, settings: dict[str, Any], folder: Path) -> None:
    from archsim.api.program.run import write_verify_curve
    from archsim.cli import render
    from reports.figures.write_verify_curve import save_write_verify
    from reports.tables.program import SPEED_UP_NOTES, speed_up

    check_writable(folder / _RUNS)
    names = (_ABOUT, _RUNS, _SPEED, _FIGURE, Path(_FIGURE).with_suffix(".csv").name)
    replaced = {name for name in names if (folder / name).exists()}

    def say(line: str) -> None:
        typer.echo(line, err=True)

    if replaced:
        say(f"{folder}: files of an earlier curve will be replaced")
    curve = write_verify_curve(request, progress=say, **settings)
    write_file(folder / _ABOUT, json_text(curve.provenance).encode())
    write_file(folder / _RUNS, curve.runs.to_csv(index=False).encode())
    write_file(folder / _SPEED, curve.speed_up.to_csv(index=False).encode())
    save_write_verify(curve.summary, folder / _FIGURE, curve.about)
    for name in names:
        say(f"{'replaced' if name in replaced else 'wrote'} {folder / name}")

    notes = list(SPEED_UP_NOTES)
    if request.instances < _FEW_CHIPS:
        notes.append(
            f"{request.instances} chips per point tell little: intervals and speed-ups need "
            f"{_FEW_CHIPS} or more (--instances)."
        )

    def draw(console: Console) -> None:
        render.show(console, render.grid(speed_up(curve.speed_up), group_by="device"))
        render.show(console, render.gap(render.bullets("Notes", notes)))

    render.present(draw, None)
