"""Metrics of a comparison with reference runs: every row can be read and shown."""

from __future__ import annotations

import csv
import re

import pytest

from archsim.results.reference_metric import (
    CHIP_METRICS,
    LAYER_METRICS,
    REFERENCE_METRICS,
    ReferenceMetric,
)
from archsim.units import TO_SI
from tests.house.helpers import ROOT

REFERENCE = ROOT / "tests" / "data" / "reference"


@pytest.mark.parametrize("metric", REFERENCE_METRICS, ids=lambda metric: metric.name)
def test_a_metric_has_a_column_in_its_unit(metric: ReferenceMetric) -> None:
    path = REFERENCE / ("layers.csv" if metric.per_layer else "chip.csv")
    with path.open(newline="", encoding="utf-8") as file:
        assert metric.column in next(csv.reader(file))
    ending = metric.column.rpartition("_")[2]
    assert metric.unit == ending if ending in TO_SI else metric.unit in ("tiles", "copies")
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", metric.name)


def test_names_are_different_and_chips_come_first() -> None:
    assert len({metric.name for metric in REFERENCE_METRICS}) == len(REFERENCE_METRICS)
    assert (*CHIP_METRICS, *LAYER_METRICS) == REFERENCE_METRICS
    for group in (CHIP_METRICS, LAYER_METRICS):
        assert len({metric.column for metric in group}) == len(group)
