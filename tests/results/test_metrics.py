"""Every row of the registry of metrics: what it says of itself is so, and its getters agree."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from archsim.arch.design import DesignBatch
from archsim.config.study import load_study
from archsim.cost.engine import evaluate
from archsim.errors import ConfigError
from archsim.network import from_graph, load_network
from archsim.plan import MappingPlan
from archsim.results.columns import label_of, more_is_better, split_unit
from archsim.results.cost import CostBreakdown
from archsim.results.design_row import COLUMNS
from archsim.results.metric import NEEDS, Metric, Place
from archsim.results.metrics import METRICS, check_published, metric_of, shown_in
from archsim.units import TO_SI, from_si
from mapping.compile import compile_plan
from tests.explore.sweeps import run_cli
from tests.refusals import refused
from tests.reports.page.pages import mapped

#: Places that take values of a batch of designs.
OF_BATCHES = {Place.SENSITIVITY, Place.UNCERTAINTY, Place.SWEEP}
#: Places that write a share as per cent.
OF_SHARES = {
    *(Place.INFERENCE, Place.CHIP, Place.COMPARE, Place.PROGRAMMING, Place.SWEEP),
    *(Place.REPORT, Place.REPORT_TABLE, Place.PAGE, Place.PAGE_CORE),
}
of_rows = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.key)


@of_rows
def test_the_key_ends_in_the_unit(metric: Metric) -> None:
    stem, unit = split_unit(metric.key)
    assert metric.unit in TO_SI
    if unit:
        assert (stem, unit) == (metric.stem, metric.unit)
        column, si_unit = split_unit(metric.column)
        assert (column, TO_SI[si_unit]) == (metric.stem, 1.0)
    else:
        assert metric.column == metric.stem == metric.key
        said = "" if metric.unit == "1" else metric.unit.replace("/", "_per_").lower()
        assert metric.key.lower().endswith(said)


@of_rows
def test_a_row_has_names_and_a_direction(metric: Metric) -> None:
    assert metric.title.strip() == metric.title != ""
    assert metric.about
    assert "\n" not in metric.title + metric.label + metric.about
    assert metric.maximise == {"lower": False, "higher": True, "none": None}[metric.direction]
    assert more_is_better(metric.column) == (metric.direction == "higher")
    assert label_of(metric.column).startswith(metric.name)
    assert metric_of(metric.stem) is metric


@pytest.mark.parametrize("name", ["key", "stem", "column"])
def test_no_name_is_given_twice(name: str) -> None:
    names = [getattr(metric, name) for metric in METRICS]
    assert len(set(names)) == len(names)


def test_hardware_of_the_report_is_not_called_as_what_was_measured() -> None:
    assert not {metric.key for metric in shown_in(Place.REPORT)} & set(COLUMNS)


@of_rows
def test_a_row_fits_the_places_that_it_names(metric: Metric) -> None:
    places = set(metric.shown)
    assert len({Place.INFERENCE, Place.CHIP} & places) == 1
    assert metric.form != "percent" or places <= OF_SHARES
    for place, how in metric.shown.items():
        assert set(NEEDS.get(place, ())) <= places, place
        assert how.unless is None or place in (Place.INFERENCE, Place.CHIP)
        assert not how.alone or place is Place.PROGRAMMING
    if Place.OVERHEAD in places:
        assert "overhead" in metric.title_in(Place.OVERHEAD)
    if Place.PAGE_CHART in places:
        assert metric.direction == "lower", "the chart joins the cheapest designs"
    if Place.SENSITIVITY in places:
        assert not metric.is_whole, "a whole number has no gradient"


def test_every_place_has_metrics() -> None:
    assert all(shown_in(place) for place in Place)
    assert len(shown_in(Place.REPORT_FIGURE)) >= 2, "the page starts with two charts"


@of_rows
def test_a_row_has_one_getter(metric: Metric) -> None:
    assert (metric.of_batch is None) != (metric.of_design is None)
    if metric.of_batch is None:
        assert not OF_BATCHES & set(metric.shown)
        with pytest.raises(ValueError, match=metric.key):
            metric.in_si(mapped("none").cost, mapped("none").plan)


#: Real designs: placement and settings.
CASES = (
    ("none",),
    ("common", "chip.programming.policy=all"),
    ("separate", "chip.timing.pipeline=false"),
    ("none", "chip.hierarchy.max_tiles=1", "chip.off_chip.when_full=multi-chip"),
    ("none", "chip.hierarchy.max_tiles=1", "chip.off_chip.when_full=reload"),
)


@cache
def priced() -> tuple[CostBreakdown, MappingPlan]:
    """All cases as one batch, layers not merged."""
    graph = load_network("lenet3")
    batch = DesignBatch.stack(
        [DesignBatch.from_resolved(mapped(*case).resolved, case[0]) for case in CASES]
    )
    with torch.no_grad():
        plan = compile_plan(
            design=batch,
            table=from_graph(graph),
            points=graph.insertion_points(mapped("common").resolved.tsb.insertion),
        )
        return evaluate(design=batch, plan=plan), plan


@of_rows
def test_a_batch_has_the_values_of_its_designs(metric: Metric) -> None:
    alone = [mapped(*case).totals[metric.key] for case in CASES]
    assert [type(value) for value in alone] == [int if metric.is_whole else float] * len(CASES)
    if metric.of_batch is None:
        return
    in_si = metric.in_si(*priced()).expand(len(CASES)).tolist()
    assert [from_si(value, metric.unit) for value in in_si] == alone
    in_column = metric.in_column(*priced()).expand(len(CASES)).tolist()
    assert [metric.from_column(value) for value in in_column] == alone


def test_totals_hold_every_row_in_its_order() -> None:
    keys = [metric.key for metric in METRICS]
    assert list(mapped("none").totals) == list(mapped("none").to_dict()["totals"]) == keys
    assert mapped("none", "chip.hierarchy.max_tiles=1").totals == dict.fromkeys(keys)


def study_with(quantity: str, folder: Path) -> Path:
    cost = {"design": "none", "quantity": quantity, "number": 1.0, "chip": "rram-22nm"}
    path = folder / "study.yaml"
    content = {"extends": "tsb-lenet3", "published_costs": [{**cost, "source": "a table"}]}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("command", [("report", "--no-train"), ("train",)])
def test_a_published_cost_of_no_metric_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    path = study_with("area_um2", tmp_path)
    done = run_cli(command[0], path, "--run", tmp_path / "run", *command[1:])
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "study.published_costs.0.quantity = 'area_um2'" in said
    assert all(metric.key in said for metric in shown_in(Place.PUBLISHED))
    assert not (tmp_path / "run").exists()


def test_published_costs_of_metrics_are_not_refused(tmp_path: Path) -> None:
    for metric in shown_in(Place.PUBLISHED):
        check_published(load_study(str(study_with(metric.key, tmp_path))))
    field = "study.published_costs.0.quantity"
    facts: dict[str, Any] = {"code": "unknown-name", "field": field, "value": "energy_J"}
    with refused(ConfigError, **facts, nearest="energy_uJ"):
        check_published(load_study(str(study_with("energy_J", tmp_path))))
