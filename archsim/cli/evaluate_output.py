"""How ``archsim evaluate`` writes: the table of a run, its figures, and the accuracy of chips."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.cli.output import csv_text, deliver, json_text, write_file
from archsim.errors import Code, ConfigError
from archsim.results.read_said import ReadSaid

if TYPE_CHECKING:
    from rich.console import Console

    from archsim.api.chips import ChipAccuracy
    from archsim.results.method_row import MethodRow
    from reports.tables.table import Table

#: Version of the JSON of chips, and of that of a run: 2 has ``accuracy_of``, ``chosen`` and
#: ``max_verified`` in place of ``best``, and ``accuracy`` is of the method chosen on validation.
_CHIP_SCHEMA, _RUN_SCHEMA = 1, 2
_RESULTS, _CURVES, _GAPS = "results.csv", "learning-curves.png", "gap.png"
_METHODS = "methods.png"
#: Keys of ``accuracy`` in JSON, and the columns that they come from.
_ACCURACY = {
    "mean": "accuracy",
    "std_chip": "std_chip",
    "std_run": "std_run",
    "std_seed": "std_seed",
    "ci95_low": "ci95_low",
    "ci95_high": "ci95_high",
    "worst": "worst",
    "seeds": "seeds",
    "chips": "chips",
    "runs": "runs",
    "images": "images",
}
#: What is said of the chosen method of each sigma.
_CHOSEN_KEYS = ("sigma", "method", "validation_accuracy", "verified_share")
#: What is said of a method that keeps its sigma from having a choice.
_LACKS_KEYS = ("sigma", "method", "choice_lacks")
_NAMED = (*_ACCURACY.values(), "method", "sigma")


def write_chips(measured: ChipAccuracy, format: Format, out: Path | None) -> None:
    """Write the accuracy of single chips."""
    stats = measured.stats.to_dict()
    row = {"network": measured.network, "method": measured.method, **stats}
    row["encoding"] = measured.encoding
    row |= measured.read.columns()
    if format is Format.JSON:
        top = {"schema": _CHIP_SCHEMA, "network": measured.network, "method": measured.method}
        read = {"encoding": measured.encoding, "read_path": measured.read.to_dict()}
        deliver(json_text({**top, **read, "accuracy": stats}), out)
    elif format is Format.CSV:
        deliver(csv_text(list(row), [row]), out)
    else:
        from archsim.cli import render
        from reports.tables.study import chip_accuracy

        table = chip_accuracy(measured.network, measured.method, stats, encoding=measured.encoding)
        render.present(functools.partial(_draw_chips, table, measured.read), out)


def _draw_chips(table: Table, read: ReadSaid, console: Console) -> None:
    from rich.text import Text

    from archsim.cli import render

    render.show(console, render.figures(table))
    for line in (read.line, *(f"Warning: {text}." for text in read.warnings)):
        render.show(console, Text(line))


def write_run(folder: Path, format: Format, out: Path | None) -> None:
    """Write the table of a run, and its CSV and figures into its folder."""
    from archsim.api.evaluate import evaluated_rows

    rows = evaluated_rows(folder)
    write_file(folder / _RESULTS, _csv(rows).encode())
    _figures(folder, rows)
    write_rows(folder, rows, format, out)


def _csv(rows: Sequence[MethodRow]) -> str:
    from archsim.results.method_row import frame_of

    return frame_of(rows).to_csv(index=False)


def _has_sigmas(rows: Sequence[MethodRow]) -> bool:
    """Whether there is a gap to draw against sigma."""
    return len({row.sigma for row in rows}) > 1


def write_rows(
    folder: Path,
    rows: Sequence[MethodRow],
    format: Format,
    out: Path | None,
    *,
    plot: Path | None = None,
    max_verified: float | None = None,
) -> None:
    """Write the table of a run."""
    if plot is not None:
        from reports.figures.gap import save_gap
        from reports.figures.methods import save_methods

        (save_gap if _has_sigmas(rows) else save_methods)(rows, plot)
        for path in (plot, plot.with_suffix(".csv")):
            typer.echo(f"wrote {path}", err=True)
    if format is Format.JSON:
        deliver(json_text(_json([row.without_nan() for row in rows], max_verified)), out)
    elif format is Format.CSV:
        deliver(_csv(rows), out)
    else:
        from archsim.cli import render

        render.present(functools.partial(_draw, folder, rows, max_verified), out)


def _figures(folder: Path, rows: Sequence[MethodRow]) -> None:
    from archsim.api.evaluate import learning_curves
    from reports.figures.gap import save_gap
    from reports.figures.learning_curve import save_learning_curves
    from reports.figures.methods import collect_methods, draw_methods
    from reports.figures.style import save

    save_learning_curves(learning_curves(folder), folder / _CURVES)
    save(draw_methods(collect_methods(rows)), folder / _METHODS)
    written = [folder / _RESULTS, folder / _CURVES, folder / _METHODS]
    if _has_sigmas(rows):
        save_gap(rows, folder / _GAPS)
        written.append(folder / _GAPS)
    for path in written:
        typer.echo(f"wrote {path}", err=True)


def _json(rows: Sequence[MethodRow], max_verified: float | None) -> dict[str, Any]:
    entries = [
        {
            "method": row.method,
            "sigma": row.sigma,
            "accuracy": _accuracy(row),
            **{key: value for key, value in row.record().items() if key not in _NAMED},
        }
        for row in rows
    ]
    chosen = [row for row in rows if row.chosen]
    shown, highest = _shown(rows, chosen, max_verified)
    lacks = [row for row in rows if row.choice_lacks]
    return {
        "schema": _RUN_SCHEMA,
        "accuracy": _accuracy(shown),
        "accuracy_of": {"method": shown.method, "sigma": shown.sigma, "highest": highest},
        "chosen": [{key: getattr(row, key) for key in _CHOSEN_KEYS} for row in chosen],
        "not_comparable": [{key: getattr(row, key) for key in _LACKS_KEYS} for row in lacks],
        "max_verified": max_verified,
        "read_path": ReadSaid.pooled(row.read for row in rows).to_dict(),
        "methods": entries,
    }


def _shown(
    rows: Sequence[MethodRow], chosen: Sequence[MethodRow], max_verified: float | None
) -> tuple[MethodRow, str | None]:
    """Return whose accuracy stands first, and of what it is the highest, None if of nothing.

    Raises:
        ConfigError: a bound, and nothing chosen within it.
    """
    if chosen:
        return chosen[0], "validation_accuracy"
    if max_verified is not None:
        raise ConfigError.of(
            Code.EMPTY,
            "--max-verified",
            max_verified,
            form="g",
            problem="no method can be chosen within it",
        )
    if any(row.validation_accuracy is not None for row in rows):
        return rows[0], None
    # Results of before validation accuracies were recorded have nothing else to go by.
    return max(
        (row for row in rows if row.sigma == rows[0].sigma), key=lambda row: row.accuracy or 0.0
    ), "accuracy"


def _accuracy(row: MethodRow) -> dict[str, Any]:
    return {key: getattr(row, column) for key, column in _ACCURACY.items()}


def _draw(
    folder: Path, rows: Sequence[MethodRow], max_verified: float | None, console: Console
) -> None:
    from rich.text import Text

    from archsim.cli import render
    from reports.tables import study as tables

    render.show(console, Text(tables.heading(folder.name, rows), style="bold"))
    for line in tables.read_path(rows):
        render.show(console, Text(line))
    for table in (tables.accuracy(rows), tables.effort(rows)):
        render.show(console, render.gap(render.grid(table, group_by="sigma")))
    title, lines = tables.choice(rows, max_verified)
    if lines:
        render.show(console, render.gap(render.bullets(title, lines)))
    render.show(console, render.gap(render.bullets("How to read it", tables.notes(rows))))
