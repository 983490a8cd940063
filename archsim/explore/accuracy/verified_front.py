"""A front whose accuracies are all measured, without measuring every case.

Some cases of each backbone are measured first, the rest is predicted. Then, round by round, the
cases that are on the front where predictions stand in for what is not measured, until all of them
are measured; and some of those that would be on it at the upper end of their interval, until these
no longer move it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsim.analysis import pareto
from archsim.explore.accuracy.accuracy import (
    COLUMNS,
    KEY,
    evaluate_cases,
    limit_s,
    measured,
    named_cases,
    plan_cases,
    with_accuracy,
)
from archsim.explore.accuracy.case_study import cache_folder
from archsim.explore.accuracy.prediction import (
    PREDICTED,
    pilots,
    predict,
    with_prediction,
    write_predictions,
)
from archsim.explore.run.rows import POINT
from archsim.explore.run.store import Store
from archsim.explore.space.constraint import parse_constraint, satisfied
from archsim.explore.space.points import Space

if TYPE_CHECKING:
    import pandas as pd

#: Cases that are measured before the front is looked at again.
_ROUND = 8


def verify_front(
    space: Space,
    store: Store,
    *,
    cache: Path | None = None,
    data_root: str | None = None,
    max_minutes: float | None = None,
    **told: Any,
) -> bool:
    """Measure what is on the front or near it, predict the rest, and write both.

    Args:
        space: of the sweep.
        store: with its rows.
        cache: folder of accuracies; None is the user's.
        data_root: where the data of the study lie.
        max_minutes: nothing is begun after so long; None: the sweep's own bound.
        **told: as for :func:`archsim.explore.accuracy.accuracy.evaluate_cases`.

    Returns:
        Whether the front no longer moves; False where the time was over before.

    Raises:
        ArchsimError: study, data or network do not fit.
    """
    place = cache_folder() if cache is None else cache
    end = time.perf_counter() + limit_s(space.sweep, max_minutes)
    shared: dict[str, Any] = {"cache": place, "data_root": data_root}
    keys = named_cases(store)
    works = plan_cases(space, keys=keys, max_minutes=0.0, **shared)

    def measure(wanted: list[str]) -> None:
        minutes = max(0.0, end - time.perf_counter()) / 60
        evaluate_cases(space, store, keys=wanted, max_minutes=minutes, **shared, **told)

    known = [work.case.key for work in works if work.known is not None]
    measure([*known, *pilots(works)])
    evaluate_cases(space, store, max_minutes=0.0, **shared)  # the others are not measured
    predictions = predict(works, **shared)
    write_predictions(store, predictions)

    def measured_all(wanted: list[str]) -> bool:
        measure(wanted)
        write_predictions(store, predictions)
        return {*wanted} <= {*measured(store)}

    while True:
        while wanted := _missing(space, store, PREDICTED[0]):
            if not measured_all(wanted[:_ROUND]):
                return False
        before = front_of(space, store, PREDICTED[0])[0]
        near = _missing(space, store, PREDICTED[2])[:_ROUND]
        if near and not measured_all(near):
            return False
        if not near or front_of(space, store, PREDICTED[0])[0] == before:
            return True


def _missing(space: Space, store: Store, column: str) -> list[str]:
    return front_of(space, store, column)[1]


def front_of(space: Space, store: Store, column: str) -> tuple[list[int], list[str]]:
    """Return the points on the front where a prediction stands in for what is not measured.

    Args:
        space: of the sweep.
        store: with rows, accuracies and predictions.
        column: of the predictions that stands in.

    Returns:
        Their numbers, and the cases among them that are not measured.
    """
    rows = with_prediction(store, with_accuracy(store, store.frame()))
    mean = COLUMNS[0]
    filled: pd.DataFrame = rows.assign(**{mean: rows[mean].fillna(rows[column])})
    for text in space.sweep.constraints:
        filled = filled[satisfied(filled, parse_constraint(text))]
    is_missing = rows.loc[filled.index, mean].isna()
    wanted = pareto.parse_objectives(",".join(space.sweep.objectives), list(filled.columns))
    mask = pareto.pareto_front(filled.reset_index(drop=True), wanted).mask
    chosen = filled[KEY][mask & is_missing.to_numpy()]
    return filled[POINT][mask].tolist(), list(dict.fromkeys(chosen.astype(str)))
