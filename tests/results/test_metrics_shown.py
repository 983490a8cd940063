"""Metrics are where their rows say and nowhere else, and a new one is a row and no other edit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import torch

from archsim.analysis.uncertainty import intervals
from archsim.api.compare import compare
from archsim.api.sweep import sweep
from archsim.cli.schema_command import SchemaKind, file_schema
from archsim.explore.run.rows import schema_of
from archsim.network import from_graph
from archsim.results import metrics as registry
from archsim.results.columns import is_result
from archsim.results.compared import CompareResult
from archsim.results.design_row import COLUMNS
from archsim.results.metric import Metric, Place, Shown
from archsim.results.metrics import METRICS, metric_of, shown_in
from archsim.results.sensitivity import Elasticity
from archsim.results.size_curves import CurvePoint, SizeCurves
from reports.figures.report import collect_joint
from reports.figures.sensitivity import collect_sensitivity, draw_sensitivity
from reports.figures.size_curves import collect_size_curves, draw_size_curves
from reports.page.curves import curves_data, curves_table
from reports.page.designs import axis_choices, core_columns, design_table
from reports.tables import analysis
from reports.tables import compare as compare_tables
from reports.tables import sweep as sweep_tables
from reports.tables.mapped import totals
from reports.tables.report import designs
from reports.tables.table import Table
from tests.explore.sweeps import run_cli, space_of, sweep_of
from tests.reports.page.pages import design, joint, mapped

#: A metric that nobody has, in every place but one: a metric is in one box of `archsim map`.
PLANTED = Metric(
    key="energy_per_mac_pJ",
    title="energy per MAC",
    about="energy of one image over its multiply-accumulates on crossbars",
    unit="pJ",
    direction="lower",
    of_batch=lambda cost, plan: cost.energy_J / cost.macs,
    shown={place: Shown() for place in Place if place is not Place.CHIP}
    | {Place.OVERHEAD: Shown(title="per MAC\noverhead")},
)
AXES = {"design": ["none", "common"]}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Metric:
    """One row more, and no other edit."""
    monkeypatch.setattr(registry, "METRICS", (*METRICS, PLANTED))
    return PLANTED


def keys(place: Place) -> list[str]:
    return [metric.key for metric in shown_in(place)]


def stems(place: Place) -> list[str]:
    return [metric.stem for metric in shown_in(place)]


def columns(place: Place) -> list[str]:
    return [metric.column for metric in shown_in(place)]


def keys_of(table: Table) -> list[str]:
    return [column.key for column in table.columns]


@cache
def compared() -> CompareResult:
    return compare(["lenet3"])


def in_box(place: int) -> list[str]:
    """Metrics of both a network on several chips and one in parts: nothing goes without saying."""
    small, full = "chip.hierarchy.max_tiles=1", "chip.off_chip.when_full="
    spread, reloaded = (
        [str(row["key"]) for row in totals(mapped("none", small, full + kind))[place].records()]
        for kind in ("multi-chip", "reload")
    )
    order = keys((Place.INFERENCE, Place.CHIP)[place])
    for box in (spread, reloaded):
        assert box == [key for key in order if key in box]
    assert {row["key"] for row in totals(mapped("none"))[place].records()} <= {*spread}
    return sorted({*spread, *reloaded}, key=order.index)


def in_sensitivity() -> list[str]:
    entry = Elasticity("p", "continuous", 1.0, None, {})
    names = [name for name in entry.to_dict() if metric_of(name)]
    assert keys_of(analysis.sensitivity([entry]))[3:] == names
    return names


def in_sensitivity_figure() -> list[str]:
    info = collect_sensitivity([Elasticity("p", "continuous", 1.0, None, {})])
    assert len(draw_sensitivity(info).axes[0].patches) == len(info.names) == len(info.elasticities)
    return list(info.elasticities)


def in_uncertainty() -> list[str]:
    result = mapped("none")
    found = intervals(
        resolved=result.resolved,
        design="none",
        table=from_graph(result.graph),
        samples=20,
        generator=torch.Generator().manual_seed(0),
    )
    for entry in found:
        assert entry.nominal == pytest.approx(result.totals[entry.name], rel=1e-12, abs=0)
    return [entry.name for entry in found]


def in_comparison() -> list[str]:
    table = compare_tables.comparison(compared())
    ratios = [key for key in keys_of(table) if key.endswith("_ratio")]
    names = [key.removesuffix("_ratio") for key in ratios]
    absolute, relative = map(keys_of, compare_tables.halves(table))
    row = compared().rows()[0]
    assert [key for key in row if key.endswith("_ratio")] == ratios
    assert absolute[1:] == names
    assert set(relative[1:]) <= {*ratios, *(metric.overhead_key for metric in METRICS), *row}
    assert keys_of(compare_tables.beside(table, " "))[3 : 3 + len(names)] == names
    return names


def in_overheads() -> list[str]:
    ending = "_overhead_pct"
    result = joint(design("plain", hardware=mapped("none")))
    found = [
        [key for key in keys if key.endswith(ending)]
        for keys in (
            compared().rows()[0],
            keys_of(compare_tables.comparison(compared())),
            result.records()[0],
            keys_of(design_table(result)),
        )
    ]
    assert all(one == found[0] for one in found)
    return [key.removesuffix(ending) for key in found[0]]


def in_programming() -> list[str]:
    table = compare_tables.programming(compared())
    halves = compare_tables.programming_halves(table)
    assert sorted(key for half in halves for key in keys_of(half)[1:]) == sorted(keys_of(table)[2:])
    return [key for key in keys_of(table)[2:] if not key.endswith("_ratio")]


def in_sweep() -> list[str]:
    names = schema_of(space_of(AXES)).names
    return names[names.index("infeasible_because") + 1 :]


def in_front() -> list[str]:
    row = {"point": 0, "design": "none", "feasible": True}
    rows = pd.DataFrame([row | dict.fromkeys(columns(Place.SWEEP), 1.0)])
    return [key for key in keys_of(sweep_tables.points(rows, [], "Front", None)) if is_result(key)]


def in_report() -> list[str]:
    row, empty = (
        joint(design("plain", hardware=hardware)).records()[0]
        for hardware in (mapped("none"), None)
    )
    values = mapped("none").totals
    names = [name for name in row if name in values and name not in COLUMNS]
    assert [row[name] for name in names] == [values[name] for name in names]
    assert [empty[name] for name in names] == [None] * len(names)
    return names


def in_report_table() -> list[str]:
    table = designs(joint(design("plain", hardware=mapped("none"))), 0.1)
    return [key for key in keys_of(table) if key in mapped("none").totals]


def in_report_figure() -> list[str]:
    info = collect_joint(joint(design("plain", hardware=mapped("none"))), 0.1)
    values = {value: key for key, value in mapped("none").totals.items()}
    return [values[cost] for cost in info.marks[0].costs]


def in_page() -> list[str]:
    found = keys_of(design_table(joint(design("plain", hardware=mapped("none")))))
    return [key for key in found if key in mapped("none").totals and key not in COLUMNS]


def in_core() -> list[str]:
    return [key for key in in_page() if key in core_columns()]


def in_charts() -> list[str]:
    *found, training = [own.key for own in axis_choices()]
    assert training == "tune_seconds"
    return found


def curves() -> SizeCurves:
    point = CurvePoint(
        point=0,
        design="common",
        sizes={"tsb.channels": 2},
        accuracy=None,
        low=None,
        high=None,
        values=dict.fromkeys(keys(Place.CURVES), 1.0),
        command="",
    )
    return SizeCurves(
        name="s",
        folder="f",
        networks=("lenet3",),
        devices=("rram",),
        axes=("tsb.channels",),
        points=(point,),
        note="",
        sweep={},
    )


def in_curves() -> list[str]:
    found = [own["key"] for own in curves_data(curves())["metrics"]]
    assert [key for key in keys_of(curves_table([curves()])) if key in found] == found
    assert [key for key in curves().rows()[0] if key in found] == found
    return found


def in_curves_figure() -> list[str]:
    info = collect_size_curves(curves(), "tsb.channels")
    assert len(draw_size_curves(info).axes) == len(info.keys) == len(info.axes)
    return list(info.keys)


def in_published() -> list[str]:
    key = file_schema(SchemaKind.STUDY)["$defs"]["PublishedCost"]["properties"]["quantity"]
    assert set(key) == {"description", "enum", "title", "type"}
    return list(key["enum"])


#: What a place shows, in its order, and what its metrics are called there.
SEEN: dict[Place, tuple[Callable[[], list[str]], Callable[[Place], list[str]]]] = {
    Place.INFERENCE: (lambda: in_box(0), keys),
    Place.CHIP: (lambda: in_box(1), keys),
    Place.SENSITIVITY: (in_sensitivity, stems),
    Place.SENSITIVITY_FIGURE: (in_sensitivity_figure, stems),
    Place.UNCERTAINTY: (in_uncertainty, keys),
    Place.COMPARE: (in_comparison, keys),
    Place.OVERHEAD: (in_overheads, stems),
    Place.PROGRAMMING: (in_programming, keys),
    Place.SWEEP: (in_sweep, columns),
    Place.SWEEP_FRONT: (in_front, columns),
    Place.REPORT: (in_report, keys),
    Place.REPORT_TABLE: (in_report_table, keys),
    Place.REPORT_FIGURE: (in_report_figure, keys),
    Place.PAGE: (in_page, keys),
    Place.PAGE_CORE: (in_core, keys),
    Place.PAGE_CHART: (in_charts, keys),
    Place.CURVES: (in_curves, keys),
    Place.CURVES_FIGURE: (in_curves_figure, keys),
    Place.PUBLISHED: (in_published, keys),
}


def in_point(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the results in the table of `archsim sweep show --point`."""
    shown: list[Table] = []
    sweep(sweep_of(AXES), out=folder)
    with monkeypatch.context() as patched:
        patched.setattr("archsim.cli.render.grid", lambda table: shown.append(table) or "")
        done = run_cli("sweep", "show", folder, "--point", 0)
    assert done.exit_code == 0, done.output
    return [key for key in keys_of(shown[0]) if is_result(key)]


def test_every_place_is_looked_at() -> None:
    assert {*SEEN, Place.SWEEP_POINT} == set(Place)


@pytest.mark.parametrize("place", SEEN)
def test_metrics_are_where_they_say_and_nowhere_else(place: Place) -> None:
    seen, names = SEEN[place]
    assert seen() == names(place)


def test_a_point_of_a_sweep_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_point(tmp_path / "s", monkeypatch) == columns(Place.SWEEP_POINT)


@pytest.mark.parametrize("place", [place for place in SEEN if place is not Place.CHIP])
def test_a_new_row_is_everywhere(planted: Metric, place: Place) -> None:
    seen, names = SEEN[place]
    shown = seen()
    assert shown == names(place)
    assert {planted.key, planted.stem, planted.column} & set(shown)


def test_a_new_row_has_its_values(
    planted: Metric, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--uncertainty", "--samples", 20, "--sensitivity", "--format", "json")
    said = json.loads(run_cli("map", "lenet3", *asked).stdout)
    value = said["totals"][planted.key]
    per_mac_pJ = 1e6 * said["totals"]["energy_uJ"] / said["totals"]["macs"]
    assert value == pytest.approx(per_mac_pJ, rel=1e-12, abs=0)
    assert said["uncertainty"][planted.key]["nominal"] == pytest.approx(value, rel=1e-12, abs=0)
    for entry in said["sensitivity"]:
        # No parameter changes how many multiply-accumulates there are.
        assert entry[planted.stem] == pytest.approx(entry["energy"], abs=1e-9), entry["parameter"]
    assert "energy per MAC" in run_cli("map", "lenet3").stdout
    chip = ("--chip", "rram-22nm-neurosim")  # of the sweep
    rows = json.loads(run_cli("compare", "lenet3", *chip, "--format", "json").stdout)["rows"]
    base, common, _ = (row[planted.key] for row in rows)
    assert rows[1][planted.ratio_key] == common / base
    assert rows[1][planted.overhead_key] == pytest.approx(100 * (common / base - 1))
    found = sweep(sweep_of(AXES), out=tmp_path / "s")
    in_pJ = found.frame()[planted.column] * 1e12
    assert in_pJ.tolist() == pytest.approx([base, common], rel=1e-12, abs=0)
    least = run_cli("sweep", "show", tmp_path / "s", "--cheapest", planted.stem)
    assert "Least energy per MAC" in least.stdout
    assert planted.column in in_point(tmp_path / "t", monkeypatch)
    listed = json.loads(run_cli("list", "metrics", "--format", "json").stdout)["items"]
    assert [own["unit"] for own in listed if own["key"] == planted.key] == ["pJ"]


def test_a_sweep_of_before_a_metric_was_added_is_drawn_without_it(planted: Metric) -> None:
    now = curves()
    (point,) = now.points
    values = {key: value for key, value in point.values.items() if key != planted.key}
    before = replace(now, points=(replace(point, values=values),))
    assert [metric.key for metric in before.metrics] == list(values)
    assert planted.key not in [own["key"] for own in curves_data(before)["metrics"]]
    assert curves_table([before]).records()[0][planted.key] is None
    assert planted.key not in collect_size_curves(before, "tsb.channels").keys


def test_a_row_that_was_planted_is_gone_again() -> None:
    assert PLANTED.key not in mapped("none").totals
    assert metric_of(PLANTED.stem) is None
