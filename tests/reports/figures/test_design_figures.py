"""Figures of a design space: what is collected is right, and what is drawn is all of it."""

from __future__ import annotations

from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest

from archsim.analysis.pareto import pareto_front, parse_objectives
from archsim.errors import ConfigError, DataError
from archsim.results.columns import Objective
from reports.figures.axis import axis_of
from reports.figures.heat_map import (
    ABSENT,
    INFEASIBLE,
    NOT_EVALUATED,
    VALUE,
    collect_heat_map,
    draw_heat_map,
    save_heat_map,
)
from reports.figures.parallel import collect_parallel, draw_parallel, save_parallel
from reports.figures.pareto import (
    MOST_POINTS,
    collect_pareto,
    draw_pareto,
    save_pareto,
    thin,
)
from tests.images import assert_image
from tests.refusals import refused

AREA, LATENCY = Objective("area_m2"), Objective("latency_s")
ACCURACY = Objective("accuracy_mean", maximise=True)


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "design": ["none", "common", "common", "separate", "none", "none"],
            "chip.crossbar.rows": [64, 64, 128, 128, 256, 256],
            "chip.pipeline": [True, True, True, True, True, True],
            "area_m2": [1e-5, 2e-5, 9e-5, 4e-5, 1e-6, np.nan],
            "latency_s": [8e-3, 1e-3, 9e-3, 5e-4, 1e-6, 1e-3],
            "accuracy_mean": [0.90, 0.95, np.nan, 0.98, 0.99, 0.5],
            "feasible": [True, True, True, True, False, True],
        }
    )


@pytest.fixture
def large():
    generator = np.random.default_rng(0)
    count = 4 * MOST_POINTS
    area, latency = np.exp(generator.standard_normal((2, count)))
    return pd.DataFrame(
        {
            "area_m2": 1e-5 * area,
            "latency_s": 1e-3 * latency,
            "design": generator.choice(["none", "common"], count),
        }
    )


def collected(frame, **options):
    front = pareto_front(frame, [AREA, LATENCY])
    return collect_pareto(
        frame, x=AREA, y=LATENCY, front=front.mask, knee=front.knee, **options
    ), front


def test_pareto_collects_feasible_designs_in_human_units(frame):
    info, _ = collected(frame)
    assert info.x.full_title == "area, mm2 (less is better)"
    assert info.y.full_title == "latency, ms (less is better)"
    assert info.front.tolist() == [pytest.approx(p) for p in ([10, 8], [20, 1], [40, 0.5])]
    assert info.cloud.tolist() == [pytest.approx([90, 9])]
    assert info.knee == pytest.approx((20, 1))
    assert info.is_line
    assert (info.designs, info.infeasible, info.not_evaluated) == (6, 1, 1)


def test_pareto_front_of_other_results_is_no_line(frame):
    objectives = parse_objectives("area,latency,accuracy", frame.columns)
    front = pareto_front(frame, objectives)
    info = collect_pareto(frame, x=AREA, y=ACCURACY, front=front.mask)
    assert info.is_line  # by chance, here: larger is more accurate
    info = collect_pareto(frame, x=LATENCY, y=ACCURACY, front=front.mask)
    assert not info.is_line
    assert "in more results" in draw_pareto(info).axes[0].get_title(loc="left")
    # Two maximised results fall too.
    mirrored = frame.assign(area_m2=1e-6 / frame["area_m2"], latency_s=1e-6 / frame["latency_s"])
    goals = [each._replace(maximise=True) for each in (AREA, LATENCY)]
    front = pareto_front(mirrored, goals)
    assert collect_pareto(mirrored, x=goals[0], y=goals[1], front=front.mask).is_line


def test_pareto_draws_every_point_the_line_and_the_knee(frame):
    info, _ = collected(frame, colour_by="design")
    assert info.levels == ("common", "none", "separate")
    assert info.front_levels.tolist() == [1, 0, 2]
    figure = draw_pareto(info)
    (axes,) = figure.axes
    drawn = [offsets for each in axes.collections if len(offsets := each.get_offsets())]
    assert [len(offsets) for offsets in drawn] == [1, 3]
    np.testing.assert_allclose(drawn[1], info.front)
    step, star = axes.get_lines()
    assert list(step.get_xdata()) == pytest.approx([10, 20, 40])
    assert (star.get_xdata()[0], star.get_ydata()[0]) == pytest.approx((20, 1))
    assert axes.texts[0].get_text() == "knee: 20 mm2, 1 ms"
    title = axes.get_title(loc="left")
    assert "3 of 6 designs" in title
    assert "1 infeasible, 1 not evaluated" in title


def test_large_clouds_are_counted_so_that_files_stay_small(large):
    """What is drawn does not grow with the designs: hexagons, the front, and one step line."""
    info, _ = collected(large)
    assert len(info.cloud) + len(info.front) == len(large) == 4 * MOST_POINTS
    figure = draw_pareto(info)
    axes, bar = figure.axes
    assert bar.get_ylabel() == "dominated designs per hexagon"
    hexagons = axes.collections[0].get_array()
    assert hexagons is not None
    assert hexagons.sum() == len(info.cloud)
    assert len(hexagons) < MOST_POINTS  # as many as would be drawn one by one
    drawn = sum(len(each.get_offsets()) for each in axes.collections[1:])
    assert drawn == len(info.front) < MOST_POINTS / 10


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_figures_are_written_in_every_format(frame, tmp_path, ending):
    path = tmp_path / f"figure{ending}"
    save_pareto(collected(frame)[0], path)
    assert_image(path)


def test_large_coloured_clouds_are_thinned_but_keep_every_place(large):
    info, _ = collected(large, colour_by="design")
    kept = thin(info)
    assert len(np.unique(kept)) == len(kept) < len(info.cloud)
    for level in range(2):
        whole = info.cloud[info.cloud_levels == level]
        drawn = info.cloud[kept][info.cloud_levels[kept] == level]
        # Every place of the picture that has points of a level shows one of them.
        span = np.ptp(np.log(info.cloud), axis=0)
        far = np.abs(np.log(whole[:300, None]) - np.log(drawn)) / span
        assert (far.max(axis=2).min(axis=1) < 1 / 150).all()


def test_pareto_refuses_what_it_cannot_draw(frame, tmp_path):
    info, front = collected(frame)
    with refused(DataError, code="empty", field="Pareto figure", value=6):
        collect_pareto(frame.assign(feasible=False), x=AREA, y=LATENCY, front=front.mask)
    with refused(ConfigError, code="out-of-range", field="knee", value=4):
        collect_pareto(frame, x=AREA, y=LATENCY, front=front.mask, knee=4)
    many = pd.concat([frame] * 2).assign(name=list("abcdefghijkl"))
    with refused(ConfigError, code="out-of-range", field="name", value=12, allowed="at most 8"):
        collect_pareto(many, x=AREA, y=LATENCY, front=np.tile(front.mask, 2), colour_by="name")
    path = tmp_path / "figure.txt"
    with refused(ConfigError, code="wrong-form", field="--plot", value=str(path), allowed=".svg"):
        save_pareto(info, path)
    assert not path.exists()


def test_parallel_places_designs_at_their_levels_and_results_on_scales(frame):
    objectives = [AREA, LATENCY]
    front = pareto_front(frame, objectives)
    info = collect_parallel(frame, objectives=objectives, front=front.mask, knee=front.knee)
    titles = [spine.title.split("\n")[0] for spine in info.spines]
    assert titles == ["shared", "crossbar", "area, mm2", "latency, ms"]  # what is constant is not
    rows = info.spines[1]
    assert [text for _, text in rows.ticks] == ["64", "128", "256"]  # of the whole table
    for height, centre in zip(rows.heights, [1 / 6, 1 / 6, 1 / 2], strict=True):
        assert abs(height - centre) < 1 / 6
    assert rows.heights[0] != rows.heights[1]  # fanned out
    area, latency = info.spines[2:]
    assert area.heights == pytest.approx([0, 1 / 3, 1])  # 10, 20 and 40 mm2, linear
    assert latency.heights == pytest.approx([1, np.log(2) / np.log(16), 0])
    assert info.knee == 1
    assert info.colours == pytest.approx(area.heights)


def test_parallel_draws_a_line_per_design(frame, tmp_path):
    objectives = [AREA, ACCURACY]
    front = pareto_front(frame, objectives)
    info = collect_parallel(
        frame, objectives=objectives, front=front.mask, knee=front.knee, parameters=["rows"]
    )
    figure = draw_parallel(info)
    axes = figure.axes[0]
    assert len(axes.collections[0].get_segments()) == info.designs == 3
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "crossbar\nrows",
        "area, mm2\n\u2193 is better",
        "accuracy, %\n\u2191 is better",
    ]
    save_parallel(info, tmp_path / "figure.png")
    assert_image(tmp_path / "figure.png")


def test_parallel_of_one_design_and_many_values(frame):
    wide = pd.concat([frame] * 5, ignore_index=True)
    wide["device.r_on_ohm"] = np.linspace(1e4, 2e4, len(wide))
    front = np.arange(len(wide)) == 1
    info = collect_parallel(wide, objectives=[AREA], front=front, parameters=["r_on"])
    scale, result = info.spines
    assert scale.heights == pytest.approx([1 / 29])
    assert scale.title == "device\non-resistance, kohm"
    assert scale.ticks[0] == (0, "10")
    assert result.ticks == ((0.5, "20"),)
    draw_parallel(info)


def test_parameters_that_a_design_does_not_have_are_a_level_of_their_own(frame):
    frame["tsb.channels"] = [np.nan, 16, 16, 32, np.nan, np.nan]
    front = pareto_front(frame, [AREA, LATENCY]).mask
    info = collect_parallel(frame, objectives=[AREA], front=front, parameters=["channels"])
    channels = info.spines[0]
    assert [text for _, text in channels.ticks] == ["-", "16", "32"]
    assert channels.heights == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    draw_parallel(info)


def test_parallel_refuses_what_it_cannot_draw(frame):
    front = pareto_front(frame, [AREA, LATENCY]).mask
    with refused(DataError, code="empty", field="front"):
        collect_parallel(frame, objectives=[AREA], front=front & False)
    with refused(DataError, code="not-finite", field="front"):
        collect_parallel(frame, objectives=[ACCURACY], front=np.arange(6) == 2)
    with refused(ConfigError, code="empty", field="objectives", allowed="one or more"):
        collect_parallel(frame, objectives=[], front=front)
    with refused(ConfigError, code="out-of-range", field="knee", value=4, allowed="front"):
        collect_parallel(frame, objectives=[AREA], front=front, knee=4)


def test_heat_map_says_what_is_in_each_cell(frame):
    info = collect_heat_map(frame, x="rows", y="design", result=ACCURACY)
    assert info.x_names == ("64", "128", "256")
    assert info.y_names == ("common", "none", "separate")
    assert info.states.tolist() == [
        [VALUE, NOT_EVALUATED, ABSENT],
        [VALUE, ABSENT, VALUE],  # of two designs at 256 one is infeasible, the other has 0.5
        [ABSENT, VALUE, ABSENT],
    ]
    expected = [[95, np.nan, np.nan], [90, np.nan, 50], [np.nan, 98, np.nan]]
    np.testing.assert_allclose(info.values, expected, rtol=1e-12)
    without = collect_heat_map(
        frame.assign(feasible=frame["feasible"] & (frame["chip.crossbar.rows"] < 256)),
        x="rows",
        y="design",
        result=ACCURACY,
    )
    assert without.states[1, 2] == INFEASIBLE


def test_heat_map_takes_the_best_or_the_mean():
    frame = pd.DataFrame(
        {
            "design": ["a", "a", "b", "b"],
            "device": ["x"] * 4,
            "area_m2": [1e-6, 1e-4, 2e-6, 8e-6],
            "accuracy_mean": [0.1, 0.3, 0.5, 0.6],
        }
    )

    def values(result, statistic):
        info = collect_heat_map(frame, x="design", y="device", result=result, statistic=statistic)
        return info.values[0].tolist()

    assert values(AREA, "best") == pytest.approx([1, 2], rel=1e-12, abs=0)
    assert values(AREA, "mean") == pytest.approx([10, 4], rel=1e-12, abs=0)  # geometric
    assert values(ACCURACY, "best") == pytest.approx([30, 60], rel=1e-12, abs=0)
    assert values(ACCURACY, "mean") == pytest.approx([20, 55], rel=1e-12, abs=0)


def test_heat_map_draws_hatches_and_numbers(frame, tmp_path):
    frame.loc[5, "feasible"] = False
    info = collect_heat_map(frame, x="rows", y="design", result=ACCURACY)
    figure = draw_heat_map(info)
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["90", "95", "98"]
    hatches = [patch.get_hatch() for patch in axes.patches]
    assert hatches.count("////") == 1
    assert hatches.count("..") == 1
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["no feasible design", "not evaluated", "no design"]
    save_heat_map(info, tmp_path / "figure.png")
    assert_image(tmp_path / "figure.png")


@pytest.mark.parametrize("result", [AREA, ACCURACY])
def test_heat_map_without_any_value_is_drawn(frame, result):
    info = collect_heat_map(frame.assign(feasible=False), x="rows", y="design", result=result)
    assert set(info.states.ravel().tolist()) == {ABSENT, INFEASIBLE}
    assert not draw_heat_map(info).axes[0].texts


def test_heat_map_refuses_what_it_cannot_draw(frame):
    facts = {"field": "heat map", "value": "chip.crossbar.rows", "allowed": "two parameters"}
    with refused(ConfigError, code="given-twice", **facts):
        collect_heat_map(frame, x="rows", y="crossbar.rows", result=AREA)
    with refused(ConfigError, code="unknown-name", field="heat map", value="area"):
        collect_heat_map(frame, x="area", y="design", result=AREA)
    with refused(DataError, code="empty", field="heat map"):
        collect_heat_map(frame.iloc[:0], x="rows", y="design", result=AREA)
    with refused(ConfigError, code="wrong-type", field="design", value=ANY):
        collect_heat_map(frame, x="rows", y="design", result=Objective("design"))
    named = pd.DataFrame({"name": [str(i) for i in range(61)], "a": 1, "area_m2": 1.0})
    with refused(ConfigError, code="out-of-range", field="name", value=61, allowed="1 to 60"):
        collect_heat_map(named, x="name", y="a", result=AREA)
    with refused(
        ConfigError, code="unknown-name", field="statistic", value="worst", allowed="best"
    ):
        collect_heat_map(frame, x="rows", y="design", result=AREA, statistic="worst")


def test_axes_choose_their_kind():
    assert axis_of("area_m2", np.array([1e-6, 1e-5])).is_log
    assert not axis_of("area_m2", np.array([1e-6, 2e-6])).is_log
    assert not axis_of("area_m2", np.array([0.0, 2e-6])).is_log
    assert not axis_of("accuracy_mean", np.array([0.1, 0.9])).is_log
    assert not axis_of("area_m2", np.array([np.nan])).is_log
