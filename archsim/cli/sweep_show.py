"""Answers about a sweep, as tables, JSON or CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from archsim.cli.options import Format
from archsim.cli.output import csv_text, deliver, json_text
from archsim.errors import Code, ConfigError
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
        for note in self.result.accuracy_notes:
            typer.echo(note, err=True)

    def front(
        self, objectives: str | None, plot: Path | None, figure: str, colour: str | None
    ) -> None:
        """Write the Pareto front, and draw it if a file is named."""
        rows, front = self.result.pareto(
            objectives, self.conditions, self._drawn(plot, figure, colour)
        )
        columns = [objective.column for objective in front.objectives]
        best = self.result.rows(rows["point"][front.mask])
        best = best.sort_values(
            columns[0], ascending=not front.objectives[0].maximise, kind="stable"
        )
        knee = None if front.knee is None else int(rows["point"].iloc[front.knee])
        if plot is not None:
            self._plot(rows, front, plot, figure, colour)
            typer.echo(f"wrote {plot}", err=True)
        if self.format is Format.TABLE:
            from reports.tables.sweep import points

            title = f"Front of {', '.join(columns)}: {len(best):,} of {len(rows):,} points"
            title += _left_out(front)
            if len(best) > self.most:
                title += f", the first {self.most}"
            if best.empty:
                deliver(f"{title}; {self._nothing(rows)}\n", self.out)
                raise typer.Exit(1)
            self._table(points(best.head(self.most), columns, title, knee))
            return
        top = {
            "objectives": [
                {"column": objective.column, "maximise": objective.maximise}
                for objective in front.objectives
            ],
            "where": self.conditions,
            "infeasible": front.infeasible,
            "not_evaluated": front.not_evaluated,
            "knee": knee,
            "unfinished": self.result.unfinished,
        }
        self._rows(top, best)

    def page(self, objectives: str | None, path: Path) -> None:
        """Write the page of the front."""
        from archsim.api.sweep_page import sweep_page

        sweep_page(self.result, path, objectives=objectives, where=self.where)
        typer.echo(f"wrote {path}", err=True)

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
        cheapest = self.result.cheapest(result, self.conditions)
        rows = None if cheapest.design is None else cheapest.design.to_frame().T.infer_objects()
        if self.format is Format.TABLE:
            from reports.tables.sweep import answer, points

            deliver(answer(cheapest, " and ".join(self.conditions)) + "\n", self.out)
            if rows is not None:
                self._table(points(rows, [cheapest.column], "The design", None))
                typer.echo(self.result.map_command(int(rows["point"].iloc[0])))
        else:
            top = {
                "minimise": cheapest.column,
                "where": self.conditions,
                "meets": dict(cheapest.meets),
                "unfinished": self.result.unfinished,
            }
            self._rows(top, rows)
        if cheapest.design is None:
            raise typer.Exit(1)

    def effects(self, result: str) -> None:
        """Write what each parameter does to a result."""
        from reports.tables.sweep import effects

        main_effects = self.result.main_effects(result, self.conditions)
        table = effects(main_effects)
        if self.format is Format.JSON:
            data: dict[str, Any] = {
                "column": main_effects.column,
                "scale": main_effects.scale,
                "designs": main_effects.designs,
                "balanced": main_effects.is_balanced,
                "interactions": main_effects.interactions,
                "effects": [
                    {
                        "parameter": effect.parameter,
                        "eta_squared": effect.eta_squared,
                        "levels": [level._asdict() for level in effect.levels],
                    }
                    for effect in main_effects.effects
                ],
            }
            deliver(json_text({"schema": _SCHEMA, **data}), self.out)
            return
        self._table(table)
        if self.format is Format.TABLE and not main_effects.is_balanced:
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
                f"--compare {text}; allowed: two numbers of points, e.g. 12,345",
                code=Code.WRONG_FORM,
                field="--compare",
                value=text,
                allowed="two numbers of points",
            ) from error
        if before == after:
            raise ConfigError.of(
                Code.GIVEN_TWICE, "--compare", text, allowed="two different points"
            )
        difference = self.result.difference(before, after)
        if self.format is Format.JSON:
            data = {
                "parameters": [change._asdict() for change in difference.parameters],
                "results": [change._asdict() for change in difference.results],
            }
            deliver(json_text({"schema": _SCHEMA, **data}), self.out)
            return
        self._table(changes(difference, before, after))

    def point(self, number: int) -> None:
        """Write one point and the command that maps it by itself."""
        from reports.tables.sweep import points

        command = self.result.map_command(number)
        rows = self.result.rows([number])
        if rows.empty:
            raise ConfigError(
                f"point {number}: left out of this sweep, or not done yet; its command: {command}",
                code=Code.EMPTY,
                field="point",
                value=number,
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
            deliver(csv_text([column.key for column in table.columns], table.records()), self.out)
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
        self, rows: pd.DataFrame, front: Front, path: Path, figure: str, colour: str | None
    ) -> None:
        if "," in figure:
            from reports.figures.heat_map import collect_heat_map, save_heat_map

            across, _, up = figure.partition(",")
            info = collect_heat_map(
                rows, x=across.strip(), y=up.strip(), result=front.objectives[0]
            )
            save_heat_map(info, path)
        elif figure == "parallel":
            from reports.figures.parallel import collect_parallel, save_parallel

            lines = collect_parallel(
                rows, objectives=front.objectives, front=front.mask, knee=front.knee
            )
            save_parallel(lines, path)
        elif figure == "pareto":
            self._plot_front(rows, front, path, colour)
        else:
            raise ConfigError(
                f"--figure {figure}; allowed: pareto, parallel, or two parameters for a heat map, "
                "e.g. tsb.channels,chip.precision.bits_per_cell",
                code=Code.UNKNOWN_NAME,
                field="--figure",
                value=figure,
                allowed=("pareto", "parallel"),
            )

    def _plot_front(self, rows: pd.DataFrame, front: Front, path: Path, colour: str | None) -> None:
        from reports.figures.pareto import collect_pareto, save_pareto

        if len(front.objectives) < 2:
            raise ConfigError.of(
                Code.CONFLICT,
                "--plot",
                problem="a front needs two objectives; give --pareto edp,area",
            )
        info = collect_pareto(
            rows,
            x=front.objectives[1],
            y=front.objectives[0],
            front=front.mask,
            knee=front.knee,
            colour_by=colour,
        )
        save_pareto(info, path)


def _left_out(front: Front) -> str:
    parts = []
    if front.infeasible:
        parts.append(f"{front.infeasible:,} infeasible")
    if front.not_evaluated:
        parts.append(f"{front.not_evaluated:,} not evaluated")
    return f" ({', '.join(parts)})" if parts else ""


def refined_lines(result: SweepResult) -> list[str]:
    """Return what each refinement came to, a line each; none where nothing was refined."""
    from archsim.explore.run.refined import read_refined

    if result.sweep.strategy.kind != "gradient":
        return []
    lines = []
    for refinement in read_refined(result.store):
        pairs = [
            f"{name} {value:.4g} -> {refinement.after[name]:.4g}"
            for name, value in refinement.before.items()
        ]
        lines.append(f"point {refinement.point}, from {refinement.start}: {', '.join(pairs)}")
    return lines or ["no point to refine: none is feasible and within the constraints"]
