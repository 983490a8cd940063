"""Refine the best points of a sweep that is done: where to start, and the rows of its last part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from torch import Tensor

from archsim.analysis.pareto import non_dominated, points_of
from archsim.explore.run.goals import Goals
from archsim.explore.run.refined import Refined, write_refined
from archsim.explore.run.rows import POINT, schema_of
from archsim.explore.run.store import Store
from archsim.explore.run.sweep import Job
from archsim.explore.search.gradient import Refinement, dials, scores
from archsim.explore.space.points import Space

if TYPE_CHECKING:
    import pandas as pd


def refine(job: Job, store: Store) -> None:
    """Refine the best points of a sweep that is done, and write them as its last part.

    Refined points have the numbers -1, -2, ...: they are no points of the grid.

    Args:
        job: the sweep.
        store: its folder, with all other parts.

    Raises:
        ArchsimError: an axis that cannot be moved, or a full disk.
    """
    if job.parts in store.done():
        return
    space = job.space
    rows = store.frame()
    starts = _starts(space, rows)
    order = {start: -1 - index for index, start in enumerate(starts)}
    frames, said = [], []
    for group in _groups(space, starts):
        before = rows.set_index(POINT, drop=False).loc[group].reset_index(drop=True)
        refinement = Refinement(space, group)
        after, values = refinement.run(before)
        after[POINT] = [order[start] for start in group]
        frames.append(after)
        said += _said(refinement, before, after, values)
    write_refined(store, sorted(said, key=lambda refined: -refined.point))
    store.write(job.parts, _table(space, frames), {"combinations": 0, "forbidden": {}})


def _starts(space: Space, rows: pd.DataFrame) -> list[int]:
    """Return points of the front, best first: the best of each combination of other axes."""
    goals, strategy = Goals.of(space), space.sweep.strategy
    good = np.asarray([verdict.is_good for verdict in goals.judge(rows)], dtype=bool)
    kept = rows[good]
    values = points_of(kept, goals.objectives)
    front = non_dominated(values, goals.maximise) & (values > 0).all(axis=1)
    least = scores(kept[front], goals, strategy)
    numbers = kept[POINT].to_numpy()[front]
    moved = [dial.place for dial in dials(space)]
    others = np.delete(space.grid.digits_of(numbers), moved, axis=0)
    best: dict[tuple[int, ...], int] = {}
    for index in np.lexsort((numbers, least)):
        best.setdefault(tuple(others[:, index].tolist()), int(numbers[index]))
    return list(best.values())[: strategy.starts]


def _groups(space: Space, points: Sequence[int]) -> list[list[int]]:
    """Put points with the same values of the outer axes together."""
    outer = [place for place, axis in enumerate(space.grid.axes) if axis.is_outer]
    groups: dict[tuple[int, ...], list[int]] = {}
    for point in points:
        digits = space.grid.digits(point)
        groups.setdefault(tuple(digits[place] for place in outer), []).append(point)
    return list(groups.values())


def _said(
    refinement: Refinement, before: pd.DataFrame, after: pd.DataFrame, values: Tensor
) -> list[Refined]:
    columns = [objective.column for objective in refinement.goals.objectives]
    refined = []
    for index, start in enumerate(before[POINT].tolist()):
        active = refinement.space.settings(start)
        pairs = zip(refinement.dials, values[index].tolist(), strict=True)
        refined.append(
            Refined(
                point=int(after[POINT].iloc[index]),
                start=start,
                settings={
                    dial.axis.path: value for dial, value in pairs if dial.axis.path in active
                },
                before={name: float(before[name].iloc[index]) for name in columns},
                after={name: float(after[name].iloc[index]) for name in columns},
            )
        )
    return refined


def _table(space: Space, frames: list[pd.DataFrame]) -> pa.Table:
    schema = schema_of(space)
    tables = [schema.empty_table()]
    for frame in frames:
        texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        plain = frame.assign(**{name: frame[name].astype(object) for name in texts})
        table = pa.Table.from_pandas(plain, schema=schema, preserve_index=False)
        tables.append(table.replace_schema_metadata(None))
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks().sort_by(POINT)
