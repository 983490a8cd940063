"""Which method a study chooses: the rules, on tables written by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from archsim.errors import ConfigError
from archsim.results.method_row import MethodRow
from archsim.results.recommend import with_choice
from tests.refusals import refused

BOUND = "max_verified (--max-verified)"
#: Facts of a bound below what the method verifies that verifies least.
TOO_LITTLE: dict[str, Any] = {
    "code": "out-of-range",
    "field": BOUND,
    "value": 0.001,
    "allowed": "0.0046",
}
COLUMNS = ("method", "sigma", "validation_accuracy", "accuracy", "verified_share", "seeds")
ROWS = [
    ("plain", 0.1, 0.95, 0.99, 0.0, 3),
    ("TSB", 0.1, 0.97, 0.96, 0.0046, 3),
    ("all", 0.1, 0.98, 0.97, 1.0, 3),
    ("plain", 0.2, 0.80, 0.81, 0.0, 3),
    ("TSB", 0.2, 0.90, 0.91, 0.0046, 3),
    ("all", 0.2, 0.90, 0.89, 1.0, 3),
]


def table(rows: list[tuple[Any, ...]]) -> list[MethodRow]:
    return [MethodRow(**dict(zip(COLUMNS, row, strict=True))) for row in rows]


def chosen(
    rows: list[tuple[Any, ...]], share: float | int | None = None
) -> list[tuple[str, float]]:
    return [(row.method, row.sigma) for row in with_choice(table(rows), share) if row.chosen]


def test_by_validation_not_by_test_and_the_cheaper_of_equals() -> None:
    assert chosen(ROWS) == [("all", 0.1), ("TSB", 0.2)]


@pytest.mark.parametrize(
    ("share", "methods"), [(1, ["all", "TSB"]), (0.5, ["TSB", "TSB"]), (0, ["plain", "plain"])]
)
def test_within_a_budget(share: float | int, methods: list[str]) -> None:
    assert [method for method, _ in chosen(ROWS, share)] == methods


def lacking(
    rows: list[tuple[Any, ...]], share: float | None = None
) -> dict[tuple[str, float], str]:
    found = with_choice(table(rows), share)
    return {(row.method, row.sigma): row.choice_lacks for row in found if row.choice_lacks}


def test_nothing_is_chosen_beside_a_method_that_is_not_finished() -> None:
    rows = [row if row[0] != "all" else (*row[:5], 1) for row in ROWS]
    assert chosen(rows) == []
    assert lacking(rows) == dict.fromkeys([("all", 0.1), ("all", 0.2)], "1 of 3 seeds")
    # What is beyond the bound takes no part.
    assert chosen(rows, 0.5) == [("TSB", 0.1), ("TSB", 0.2)]
    assert lacking(rows, 0.5) == {}


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_nothing_is_chosen_beside_a_method_without_validation_accuracy(
    unknown: float | None,
) -> None:
    rows = [(*row[:2], unknown, *row[3:]) if row[:2] == ("plain", 0.1) else row for row in ROWS]
    assert chosen(rows) == [("TSB", 0.2)]
    assert lacking(rows) == {("plain", 0.1): "no validation accuracy"}
    assert chosen(rows, 0.5) == [("TSB", 0.2)]


def test_part_of_a_table_is_chosen_from() -> None:
    assert chosen([row for row in ROWS if row[0] != "all"]) == [("TSB", 0.1), ("TSB", 0.2)]


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_an_unknown_share_is_within_no_budget(unknown: float | None) -> None:
    """What is not known to be verified is not taken for nothing."""
    rows = [(*row[:4], unknown, row[5]) if row[0] == "plain" else row for row in ROWS]
    assert chosen(rows, 0.5) == [("TSB", 0.1), ("TSB", 0.2)]
    with refused(ConfigError, **TOO_LITTLE):
        chosen(rows, 0.001)


@pytest.mark.parametrize(
    ("share", "code"), [(-0.1, "out-of-range"), (1.5, "out-of-range"), (math.nan, "not-finite")]
)
def test_impossible_shares(share: float, code: str) -> None:
    with refused(ConfigError, code=code, field=BOUND, value=share, allowed="0 to 1"):
        chosen(ROWS, share)


def test_a_budget_that_no_method_keeps() -> None:
    rows = [row for row in ROWS if row[0] != "plain"]
    with refused(ConfigError, **TOO_LITTLE, says=["'TSB'"]):
        chosen(rows, 0.001)


def test_a_budget_needs_validation_accuracies() -> None:
    rows = [(*row[:2], None, *row[3:]) for row in ROWS]
    with refused(ConfigError, code="empty", field=BOUND, value=0.5, allowed=["--method", "--run"]):
        chosen(rows, 0.5)


def test_a_budget_within_which_nothing_can_be_compared() -> None:
    """The methods that have validation accuracies verify too much: no other is put forward."""
    rows = [(*row[:2], None, *row[3:]) if row[0] == "plain" else row for row in ROWS]
    with refused(ConfigError, code="empty", field=BOUND, value=0.001, says=["('plain'", "0.1"]):
        chosen(rows, 0.001)
    fewer = [(*row[:5], 2) if row[0] == "plain" else row for row in ROWS]
    with refused(ConfigError, code="empty", field=BOUND, value=0.5, says=["'plain'", "0.2", "2"]):
        chosen(fewer, 0.5)


def test_a_budget_that_is_kept_at_one_sigma_only() -> None:
    """Nothing is chosen at the other one, and nothing is lacking there."""
    rows = [row for row in ROWS if row[:2] not in (("plain", 0.1), ("TSB", 0.1))]
    assert chosen(rows, 0.5) == [("TSB", 0.2)]
    assert lacking(rows, 0.5) == {}
