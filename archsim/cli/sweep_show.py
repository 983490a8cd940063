"""Answers about a sweep, as tables, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.cli.output import csv_text, deliver, json_text
from archsim.errors import ConfigError
from archsim.results.columns import is_parameter
from archsim.results.metric import Place
from archsim.results.metrics import shown_in

if TYPE_CHECKING:
    import pandas as pd

    from archsim.analysis.pareto import Front
    from archsim.explore.query.result import SweepResult
    from reports.tables.table import Table

_SCHEMA = 1


@dataclass(frozen=True)
class Question:
    """A sweep, which of its points count, and how the answer is to be written.

    Attributes:
        result: the sweep.
        where: conditions; None: the sweep's constraints.
        format: of the answer.
        out: file of the answer; None prints it.
        most: points in a table.
    """

    result: SweepResult
    where: list[str] | None
    format: Format
    out: Path | None
    most: int

    @property
    def conditions(self) -> list[str]:
        """The conditions that hold."""
        return list(self.result.sweep.constraints if self.where is None else self.where)

    def announce(self) -> None:
        """Say on standard error what the answers lack."""
        if self.result.unfinished:
            typer.echo(self.result.unfinished, err=True)
        for note in self.result.encoding_notes:
            typer.echo(note, err=True)

    def front(
        self, objectives: str | None, plot: Path | None, figure: str, colour: str | None
    ) -> None:
        """Write the Pareto front, and draw it if a file is named."""
        rows, found = self.result.pareto(
            objectives, self.conditions, self._drawn(plot, figure, colour)
        )
        columns = [own.column for own in found.objectives]
        best = self.result.rows(rows["point"][found.mask])
        best = best.sort_values(
            columns[0], ascending=not found.objectives[0].maximise, kind="stable"
        )
        knee = None if found.knee is None else int(rows["point"].iloc[found.knee])
        if plot is not None:
            self._plot(rows, found, plot, figure, colour)
            typer.echo(f"wrote {plot}", err=True)
        if self.format is Format.TABLE:
            from reports.tables.sweep import points

            title = f"Front of {', '.join(columns)}: {len(best):,} of {len(rows):,} points"
            title += _left_out(found)
            if len(best) > self.most:
                title += f", the first {self.most}"
            if best.empty:
                deliver(f"{title}; {self._nothing(rows)}\n", self.out)
                raise typer.Exit(1)
            self._table(points(best.head(self.most), columns, title, knee))
            return
        top = {
            "objectives": [
                {"column": own.column, "maximise": own.maximise} for own in found.objectives
            ],
            "where": self.conditions,
            "infeasible": found.infeasible,
            "not_evaluated": found.not_evaluated,
            "knee": knee,
            "unfinished": self.result.unfinished,
        }
        self._rows(top, best)

    def _nothing(self, rows: pd.DataFrame) -> str:
        if rows.empty and self.conditions:
            return f"none meets {' and '.join(self.conditions)}"
        reasons = self.result.infeasible_because(self.conditions)
        said = ", ".join(f"{name} ({count:,})" for name, count in reasons.items())
        return f"none is feasible: {said}" if said else "none is evaluated"

    def _drawn(self, plot: Path | None, figure: str, colour: str | None) -> list[str]:
        """Return the columns that a figure needs beside the objectives."""
        if plot is None:
            return []
        if "," in figure:
            return [name.strip() for name in figure.split(",")]
        if figure == "parallel":
            return [name for name in self.result.columns if is_parameter(name)]
        return [] if colour is None else [colour]

    def cheapest(self, result: str) -> None:
        """Write the point with the least of a result."""
        found = self.result.cheapest(result, self.conditions)
        rows = None if found.design is None else found.design.to_frame().T.infer_objects()
        if self.format is Format.TABLE:
            from reports.tables.sweep import answer, points

            deliver(answer(found, " and ".join(self.conditions)) + "\n", self.out)
            if rows is not None:
                self._table(points(rows, [found.column], "The design", None))
                typer.echo(self.result.map_command(int(rows["point"].iloc[0])))
        else:
            top = {
                "minimise": found.column,
                "where": self.conditions,
                "meets": dict(found.meets),
                "unfinished": self.result.unfinished,
            }
            self._rows(top, rows)
        if found.design is None:
            raise typer.Exit(1)

    def effects(self, result: str) -> None:
        """Write what each parameter does to a result."""
        from reports.tables.sweep import effects

        found = self.result.main_effects(result, self.conditions)
        table = effects(found)
        if self.format is Format.JSON:
            data: dict[str, Any] = {
                "column": found.column,
                "scale": found.scale,
                "designs": found.designs,
                "balanced": found.is_balanced,
                "interactions": found.interactions,
                "effects": [
                    {
                        "parameter": own.parameter,
                        "eta_squared": own.eta_squared,
                        "levels": [level._asdict() for level in own.levels],
                    }
                    for own in found.effects
                ],
            }
            deliver(json_text({"schema": _SCHEMA, **data}), self.out)
            return
        self._table(table)
        if self.format is Format.TABLE and not found.is_balanced:
            typer.echo(
                "Not all combinations are there, so shares overlap: a parameter may get credit "
                "for another that goes with it.",
                err=self.out is not None,
            )

    def compare(self, text: str) -> None:
        """Write what changed between two points."""
        from reports.tables.sweep import changes

        try:
            before, after = (int(part) for part in text.split(","))
        except ValueError as error:
            raise ConfigError(
                f"--compare {text}; allowed: two numbers of points, e.g. 12,345"
            ) from error
        if before == after:
            raise ConfigError(f"--compare {text}; allowed: two different points")
        found = self.result.difference(before, after)
        if self.format is Format.JSON:
            data = {
                "parameters": [own._asdict() for own in found.parameters],
                "results": [own._asdict() for own in found.results],
            }
            deliver(json_text({"schema": _SCHEMA, **data}), self.out)
            return
        self._table(changes(found, before, after))

    def point(self, number: int) -> None:
        """Write one point and the command that maps it by itself."""
        from reports.tables.sweep import points

        command = self.result.map_command(number)
        rows = self.result.rows([number])
        if rows.empty:
            raise ConfigError(
                f"point {number}: left out of this sweep, or not done yet; its command: {command}"
            )
        if self.format is Format.TABLE:
            columns = [metric.column for metric in shown_in(Place.SWEEP_POINT)]
            accuracy = ["accuracy_mean"] if "accuracy_mean" in rows.columns else []
            self._table(points(rows, [*accuracy, *columns], f"Point {number}", None))
            typer.echo(command)
        else:
            self._rows({"command": command}, rows)

    def _table(self, table: Table) -> None:
        if self.format is Format.CSV:
            deliver(csv_text([own.key for own in table.columns], table.records()), self.out)
            return
        from archsim.cli import render

        render.present(lambda console: render.show(console, render.grid(table)), self.out)

    def _rows(self, top: dict[str, Any], rows: pd.DataFrame | None) -> None:
        if self.format is Format.CSV:
            deliver("" if rows is None else rows.to_csv(index=False), self.out)
            return
        records = [] if rows is None else rows.astype(object).to_dict("records")
        plain = [
            {str(key): None if value != value else value for key, value in record.items()}
            for record in records
        ]
        deliver(json_text({"schema": _SCHEMA, **top, "points": plain}), self.out)

    def _plot(
        self, rows: pd.DataFrame, found: Front, path: Path, figure: str, colour: str | None
    ) -> None:
        if "," in figure:
            from reports.figures.heat_map import collect_heat_map, save_heat_map

            across, _, up = figure.partition(",")
            info = collect_heat_map(
                rows, x=across.strip(), y=up.strip(), result=found.objectives[0]
            )
            save_heat_map(info, path)
        elif figure == "parallel":
            from reports.figures.parallel import collect_parallel, save_parallel

            lines = collect_parallel(
                rows, objectives=found.objectives, front=found.mask, knee=found.knee
            )
            save_parallel(lines, path)
        elif figure == "pareto":
            self._plot_front(rows, found, path, colour)
        else:
            raise ConfigError(
                f"--figure {figure}; allowed: pareto, parallel, or two parameters for a heat map, "
                "e.g. tsb.channels,chip.precision.bits_per_cell"
            )

    def _plot_front(self, rows: pd.DataFrame, found: Front, path: Path, colour: str | None) -> None:
        from reports.figures.pareto import collect_pareto, save_pareto

        if len(found.objectives) < 2:
            raise ConfigError("--plot: a front needs two objectives; give --pareto edp,area")
        info = collect_pareto(
            rows,
            x=found.objectives[1],
            y=found.objectives[0],
            front=found.mask,
            knee=found.knee,
            colour_by=colour,
        )
        save_pareto(info, path)


def _left_out(found: Front) -> str:
    parts = []
    if found.infeasible:
        parts.append(f"{found.infeasible:,} infeasible")
    if found.not_evaluated:
        parts.append(f"{found.not_evaluated:,} not evaluated")
    return f" ({', '.join(parts)})" if parts else ""


def refined_lines(result: SweepResult) -> list[str]:
    """Return what each refinement came to, a line each; none where nothing was refined."""
    from archsim.explore.run.refined import read_refined

    if result.sweep.strategy.kind != "gradient":
        return []
    lines = []
    for own in read_refined(result.store):
        pairs = [
            f"{name} {value:.4g} -> {own.after[name]:.4g}" for name, value in own.before.items()
        ]
        lines.append(f"point {own.point}, from {own.start}: {', '.join(pairs)}")
    return lines or ["no point to refine: none is feasible and within the constraints"]
