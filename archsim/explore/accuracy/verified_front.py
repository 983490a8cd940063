"""A front whose accuracies are all measured, without measuring every case.

Some cases of each backbone are measured first, the rest is predicted. Then, round by round, the
cases that are on the front where predictions stand in for what is not measured, until all of them
are measured; and then those that would be on it at the upper end of their interval.
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
        Whether the front no longer moves: no case that is left would be on it.

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
    for column in (PREDICTED[0], PREDICTED[2]):
        while wanted := missing_on_front(space, store, column)[:_ROUND]:
            before = len(measured(store))
            measure(wanted)
            write_predictions(store, predictions)
            if len(measured(store)) == before:
                return False
    return True


def missing_on_front(space: Space, store: Store, column: str) -> list[str]:
    """Return cases that are on the front and not measured, with a prediction in place of that.

    Args:
        space: of the sweep.
        store: with rows, accuracies and predictions.
        column: of the predictions that stands in.
    """
    rows = with_prediction(store, with_accuracy(store, store.frame()))
    for text in space.sweep.constraints:
        condition = parse_constraint(text)
        if condition.name in rows.columns:
            rows = rows[satisfied(rows, condition)]
    mean = COLUMNS[0]
    is_missing = rows[mean].isna()
    filled: pd.DataFrame = rows.assign(**{mean: rows[mean].fillna(rows[column])})
    wanted = pareto.parse_objectives(",".join(space.sweep.objectives), list(filled.columns))
    front = pareto.pareto_front(filled.reset_index(drop=True), wanted)
    chosen = filled[KEY][front.mask & is_missing.to_numpy()]
    return list(dict.fromkeys(chosen.astype(str)))
