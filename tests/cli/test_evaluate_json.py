"""The JSON of a run: whose accuracy stands first, and by what it was chosen."""

from __future__ import annotations

import pandas as pd
import pytest

from archsim.cli import evaluate_command
from archsim.errors import ConfigError
from tests.reports.tables.test_study import row


def frame(*validation: float | None, chosen: int | None = None) -> pd.DataFrame:
    rows = [
        row("plain", 0.1, 0.96, validation_accuracy=validation[0]),
        row("TSB", 0.1, 0.97, validation_accuracy=validation[1]),
    ]
    found = pd.DataFrame(rows).assign(chosen=[k == chosen for k in range(2)], std_seed=None)
    lacks = ["" if own is not None else "no validation accuracy" for own in validation]
    return found.assign(choice_lacks=lacks)


def test_the_choice_stands_first() -> None:
    found = evaluate_command._json(frame(0.98, 0.95, chosen=0), 0.5)
    named = {"method": "plain", "sigma": 0.1, "highest": "validation_accuracy"}
    assert found["accuracy_of"] == named
    assert found["not_comparable"] == []


def test_what_keeps_a_sigma_from_having_a_choice_is_named() -> None:
    """Then the first method stands first, and is the highest of nothing."""
    found = evaluate_command._json(frame(0.95, None), None)
    assert found["accuracy_of"] == {"method": "plain", "sigma": 0.1, "highest": None}
    lacks = {"sigma": 0.1, "method": "TSB", "choice_lacks": "no validation accuracy"}
    assert (found["chosen"], found["not_comparable"]) == ([], [lacks])


def test_before_validation_accuracies_were_recorded_it_is_the_highest_of_the_test() -> None:
    found = evaluate_command._json(frame(None, None), None)
    assert found["accuracy_of"] == {"method": "TSB", "sigma": 0.1, "highest": "accuracy"}
    assert len(found["not_comparable"]) == 2


@pytest.mark.parametrize("known", [None, 0.95])
def test_within_a_bound_nothing_is_put_in_place_of_a_choice(known: float | None) -> None:
    with pytest.raises(ConfigError, match=r"--max-verified 0\.004"):
        evaluate_command._json(frame(known, None), 0.004)
