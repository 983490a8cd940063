"""Which method a study chooses: the rules, on tables written by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from archsim.errors import ConfigError
from tsb.study import with_choice

COLUMNS = ("method", "sigma", "validation_accuracy", "accuracy", "verified_share", "seeds")
ROWS = [
    ("plain", 0.1, 0.95, 0.99, 0.0, 3),
    ("TSB", 0.1, 0.97, 0.96, 0.0046, 3),
    ("all", 0.1, 0.98, 0.97, 1.0, 3),
    ("plain", 0.2, 0.80, 0.81, 0.0, 3),
    ("TSB", 0.2, 0.90, 0.91, 0.0046, 3),
    ("all", 0.2, 0.90, 0.89, 1.0, 3),
]


def chosen(rows: list[tuple[object, ...]], share: float | int | None = None) -> list[object]:
    found = with_choice(pd.DataFrame(rows, columns=COLUMNS), share)
    return [(row["method"], row["sigma"]) for row in found[found["chosen"]].to_dict("records")]


def test_by_validation_not_by_test_and_the_cheaper_of_equals() -> None:
    assert chosen(ROWS) == [("all", 0.1), ("TSB", 0.2)]


@pytest.mark.parametrize(
    ("share", "methods"), [(1, ["all", "TSB"]), (0.5, ["TSB", "TSB"]), (0, ["plain", "plain"])]
)
def test_within_a_budget(share: float | int, methods: list[str]) -> None:
    assert [method for method, _ in chosen(ROWS, share)] == methods  # type: ignore[misc]


def test_a_method_that_is_not_finished_is_not_compared() -> None:
    rows = [row if row[0] != "all" else (*row[:5], 1) for row in ROWS]
    assert chosen(rows) == [("TSB", 0.1), ("TSB", 0.2)]


def test_a_sigma_without_validation_accuracies_has_no_choice() -> None:
    rows = [row if row[1] != 0.1 else (*row[:2], None, *row[3:]) for row in ROWS]
    assert chosen(rows) == [("TSB", 0.2)]


def test_part_of_a_table_is_chosen_from() -> None:
    frame = pd.DataFrame(ROWS, columns=COLUMNS)
    found = with_choice(frame[frame["method"] != "all"])
    assert list(found[found["chosen"]]["method"]) == ["TSB", "TSB"]


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_impossible_shares(share: float) -> None:
    with pytest.raises(ConfigError, match=r"--max-verified.*allowed: 0 to 1"):
        chosen(ROWS, share)


def test_a_budget_that_no_method_keeps() -> None:
    rows = [row for row in ROWS if row[0] != "plain"]
    with pytest.raises(ConfigError, match=r"0\.001; .*'TSB' verifies, about 0\.0046 of"):
        chosen(rows, 0.001)


def test_a_budget_needs_validation_accuracies() -> None:
    with pytest.raises(ConfigError, match="before validation accuracies were recorded"):
        chosen([(*row[:2], None, *row[3:]) for row in ROWS], 0.5)
