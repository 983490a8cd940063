"""Ranges of converters that are trained: their gradients by hand, and that they lose less."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from archsim.device import WeightFormat
from tsb.read_path.converter import ConverterGrid
from tsb.read_path.learned_ranges import range_gradients
from tsb.read_path.matrix import StoredMatrix
from tsb.read_path.network import ReadNetwork
from tsb.read_path.product import MatrixRead
from tsb.read_path.row_groups import RowGroups
from tsb.read_path.settings import Converter, ReadSettings


@pytest.mark.parametrize(
    ("code", "low", "span"),
    [
        (7, 0.0, (8.0 - 7.0) / 12),  # inside: 7 is read as 8
        (14, 1.0, 1.0),  # above: both ends move what is read
    ],
)
def test_gradients_of_a_single_sum_by_hand(code: int, low: float, span: float) -> None:
    form = WeightFormat(weight_bits=4, bits_per_cell=4, encoding="offset")
    settings = ReadSettings(
        weight_format=form, input_bits=1, rows=1, converter=Converter(bits=2, range="learned")
    )
    matrix = StoredMatrix.of_codes(torch.tensor([[code - 8]]), form)
    groups = RowGroups.in_order(1, rows=1, rows_at_once=None)
    read = MatrixRead(matrix=matrix, settings=settings, groups=groups)
    read.grids = [ConverterGrid(0.0, 12.0, 3, 0)]
    lows, spans = range_gradients(read, np.array([[1]]), np.array([[1.0]]))
    assert lows * np.sqrt(3) == pytest.approx([low])
    assert spans * np.sqrt(3) == pytest.approx([span])


def test_learned_ranges_lose_less_of_the_calibration_images() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 10))
    images = torch.rand(32, 1, 10, 10)
    wanted = model.eval()(images).detach().mul(20).softmax(-1)

    def loss(rule: str) -> tuple[float, list[float]]:
        form = WeightFormat(weight_bits=8, bits_per_cell=2, encoding="offset")
        converter = Converter(bits=3, range=rule, percentile=80.0)
        read = ReadNetwork.of_weights(
            model, ReadSettings(weight_format=form, converter=converter)
        ).calibrate(images)
        spans = [grid.span for grid in read.layers["0.weight"].reads[0].grids or []]
        return float(functional.cross_entropy(read.scores(images), wanted)), spans

    (calibrated, before), (learned, after) = loss("calibrated"), loss("learned")
    assert after != before
    assert learned < calibrated


def test_ranges_are_learned_behind_another_converter_too() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 10))
    images = torch.rand(32, 1, 10, 10)
    learned = Converter(bits=3, range="learned", percentile=80.0)

    def read(converter: Converter) -> ReadNetwork:
        form = WeightFormat(weight_bits=8, bits_per_cell=2, encoding="offset")
        settings = ReadSettings(weight_format=form, converter=converter)
        return ReadNetwork.of_weights(model.eval(), settings).calibrate(images)

    calibrated, wanted = read(Converter(bits=8)), read(learned)
    found = calibrated.with_converter(learned, images)
    for name, layer in wanted.layers.items():
        assert [one.grids for one in found.layers[name].reads] == [one.grids for one in layer.reads]
    assert found.layers["0.weight"].reads[0].grids != (
        calibrated.with_converter(Converter(bits=3, percentile=80.0), images)
        .layers["0.weight"]
        .reads[0]
        .grids
    )
