"""Cheapest designs, differences and main effects against cases computed by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from archsim.errors import ConfigError
from archsim.explore.query.answers import cheapest, difference, main_effects
from tests.refusals import refused


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "design": ["none", "common", "separate", "common", "common", "separate"],
            "chip.adc.bits": [4, 5, 6, 7, 7, 8],
            "area_m2": [1e-5, 2e-5, 3e-5, 2e-5, 1e-6, 9e-5],
            "accuracy_mean": [0.90, 0.98, 0.99, 0.985, 0.999, np.nan],
            "feasible": [True, True, True, True, False, True],
        }
    )


def test_cheapest_that_keeps_the_accuracy(frame):
    found = cheapest(frame, minimise="area", where=["accuracy > 97 %", "area_mm2 < 25"])
    assert found.position == 1  # as small as row 3, and first
    assert found.design is not None
    assert found.design["design"] == "common"
    assert (found.designs, found.infeasible, found.not_evaluated) == (6, 1, 1)
    assert found.qualified == 2
    assert found.meets == {"accuracy > 97 %": 3, "area_mm2 < 25": 3}


def test_cheapest_without_constraints(frame):
    found = cheapest(frame, minimise="area_mm2")
    assert (found.position, found.column, found.meets) == (0, "area_m2", {})


def test_nothing_qualifies(frame):
    found = cheapest(frame, minimise="area", where=["accuracy > 0.995"])
    facts = {"field": "minimise", "allowed": "a cost"}
    with refused(ConfigError, code="conflict", value="accuracy", **facts):
        cheapest(frame, minimise="accuracy")
    best = frame[frame["feasible"]]["accuracy_mean"].max()
    assert found.nearest["accuracy > 0.995"][:2] == ("accuracy_mean", best)
    share = {"code": "out-of-range", "field": "constraint", "value": "accuracy > 95"}
    with refused(ConfigError, **share, allowed="0 to 1", says=["%'"]):
        cheapest(frame, minimise="area", where=["accuracy > 95"])
    assert found.position is None
    assert found.design is None
    assert found.meets == {"accuracy > 0.995": 0}
    assert cheapest(frame.iloc[:0], minimise="area").position is None


def test_not_evaluated_is_never_cheapest(frame):
    frame.loc[0, "area_m2"] = np.nan
    found = cheapest(frame, minimise="area")
    assert found.position == 1
    assert found.not_evaluated == 1
    facts = {"code": "wrong-type", "field": "minimise", "value": "design"}
    with refused(ConfigError, **facts, allowed="a cost"):
        cheapest(frame, minimise="design")


def test_difference_of_two_designs(frame):
    found = difference(frame.iloc[1], frame.iloc[2])
    assert [change.column for change in found.parameters] == ["design", "chip.adc.bits"]
    assert found.parameters[0][1:3] == ("common", "separate")
    results = {change.column: change for change in found.results}
    assert set(results) == {"area_m2", "accuracy_mean", "feasible"}
    assert results["area_m2"].ratio == pytest.approx(1.5, rel=1e-12, abs=0)
    assert results["feasible"].ratio is None
    assert difference(frame.iloc[2], frame.iloc[5]).results[1].ratio is None  # NaN
    assert difference(frame.iloc[1], frame.iloc[1]).parameters == ()
    facts = {"code": "shape-mismatch", "field": "difference", "value": ["accuracy_mean"]}
    with refused(ConfigError, **facts):
        difference(frame.iloc[1], frame.iloc[2].drop("accuracy_mean"))


def test_missing_parameters_are_equal_and_zero_has_no_ratio():
    rows = pd.DataFrame({"chip.a": [np.nan, np.nan], "write_pulses": [0.0, 5.0]})
    found = difference(rows.iloc[0], rows.iloc[1])
    assert found.parameters == ()
    assert found.results[0].ratio is None


def two_by_three():
    """Accuracy 10 + 2 a + b for a in (-1, 1), b in (-3, 0, 3), and an interaction of +-1."""
    rows = [
        {"device": "x" if a < 0 else "y", "chip.rows": 2.0**b, "accuracy_mean": 10 + 2 * a + b + i}
        for a, b, i in ((-1, -3, 1), (-1, 0, -2), (-1, 3, 1), (1, -3, -1), (1, 0, 2), (1, 3, -1))
    ]
    return pd.DataFrame(rows)


def test_main_effects_of_two_by_three():
    # Sums of squares by hand: a 6 * 4 = 24, b 2 * (9 + 0 + 9) = 36, interaction 4 * 1 + 2 * 4 = 12.
    found = main_effects(two_by_three(), "accuracy")
    assert (found.scale, found.is_balanced, found.designs) == ("linear", True, 6)
    rows, device = found.effects
    assert (rows.parameter, device.parameter) == ("chip.rows", "device")
    assert rows.eta_squared == pytest.approx(36 / 72, rel=1e-12, abs=0)
    assert device.eta_squared == pytest.approx(24 / 72, rel=1e-12, abs=0)
    assert found.interactions == pytest.approx(12 / 72, rel=1e-12, abs=0)
    assert [(level.name, level.designs) for level in rows.levels] == [
        ("0.125", 2),
        ("1", 2),
        ("8", 2),
    ]
    assert [level.mean for level in rows.levels] == pytest.approx([7, 10, 13], rel=1e-12, abs=0)
    assert [level.mean for level in device.levels] == pytest.approx([8, 12], rel=1e-12, abs=0)


def test_results_in_units_are_averaged_as_logarithms():
    frame = two_by_three()
    frame["edp_Js"] = 10.0 ** frame["accuracy_mean"]
    found = main_effects(frame, "edp_uJ_us")
    assert (found.column, found.scale) == ("edp_Js", "log")
    # Means of the exponents, and the same shares: a logarithm to another base is a factor.
    assert [level.mean for level in found.effects[0].levels] == pytest.approx([1e7, 1e10, 1e13])
    assert found.effects[0].eta_squared == pytest.approx(0.5, rel=1e-12, abs=0)
    frame.loc[0, "edp_Js"] = 0.0
    assert main_effects(frame, "edp").scale == "linear"


def test_full_grid_of_products_has_no_interactions():
    grid = pd.DataFrame(
        list(itertools.product((64, 128), (1, 2, 4), ("p", "q", "r"))),
        columns=["chip.rows", "chip.bits", "device"],
    )
    grid["area_m2"] = grid["chip.rows"] * grid["chip.bits"] ** 2.0
    found = main_effects(pd.concat([grid, grid]), "area")
    assert found.is_balanced
    assert found.interactions == pytest.approx(0, abs=1e-12)
    assert found.effects[-1].parameter == "device"
    assert found.effects[-1].eta_squared == pytest.approx(0, abs=1e-12)
    assert sum(effect.eta_squared for effect in found.effects) == pytest.approx(1, abs=1e-12)


def test_grids_with_holes_are_said_to_be_unbalanced():
    frame = two_by_three().assign(feasible=[True, True, True, True, True, False])
    found = main_effects(frame, "accuracy")
    assert (found.designs, found.infeasible) == (5, 1)
    assert not found.is_balanced
    assert found.interactions is None
    frame = two_by_three()
    frame.loc[5, "accuracy_mean"] = np.nan
    found = main_effects(frame, "accuracy")
    assert (found.designs, found.not_evaluated, found.is_balanced) == (5, 1, False)


def test_a_design_more_unbalances_a_grid():
    frame = pd.concat([two_by_three(), two_by_three()], ignore_index=True)
    assert main_effects(frame, "accuracy").is_balanced
    found = main_effects(frame.iloc[:-1], "accuracy")
    assert not found.is_balanced
    assert found.interactions is None


def test_continuous_parameters_are_cut_and_unbalanced():
    generator = np.random.default_rng(0)
    r_on = generator.random(2000)
    frame = pd.DataFrame({"device.r_on": r_on, "accuracy_mean": r_on, "id": map(str, range(2000))})
    found = main_effects(frame, "accuracy")
    (effect,) = found.effects  # the name of each design is no parameter
    assert effect.is_cut
    assert not found.is_balanced
    assert 0.95 < effect.eta_squared < 1
    assert main_effects(frame, "accuracy", ["r_on"]).effects == found.effects


def test_constant_results_and_empty_tables():
    constant = two_by_three().assign(accuracy_mean=0.1)
    found = main_effects(constant, "accuracy")
    assert [effect.eta_squared for effect in found.effects] == [0, 0]
    assert found.interactions is None
    empty = main_effects(two_by_three().iloc[:0], "accuracy")
    assert (empty.effects, empty.designs) == ((), 0)


def test_tables_of_sweeps():
    """As archsim.explore.run.rows writes them: units in paths; what does not apply is empty."""
    frame = pd.DataFrame(
        {
            "point": range(6),
            "design": pd.Categorical(["none", "none", "common", "common", "common", "common"]),
            "device.r_on_kohm": [50, 100, 50, 100, 50, 100],
            "tsb.channels": [np.nan, np.nan, 16, 16, 32, 32],
            "feasible": True,
            "infeasible_because": pd.Categorical([None] * 6, categories=["tiles"]),
            "area_m2": [1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6],
        }
    )
    found = cheapest(frame, minimise="area", where=["r_on > 60 kohm", "channels > 8"])
    assert found.position == 3
    assert found.not_evaluated == 2  # of what has no block the number of channels is unknown
    changes = difference(frame.iloc[2], frame.iloc[5])
    assert [change.column for change in changes.parameters] == ["device.r_on_kohm", "tsb.channels"]
    assert [change.column for change in changes.results] == ["feasible", "area_m2"]
    effects = main_effects(frame, "area")
    assert {effect.parameter for effect in effects.effects} == {
        *("design", "device.r_on_kohm", "tsb.channels")
    }
    channels = next(each for each in effects.effects if each.parameter == "tsb.channels")
    assert [level.designs for level in channels.levels] == [2, 2]
    assert not effects.is_balanced
