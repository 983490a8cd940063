"""The JSON of a run: whose accuracy stands first, and by what it was chosen."""

from __future__ import annotations

import pytest

from archsim.cli import evaluate_output
from archsim.errors import ConfigError
from archsim.results.method_row import MethodRow
from tests.refusals import refused
from tests.reports.tables.test_study import row


def rows(*validation: float | None, chosen: int | None = None) -> list[MethodRow]:
    return [
        row(
            method,
            0.1,
            accuracy,
            validation_accuracy=validation[k],
            chosen=k == chosen,
            choice_lacks="" if validation[k] is not None else "no validation accuracy",
        )
        for k, (method, accuracy) in enumerate((("plain", 0.96), ("TSB", 0.97)))
    ]


def test_the_choice_stands_first() -> None:
    found = evaluate_output._json(rows(0.98, 0.95, chosen=0), 0.5)
    named = {"method": "plain", "sigma": 0.1, "highest": "validation_accuracy"}
    assert found["accuracy_of"] == named
    assert found["not_comparable"] == []


def test_what_keeps_a_sigma_from_having_a_choice_is_named() -> None:
    """Then the first method stands first, and is the highest of nothing."""
    found = evaluate_output._json(rows(0.95, None), None)
    assert found["accuracy_of"] == {"method": "plain", "sigma": 0.1, "highest": None}
    lacks = {"sigma": 0.1, "method": "TSB", "choice_lacks": "no validation accuracy"}
    assert (found["chosen"], found["not_comparable"]) == ([], [lacks])


def test_before_validation_accuracies_were_recorded_it_is_the_highest_of_the_test() -> None:
    found = evaluate_output._json(rows(None, None), None)
    assert found["accuracy_of"] == {"method": "TSB", "sigma": 0.1, "highest": "accuracy"}
    assert len(found["not_comparable"]) == 2


@pytest.mark.parametrize("known", [None, 0.95])
def test_within_a_bound_nothing_is_put_in_place_of_a_choice(known: float | None) -> None:
    with refused(ConfigError, code="empty", field="--max-verified", value=0.004):
        evaluate_output._json(rows(known, None), 0.004)
