"""Points of a sweep, and answers about them, as plain tables in the units that people read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from archsim.results.columns import Scale, is_result, is_share, label_of, scale_of, split_unit
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from reports.tables.table import Cell, Column, Kind, Table

if TYPE_CHECKING:
    import pandas as pd

    from archsim.results.answers import Change, Cheapest, Difference, MainEffects

_NOT_SHOWN = ("accuracy_key", "infeasible_because", "feasible")


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
        str(name)
        for name in rows.columns
        if not is_result(str(name)) and name not in (*_NOT_SHOWN, *results, "point")
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
    found: list[tuple[Cell, ...]] = []
    for _, row in rows.iterrows():
        number = str(int(row["point"]))
        mark = f"{number} knee" if knee is not None and int(row["point"]) == knee else number
        found.append(
            (
                mark,
                *(_cell(row[name]) for name in parameters),
                *(_shown(row[name], scale) for name, scale in scales.items()),
            )
        )
    return Table(title, tuple(columns), tuple(found))


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


def changes(found: Difference, before: int, after: int) -> Table:
    """Return what changed between two points.

    Args:
        found: the differences.
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
        (_title(own.column), _unit(own.column), _whole(own.before), _whole(own.after), _ratio(own))
        for own in found.parameters
        if own.column not in ("point", "accuracy_key")
    ]
    alike = []
    for own in found.results:
        if own.before == own.after or (own.before != own.before and own.after != own.after):
            alike.append(label_of(own.column))
            continue
        ends = [value for value in (own.before, own.after) if isinstance(value, int | float)]
        scale = scale_of(own.column, np.asarray(ends, dtype=np.float64))
        before_, after_ = _whole(_shown(own.before, scale)), _whole(_shown(own.after, scale))
        unit = scale.unit.replace("*", " ")
        # A ratio of shares says little; their difference is in the two columns.
        ratio = None if is_share(own.column) else own.ratio
        rows.append((scale.label, unit, before_, after_, ratio))
    title = "What changed" + (f"\nAlike: {', '.join(alike)}" if alike else "")
    return Table(title, columns, tuple(rows))


def _whole(value: object) -> Cell:
    """Return a whole number as one, so that it is shown without decimals."""
    cell = _cell(value)
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _ratio(own: Change) -> float | None:
    ends = (own.before, own.after)
    if any(isinstance(end, bool | str) or not isinstance(end, int | float) for end in ends):
        return None
    before, after = float(str(own.before)), float(str(own.after))
    return after / before if before and np.isfinite([before, after]).all() else None


def effects(found: MainEffects) -> Table:
    """Return how much each parameter moves a result by itself.

    Args:
        found: the effects.
    """
    columns = (
        Column("parameter", "parameter", wraps=True),
        Column("share", "share of the variance", "percent", "%"),
        Column("level", "level"),
        Column("designs", "designs", "count"),
        Column("mean", "mean", "number"),
    )
    means = np.asarray([level.mean for own in found.effects for level in own.levels])
    scale = scale_of(found.column, means)
    rows: list[tuple[Cell, ...]] = []
    for own in found.effects:
        for place, level in enumerate(own.levels):
            share = own.eta_squared if place == 0 else None
            name = _title(own.parameter) if place == 0 else ""
            rows.append((name, share, level.name, level.designs, level.mean / scale.factor))
    unit = f", {scale.unit.replace('*', ' ')}" if scale.unit else ""
    mean = "geometric means" if found.scale == "log" else "means"
    title = f"What moves {scale.label}: {mean}{unit}, of {found.designs:,} designs"
    return Table(title, columns, tuple(rows))


def _nearest(name: str, column: str, value: float, point: int) -> str:
    scale = scale_of(column, np.asarray([value]))
    end = "most" if ">" in name else "least"
    unit = scale.unit.replace("*", " ")
    return f"the {end} {scale.label} is {value / scale.factor:.4g} {unit} at point {point}"


def answer(found: Cheapest, text: str) -> str:
    """Return one sentence: the cheapest design, or why there is none.

    Args:
        found: the answer.
        text: conditions, as they were written.
    """
    asked = f" with {text}" if text else ""
    if found.design is None:
        several = len(found.meets) > 1
        said = [f"{count:,} with {name}" for name, count in found.meets.items() if several]
        said += [_nearest(name, *found.nearest[name]) for name in found.nearest]
        said += [f"{found.not_evaluated:,} are not evaluated"] if found.not_evaluated else []
        said += [] if found.infeasible < found.designs else ["none is feasible"]
        return f"No feasible design{asked}{': ' if said else ''}{'; '.join(said)}."
    value = float(found.design[found.column])
    scale = scale_of(found.column, np.asarray([value]))
    unit = scale.unit.replace("*", " ")
    return (
        f"Least {scale.label}{asked}: {value / scale.factor:.4g} {unit} at point "
        f"{int(found.design['point'])}, of {found.qualified:,} designs."
    )
