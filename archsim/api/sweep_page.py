"""The page of a sweep: its rows, the fronts of what is measured and of what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archsim.analysis import pareto
from archsim.explore.accuracy.accuracy import COLUMNS as ACCURACIES
from archsim.explore.accuracy.prediction import PREDICTED
from archsim.explore.query.result import SweepResult
from archsim.results.columns import FEASIBLE
from reports.page.sweep import SweepRows, save_sweep_page


def sweep_page(
    result: SweepResult,
    path: str | Path,
    *,
    objectives: str | None = None,
    where: Sequence[str] | None = None,
) -> Path:
    """Write one self-contained HTML page of a sweep.

    It holds both fronts and some of the other points, however many there are, each with the command
    that maps it by itself.

    Args:
        result: of :func:`archsim.open_sweep`.
        path: of the page.
        objectives: e.g. ``edp,area,max:accuracy``; None: those of the sweep.
        where: conditions that points meet; None: the sweep's constraints.

    Raises:
        ConfigError: an unknown column, or a place that cannot be written to.
        DataError: nothing is there yet, or a part is damaged.
    """
    conditions = list(result.sweep.constraints if where is None else where)
    text = ",".join(result.sweep.objectives) if objectives is None else objectives
    wanted = pareto.parse_objectives(text, result.columns)
    parameters = list(result.space.columns.values())
    known = [name for name in (*ACCURACIES[:3], *PREDICTED) if name in result.columns]
    columns = [*parameters, *(objective.column for objective in wanted), *known]
    rows = result.frame(conditions, columns)
    all_rows = len(rows)
    rows = rows[rows[FEASIBLE]].reset_index(drop=True)
    measured = pareto.pareto_front(rows, wanted).mask
    expected, mean = measured, ACCURACIES[0]
    if PREDICTED[0] in rows.columns and mean in [objective.column for objective in wanted]:
        filled = rows.assign(**{mean: rows[mean].fillna(rows[PREDICTED[0]])})
        expected = pareto.pareto_front(filled, wanted).mask
    asked = SweepRows(
        name=result.sweep.name,
        description=result.sweep.description or "",
        rows=rows,
        parameters=parameters,
        objectives=wanted,
        measured=measured,
        expected=expected,
        notes=[note for note in (result.unfinished, *result.accuracy_notes) if note],
        left_out=all_rows - len(rows),
        conditions=conditions,
        command=result.map_command,
    )
    save_sweep_page(asked, Path(path))
    return Path(path)
