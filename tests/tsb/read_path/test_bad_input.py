"""What cannot be read: refused with the way out, from images to converters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from archsim.device import WeightFormat
from archsim.errors import Code, ConfigError
from archsim.network.load import load_module
from tests.refusals import refused
from tests.tsb.read_path.oracle import settings
from tsb.read_path.converter import ConverterGrid
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.network import ReadNetwork


def _network(**changes: Any) -> ReadNetwork:
    torch.manual_seed(0)
    model = load_module("lenet3", {}).eval()
    return ReadNetwork.of_weights(model, settings(rows=128, **{"bits": 5, **changes}))


def _images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28)


@pytest.mark.parametrize("rule", ["calibrated", "full-scale"])
def test_no_images_to_calibrate_on(rule: str) -> None:
    with refused(
        ConfigError, code=Code.OUT_OF_RANGE, field="calibration images", value=0, allowed="1"
    ):
        _network(range=rule).calibrate(_images(0))


def test_no_images_for_the_ranges() -> None:
    with refused(
        ConfigError, code=Code.MISSING_KEY, field="adc.range", value="calibrated",
        allowed="full-scale",
    ):  # fmt: skip
        _network(range="calibrated").calibrate(_images(2), range_images=_images(0))


def test_a_read_before_calibration() -> None:
    with refused(
        ConfigError, code=Code.MISSING_KEY, field="calibration images", allowed="calibrate(images)"
    ):
        _network(range="calibrated").scores(_images(1))


@pytest.mark.parametrize("percentile", [0.0, 50.0, 100.5, float("nan")])
def test_percentiles_that_leave_no_range(percentile: float) -> None:
    with refused(
        ConfigError, code=Code.OUT_OF_RANGE, field="adc.percentile", value=percentile,
        allowed=["50", "100"],
    ):  # fmt: skip
        settings(bits=5, range="calibrated", percentile=percentile)


@pytest.mark.parametrize("levels", [(0.5, 0.5), (0.5,), (1.0, 0.0)])
def test_tables_without_a_width(levels: tuple[float, ...]) -> None:
    with refused(
        ConfigError, code=Code.OUT_OF_RANGE, field="adc.levels", value=levels, allowed="rising"
    ):
        settings(bits=3, levels=levels)


def test_a_range_that_falls() -> None:
    with refused(
        ConfigError, code=Code.OUT_OF_RANGE, field="adc.range", value=(3.0, 2.0), allowed="upper"
    ):
        ConverterGrid.of_range(3.0, 2.0, bits=4, signed=False)


def test_sums_that_are_all_alike_are_read_as_they_are() -> None:
    """A range has a step of one level at least, whatever the sums: none has no width."""
    read = _network(range="calibrated").calibrate(torch.zeros(2, 1, 28, 28))
    scores = read.scores(torch.zeros(1, 1, 28, 28))
    torch.testing.assert_close(
        scores, read.model(torch.zeros(1, 1, 28, 28)).detach(), atol=0.1, rtol=0
    )


@pytest.mark.parametrize("rows", [0, 129])
def test_more_rows_at_once_than_rows(rows: int) -> None:
    with refused(
        ConfigError, code=Code.OUT_OF_RANGE, field="read.rows_at_once", value=rows, allowed="(128)"
    ):
        settings(rows=128, rows_at_once=rows)


def test_a_sign_outside_of_the_cells() -> None:
    with refused(
        ConfigError, code=Code.CONFLICT, field="encoding", value="magnitude",
        allowed=["offset", "differential", "separate-sign"],
    ):  # fmt: skip
        StoredMatrix.of_codes(torch.ones(2, 2).long(), WeightFormat(encoding="magnitude"))
