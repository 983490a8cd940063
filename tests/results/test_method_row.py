"""Rows of studies and reports: typed inside, the same dictionaries and frames outside."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError, fields

import pandas as pd
import pytest

from archsim.results.design_row import COLUMNS, DesignRow
from archsim.results.method_row import MethodRow, finite, frame_of, half_width
from archsim.results.metric import Place
from archsim.results.metrics import shown_in
from archsim.results.report import JointDesign, JointResult
from tsb.study.seed_result import SeedResult


@pytest.mark.parametrize("row", [MethodRow, DesignRow, SeedResult, JointDesign])
def test_every_field_is_documented(row: type) -> None:
    """What a field means, and its unit, stands in the docstring; nothing else does."""
    said = re.findall(r"^        (\w+):", row.__doc__ or "", re.MULTILINE)
    assert said == [field.name for field in fields(row)]


def test_a_row_without_results_is_empty_and_frozen() -> None:
    row = MethodRow(method="plain", sigma=0.1)
    known = {column for column, value in row.record().items() if value is not None}
    assert known == {"method", "sigma", "chosen", "choice_lacks"}
    with pytest.raises(FrozenInstanceError):
        row.accuracy = 1.0  # type: ignore[misc]


def test_the_frame_has_a_column_for_every_field_in_their_order() -> None:
    rows = [
        MethodRow(method="plain", sigma=0.1, accuracy=0.9, seeds=3, read_noise=False),
        MethodRow(method="TSB", sigma=0.1, seeds=2, read_noise=True, backend="batched"),
    ]
    frame = frame_of(rows)
    assert list(frame.columns) == [field.name for field in fields(MethodRow)]
    assert frame["seeds"].tolist() == [3, 2]
    assert frame["read_noise"].tolist() == [False, True]
    assert frame["accuracy"].dtype == float
    assert pd.isna(frame["accuracy"][1])
    assert list(frame_of([]).columns) == list(frame.columns)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.9", True])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert finite(value) is None


@pytest.mark.parametrize("end", [None, math.nan, math.inf])
def test_an_interval_without_an_end_has_no_width(end: float | None) -> None:
    assert half_width(0.9, end) is None
    assert half_width(end, 0.9) is None


def test_half_widths() -> None:
    row = MethodRow(method="plain", sigma=0.1, ci95_low=0.90, ci95_high=0.94, ci95_backbone_low=0.5)
    assert row.half_width == pytest.approx(0.02, rel=1e-9)
    assert row.backbone_half_width is None


def test_what_is_no_number_is_not_there() -> None:
    row = MethodRow(method="plain", sigma=0.1, accuracy=math.nan, gap=0.1, backend="eager")
    assert row.without_nan() == MethodRow(method="plain", sigma=0.1, gap=0.1, backend="eager")


def test_columns_of_the_joint_table_are_the_contract() -> None:
    """``archsim report --format json`` and csv: names and order that others read."""
    measured = MethodRow(method="TSB", sigma=0.1, written_weights=25, accuracy=0.9, chosen=True)
    design = JointDesign(
        method="TSB", sigma=0.1, placement="common", measured=measured, mapped=None, base=True
    )
    result = JointResult("a study", "lenet3", "rram", (design,))
    (record,) = result.records()
    metrics = [metric.key for metric in shown_in(Place.REPORT)]
    overheads = [metric.overhead_key for metric in shown_in(Place.OVERHEAD)]
    assert [column for column in record if column not in COLUMNS] == [*metrics, *overheads]
    columns = list(record)
    assert columns[: columns.index(metrics[0])] == [
        *("method", "sigma", "design", "device", "network", "data", "run", "chosen"),
        *("accuracy", "ci95_low", "ci95_high", "ci95_backbone_low", "ci95_backbone_high"),
        *("std_chip", "std_run", "worst", "validation_accuracy", "gap_closed"),
        *("chips", "runs", "seeds", "images", "trained_weights", "verified_weights"),
        *("verified_share", "digital_parameters", "backbone_seconds", "tune_seconds"),
        "macs_share",
    ]
    assert columns[columns.index(overheads[-1]) + 1 :] == [
        *("validation_behind", "validation_behind_noise", "validation_images"),
        *("notes", "command", "about", "chip", "encoding", "chip_encoding"),
        *("read_path", "adc_range", "adc_bits", "clip_rate", "read_warnings"),
    ]
    assert (record["design"], record["trained_weights"]) == ("common", 25)
    assert record["notes"] == []
    assert record["chosen"] is True
    assert {record[name] for name in metrics} == {None}
    assert list(result.frame().columns) == list(record)
