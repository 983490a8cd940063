"""Points of a sweep, and answers about them, as plain tables in the units that people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from archsim.results.columns import Scale, is_parameter, is_share, label_of, scale_of, split_unit
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.table import Cell, Column, Kind, Table

if TYPE_CHECKING:
    import pandas as pd

    from archsim.results.answers import Change, Cheapest, Difference, MainEffects


def points(rows: pd.DataFrame, objectives: Sequence[str], title: str, knee: int | None) -> Table:
    """Return points with their parameters and results.

    Args:
        rows: of a sweep; those to show.
        objectives: columns of results, shown first.
        title: of the table.
        knee: number of the point to mark; None marks none.
    """
    always = ("accuracy_mean", *(metric.column for metric in shown_in(Place.SWEEP_FRONT)))
    results = list(dict.fromkeys([*objectives, *(name for name in always if name in rows.columns)]))
    parameters = [
        str(name) for name in rows.columns if is_parameter(str(name)) and name not in results
    ]
    alike = {name: rows[name].iloc[0] for name in parameters if _is_alike(rows, name)}
    parameters = [name for name in parameters if name not in alike]
    if alike:
        said = ", ".join(
            f"{_title(name)} {_said(value)} {_unit(name)}".strip() for name, value in alike.items()
        )
        title = f"{title}\nAll of them: {said}"
    scales = {name: _scale(rows, name) for name in results}
    columns = [
        Column("point", "point", "text"),
        *(Column(name, _title(name), _kind_of(rows, name), _unit(name)) for name in parameters),
        *(_result_column(name, scale) for name, scale in scales.items()),
    ]
    cells: list[tuple[Cell, ...]] = []
    for _, row in rows.iterrows():
        number = str(int(row["point"]))
        mark = f"{number} knee" if knee is not None and int(row["point"]) == knee else number
        cells.append(
            (
                mark,
                *(_cell(row[name]) for name in parameters),
                *(_shown(row[name], scale) for name, scale in scales.items()),
            )
        )
    return Table(title, tuple(columns), tuple(cells))


def _is_alike(rows: pd.DataFrame, name: str) -> bool:
    """Say whether all of several rows have the same value of a parameter."""
    return len(rows) > 1 and rows[name].nunique(dropna=False) == 1


def _said(value: object) -> str:
    cell = _cell(value)
    if cell is None:
        return "-"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _title(name: str) -> str:
    return label_of(name)


def _unit(name: str) -> str:
    return split_unit(name)[1].replace("*", " ")


def _kind_of(rows: pd.DataFrame, name: str) -> Kind:
    kind = rows[name].dtype.kind
    if kind in "iu":
        return "count"
    if kind != "f":
        return "text"
    values = rows[name].dropna()
    return "count" if bool((values == values.round()).all()) else "number"


def _scale(rows: pd.DataFrame, name: str) -> Scale:
    return scale_of(name, rows[name].to_numpy(dtype=np.float64, na_value=np.nan))


def _result_column(name: str, scale: Scale) -> Column:
    unit = scale.unit.replace("*", " ")
    return Column(name, scale.label, "number", unit)


def _shown(value: object, scale: Scale) -> Cell:
    cell = _cell(value)
    return cell / scale.factor if isinstance(cell, int | float) else cell


def _cell(value: object) -> Cell:
    if value is None or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.generic):
        return _cell(value.item())
    return value if isinstance(value, str | int | float) else str(value)


def changes(difference: Difference, before: int, after: int) -> Table:
    """Return what changed between two points.

    Args:
        difference: the differences.
        before: number of a point.
        after: of the other.
    """
    columns = (
        Column("column", "setting or result", wraps=True),
        Column("unit", "unit"),
        Column("before", f"point {before}", "number"),
        Column("after", f"point {after}", "number"),
        Column("ratio", "ratio", "ratio"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            _title(change.column),
            _unit(change.column),
            _whole(change.before),
            _whole(change.after),
            _ratio(change),
        )
        for change in difference.parameters
        if change.column not in ("point", "accuracy_key")
    ]
    alike = []
    for change in difference.results:
        if change.before == change.after or (
            change.before != change.before and change.after != change.after
        ):
            alike.append(label_of(change.column))
            continue
        ends = [value for value in (change.before, change.after) if isinstance(value, int | float)]
        scale = scale_of(change.column, np.asarray(ends, dtype=np.float64))
        before_, after_ = _whole(_shown(change.before, scale)), _whole(_shown(change.after, scale))
        unit = scale.unit.replace("*", " ")
        # A ratio of shares says little; their difference is in the two columns.
        ratio = None if is_share(change.column) else change.ratio
        rows.append((scale.label, unit, before_, after_, ratio))
    title = "What changed" + (f"\nAlike: {', '.join(alike)}" if alike else "")
    return Table(title, columns, tuple(rows))


def _whole(value: object) -> Cell:
    """Return a whole number as one, so that it is shown without decimals."""
    cell = _cell(value)
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _ratio(change: Change) -> float | None:
    ends = (change.before, change.after)
    if any(isinstance(end, bool | str) or not isinstance(end, int | float) for end in ends):
        return None
    before, after = float(str(change.before)), float(str(change.after))
    return after / before if before and np.isfinite([before, after]).all() else None


def effects(main_effects: MainEffects) -> Table:
    """Return how much each parameter moves a result by itself.

    Args:
        main_effects: the effects.
    """
    columns = (
        Column("parameter", "parameter", wraps=True),
        Column("share", "share of the variance", "percent", "%"),
        Column("level", "level"),
        Column("designs", "designs", "count"),
        Column("mean", "mean", "number"),
    )
    means = np.asarray([level.mean for effect in main_effects.effects for level in effect.levels])
    scale = scale_of(main_effects.column, means)
    rows: list[tuple[Cell, ...]] = []
    for effect in main_effects.effects:
        for place, level in enumerate(effect.levels):
            share = effect.eta_squared if place == 0 else None
            name = _title(effect.parameter) if place == 0 else ""
            rows.append((name, share, level.name, level.designs, level.mean / scale.factor))
    unit = f", {scale.unit.replace('*', ' ')}" if scale.unit else ""
    mean = "geometric means" if main_effects.scale == "log" else "means"
    title = f"What moves {scale.label}: {mean}{unit}, of {main_effects.designs:,} designs"
    return Table(title, columns, tuple(rows))


def _nearest(name: str, column: str, value: float, point: int) -> str:
    scale = scale_of(column, np.asarray([value]))
    end = "most" if ">" in name else "least"
    unit = scale.unit.replace("*", " ")
    return f"the {end} {scale.label} is {value / scale.factor:.4g} {unit} at point {point}"


def answer(cheapest: Cheapest, text: str) -> str:
    """Return one sentence: the cheapest design, or why there is none.

    Args:
        cheapest: the answer.
        text: conditions, as they were written.
    """
    asked = f" with {text}" if text else ""
    if cheapest.design is None:
        several = len(cheapest.meets) > 1
        said = [f"{count:,} with {name}" for name, count in cheapest.meets.items() if several]
        said += [_nearest(name, *cheapest.nearest[name]) for name in cheapest.nearest]
        said += [f"{cheapest.not_evaluated:,} are not evaluated"] if cheapest.not_evaluated else []
        said += [] if cheapest.infeasible < cheapest.designs else ["none is feasible"]
        return f"No feasible design{asked}{': ' if said else ''}{'; '.join(said)}."
    value = float(cheapest.design[cheapest.column])
    scale = scale_of(cheapest.column, np.asarray([value]))
    unit = scale.unit.replace("*", " ")
    return (
        f"Least {scale.label}{asked}: {value / scale.factor:.4g} {unit} at point "
        f"{int(cheapest.design['point'])}, of {cheapest.qualified:,} designs."
    )
