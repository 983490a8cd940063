"""The page of a sweep: its front, what is near it, and the command of every point that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim import __version__
from reports.figures.axis import axis_of
from reports.figures.style import COLOURS
from reports.page.render import environment, script_hash, write_page

if TYPE_CHECKING:
    import pandas as pd

    from archsim.results.columns import Objective

_HERE = Path(__file__).parent
#: Points at most beside those of the front: one for each cell of a grid over two results.
MOST_OTHERS = 1200
#: Cells of that grid along one result.
_CELLS = 60
#: Accuracies, in per cent on the page.
_MEASURED, _LOW, _HIGH = "accuracy_mean", "accuracy_ci95_low", "accuracy_ci95_high"
_PREDICTED, _PREDICTED_LOW, _PREDICTED_HIGH = "accuracy_predicted", "accuracy_low", "accuracy_high"
ACCURACY = "accuracy"


@dataclass(frozen=True, eq=False)
class SweepRows:
    """The rows of a sweep that a page is made of.

    Attributes:
        name: of the sweep.
        description: one line.
        rows: with ``point``, parameters, results, and accuracies where there are some.
        parameters: columns that were varied.
        objectives: of the front, those of hardware first.
        measured: which rows are on the front of what is measured.
        expected: which are on it where a prediction stands in for what is not measured.
        notes: what is to be said of the accuracies.
        left_out: rows that are infeasible or do not meet the conditions.
        conditions: that rows meet.
        command: maps a point by itself.
    """

    name: str
    description: str
    rows: pd.DataFrame
    parameters: Sequence[str]
    objectives: Sequence[Objective]
    measured: np.ndarray
    expected: np.ndarray
    notes: Sequence[str]
    left_out: int
    conditions: Sequence[str]
    command: Callable[[int], str]


def shown(asked: SweepRows) -> np.ndarray:
    """Return which rows a page holds: both fronts, and of the others the best of each grid cell.

    Args:
        asked: rows of the sweep.
    """
    front = asked.measured | asked.expected
    others = np.flatnonzero(~front)
    values = [_values(asked, objective.column)[others] for objective in asked.objectives]
    known = np.ones(len(others), dtype=bool)
    for value in values:
        known &= np.isfinite(value)
    others, values = others[known], [value[known] for value in values]
    chosen: np.ndarray = np.array(front)
    if not len(others):
        return chosen
    cells = np.zeros(len(others), dtype=np.int64)
    for value in (values[0], values[-1]):
        ranks = value.argsort().argsort()  # a grid of ranks is as full at every scale
        cells = cells * _CELLS + ranks * _CELLS // max(1, len(ranks))
    order = np.lexsort((values[0], cells))
    first = np.flatnonzero(np.diff(cells[order], prepend=-1))
    picked = others[order[first]]
    if len(picked) > MOST_OTHERS:
        picked = picked[np.linspace(0, len(picked) - 1, MOST_OTHERS).round().astype(int)]
    chosen[picked] = True
    return chosen


def _values(asked: SweepRows, column: str) -> np.ndarray:
    """Return a result of all rows; a predicted accuracy where none is measured."""
    found: np.ndarray = asked.rows[column].to_numpy(dtype=float)
    if column == _MEASURED and _PREDICTED in asked.rows.columns:
        predicted = asked.rows[_PREDICTED].to_numpy(dtype=float)
        return np.asarray(np.where(np.isfinite(found), found, predicted))
    return found


def sweep_html(asked: SweepRows) -> str:
    """Render the page of a sweep.

    Args:
        asked: its rows.
    """
    chosen = np.flatnonzero(shown(asked))
    rows = asked.rows.iloc[chosen]
    data = _data(asked, rows, chosen)
    library = files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    script = "\n".join((_HERE / name).read_text("utf-8") for name in ("tables.js", "sweep.js"))
    has = _MEASURED in asked.rows.columns
    measured = int(asked.rows[_MEASURED].notna().sum()) if has else 0
    predicted = 0
    if has and _PREDICTED in asked.rows.columns:
        only = asked.rows[_MEASURED].isna() & asked.rows[_PREDICTED].notna()
        predicted = int(only.sum())
    return environment().get_template("sweep.html").render(
        asked=asked,
        data=data,
        points=data["points"],
        total=len(asked.rows),
        measured=measured,
        predicted=predicted,
        has_accuracy=has,
        css=(_HERE / "page.css").read_text("utf-8"),
        library=library,
        script=script,
        hashes=[script_hash(library), script_hash(script)],
        version=__version__,
    )  # fmt: skip


def save_sweep_page(asked: SweepRows, path: Path) -> None:
    """Write the page of a sweep.

    Args:
        asked: its rows.
        path: of the HTML file.

    Raises:
        ConfigError: a place that cannot be written to.
    """
    write_page(sweep_html(asked), path)


def _data(asked: SweepRows, rows: pd.DataFrame, chosen: np.ndarray) -> dict[str, Any]:
    """Return what the script draws; numbers are finite or None."""
    costs = [objective.column for objective in asked.objectives if objective.column != _MEASURED]
    axes = []
    for column in costs:
        axis = axis_of(column, rows[column].to_numpy(dtype=float), maximise=False)
        axes.append(
            {
                "key": column,
                "title": axis.title,
                "label": axis.full_title,
                "factor": axis.factor,
                "log": axis.is_log,
            }
        )
    if _MEASURED in rows.columns:
        label = {"title": ACCURACY, "label": "accuracy, %"}
        axes.append({"key": ACCURACY, **label, "factor": 0.01, "log": False})
    points = []
    for place, (_, row) in zip(chosen, rows.iterrows(), strict=True):
        number = int(row["point"])
        points.append(
            {
                "point": number,
                "values": {column: _finite(row[column]) for column in costs},
                "settings": {name: _plain(row[name]) for name in asked.parameters},
                "measured": _interval(row, _MEASURED, _LOW, _HIGH),
                "predicted": _interval(row, _PREDICTED, _PREDICTED_LOW, _PREDICTED_HIGH),
                "front": bool(asked.measured[place]),
                "expected": bool(asked.expected[place]),
                "command": asked.command(number),
            }
        )
    levels = {
        name: list(dict.fromkeys(_plain(value) for value in sorted_values(asked.rows[name])))
        for name in asked.parameters
    }
    return {
        "axes": axes,
        "points": points,
        "levels": {name: each for name, each in levels.items() if len(each) > 1},
        "colours": list(COLOURS),
    }


def sorted_values(column: pd.Series[Any]) -> list[Any]:
    """Return the different values of a parameter, in order; texts as they come.

    Args:
        column: of a parameter.
    """
    values = [value for value in column.unique().tolist() if value == value]
    numbers = all(isinstance(value, int | float) for value in values)
    return sorted(values) if numbers else values


def _plain(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    return None if plain is None or plain != plain else plain


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(row: pd.Series[Any], *names: str) -> list[float] | None:
    """Return an accuracy and its interval; None where it is not known."""
    if names[0] not in row.index or not np.isfinite(row[names[0]]):
        return None
    middle, *ends = (float(row[name]) for name in names)
    low, high = (middle if end != end else end for end in ends)
    return [middle, low, high]
